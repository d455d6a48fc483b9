package subscribe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/iot"
)

const (
	connectWithin = 15 * time.Second // the platform's limit for a login, and for a link after it
	writeWithin   = 5 * time.Second  // what is written is small: who does not take it is gone
	partWithin    = time.Second      // for the last words
	sourceAddress = "default"        // the platform takes any
	maxFrame      = 64 << 10
)

// A link is one live connection with its receiver: the platform allows one on each.
type link struct {
	raw      net.Conn // under TLS and AMQP
	conn     *amqp.Conn
	receiver *amqp.Receiver
	open     sync.WaitGroup // the deliveries that are not settled
}

// connect returns a new link to a group. It waits for its turn at the group's gate.
func (c *Client) connect(ctx context.Context, group string) (*link, error) {
	if err := c.gate(group).pass(ctx); err != nil {
		return nil, c.fault(ctx, group, "wait for a turn to connect", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectWithin, errSlow)
	defer cancel()
	l, err := c.sign(ctx, group)
	if err != nil {
		return nil, c.fault(ctx, group, "get a credential", err)
	}
	host, address := c.config.address()
	raw, secure, err := c.dial(ctx, host, address)
	if err != nil {
		return nil, c.fault(ctx, group, "connect to "+address, err)
	}
	conn, err := c.login(ctx, secure, host, l)
	if err != nil {
		return nil, c.fault(ctx, group, "log in at "+address, err)
	}
	made := &link{raw: raw, conn: conn}
	if err := made.attach(ctx, c.config.Credit); err != nil {
		defer made.close()
		return nil, c.fault(ctx, group, "attach at "+address, err)
	}
	return made, nil
}

// sign asks for the credential of now, and makes a login of it.
func (c *Client) sign(ctx context.Context, group string) (login, error) {
	credential, err := c.config.Credentials(ctx)
	if err != nil {
		if iot.KindOf(err) == iot.Unclassified {
			err = fmt.Errorf("%w: %w", iot.Denied, err)
		}
		return login{}, err
	}
	now := time.Now()
	return sign(credential, c.config.ClientID, c.config.Instance, group, now), credential.check(now)
}

// dial connects, and verifies the server for the host's name unless plain text is allowed and wanted.
func (c *Client) dial(ctx context.Context, host, address string) (raw, secure net.Conn, err error) {
	raw, err = c.config.Dial(ctx, "tcp", address)
	if err != nil || !c.config.encrypted() {
		return raw, raw, err
	}
	conn := tls.Client(raw, &tls.Config{ServerName: host, RootCAs: c.config.RootCAs, MinVersion: tls.VersionTLS12})
	if err = conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says more
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			err = fmt.Errorf("%w: the server did not prove to be the endpoint: check RootCAs and the endpoint's name: %w", iot.Denied, err)
		}
	}
	return raw, conn, err
}

// login opens an AMQP connection on another one, which it closes if it fails.
func (c *Client) login(ctx context.Context, on net.Conn, host string, l login) (*amqp.Conn, error) {
	said := &witness{Conn: on}
	conn, err := amqp.NewConn(ctx, said, &amqp.ConnOptions{
		HostName:     host,
		IdleTimeout:  2 * c.config.Idle, // go-amqp announces the half
		MaxFrameSize: maxFrame,
		WriteTimeout: writeWithin,
		SASLType:     amqp.SASLTypePlain(l.user, l.password),
	})
	if err != nil && refused(said.heard) {
		err = fmt.Errorf("%w: check the access key, its permission to subscribe, the group's ID and this machine's clock", iot.Denied)
	}
	return conn, err
}

// attach opens the link's one receiver. What it has opened when it fails ends with the connection.
func (l *link) attach(ctx context.Context, credit int) error {
	session, err := l.conn.NewSession(ctx, nil)
	if err != nil {
		return err
	}
	l.receiver, err = session.NewReceiver(ctx, sourceAddress, &amqp.ReceiverOptions{Credit: int32(credit)})
	return err
}

// alive reports whether the connection has not been lost, as far as is known.
func (l *link) alive() bool {
	select {
	case <-l.conn.Done():
		return false
	default:
		return true
	}
}

// take begins a delivery.
func (l *link) take(m *amqp.Message) delivery {
	l.open.Add(1)
	return delivery{link: l, message: m}
}

// close ends the connection, and every call on it. It may be called again.
func (l *link) close() {
	defer time.AfterFunc(partWithin, l.cut).Stop()
	_ = l.conn.Close() // whatever was wrong with it is known already, and nothing can be done
}

// cut ends the connection without a word: what waits for it to take something does not wait any longer.
func (l *link) cut() { _ = l.raw.Close() }

// A delivery is a message that has to be settled once.
type delivery struct {
	link    *link
	message *amqp.Message
}

// settle accepts a message that was handled, and releases any other, so that it comes again. A link that is gone settles
// nothing: the platform sends the message again, and memory knows it.
func (d delivery) settle(handled bool) {
	defer d.link.open.Done()
	ctx := context.Background() // writeWithin bounds it, and the link's end
	if handled {
		_ = d.link.receiver.AcceptMessage(ctx, d.message)
	} else {
		_ = d.link.receiver.ReleaseMessage(ctx, d.message)
	}
}
