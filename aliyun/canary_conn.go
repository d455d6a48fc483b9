package aliyun

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/iotferry/iotferry/iot"
)

const (
	writeTimeout   = 10 * time.Second // of one packet
	goodbyeTimeout = time.Second
)

// Why a connection is of no use any more, besides errors of the network.
var (
	errHungUp  = errors.New("the canary hung up")
	errStalled = errors.New("the platform does not take what is sent")
	errGaveUp  = errors.New("the platform did not answer a ping, or sent what is not MQTT")
)

// errEnded is all that the MQTT client gets to know.
var errEnded = errors.New("the connection has ended")

// A canaryConn is the connection below the MQTT client, which it makes end in one way only: whatever goes wrong, and also when
// the canary hangs up, reading fails with errEnded. By itself the client looks at the text of the error, takes one about a
// closed connection for its own doing, and does not tell; and it writes its pings without a deadline.
type canaryConn struct {
	net.Conn
	dying chan struct{} // closed when the connection is of no use any more
	once  sync.Once
	why   error // once dying is closed

	turn chan struct{} // holds one token: who has it writes a packet, which is one Write
}

func newCanaryConn(conn net.Conn) *canaryConn {
	c := &canaryConn{Conn: conn, dying: make(chan struct{}), turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// die ends the connection's use; the first reason counts.
func (c *canaryConn) die(why error) {
	c.once.Do(func() {
		c.why = why
		close(c.dying)
	})
}

func (c *canaryConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.die(err)
		return n, errEnded
	}
	return n, nil
}

func (c *canaryConn) Write(p []byte) (int, error) {
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	select {
	case <-c.dying:
		return 0, errEnded
	default:
		return c.write(p, writeTimeout)
	}
}

func (c *canaryConn) write(p []byte, within time.Duration) (int, error) {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(within)) // it fails if the connection is closed, and so will Write
	n, err := c.Conn.Write(p)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errStalled
	}
	c.die(err)
	_ = c.Conn.Close() // lets Read fail
	return n, errEnded
}

// Close is called by the MQTT client.
func (c *canaryConn) Close() error {
	c.die(errGaveUp)
	return c.Conn.Close()
}

// hangUp says goodbye, if that is still possible, and closes the connection.
func (c *canaryConn) hangUp() {
	c.die(errHungUp)
	_ = c.Conn.SetWriteDeadline(time.Now().Add(goodbyeTimeout)) // also for a packet that is being written
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	_ = packets.NewControlPacket(packets.Disconnect).Write(goodbye{c})
	_ = c.Conn.Close()
}

// goodbye writes to a connection that is dying.
type goodbye struct{ *canaryConn }

func (g goodbye) Write(p []byte) (int, error) { return g.write(p, goodbyeTimeout) }

// dial opens a connection to the broker, with TLS unless it was given up on purpose.
func (c *Canary) dial(ctx context.Context) (*canaryConn, error) {
	within, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := c.config.Dial(within, "tcp", c.address)
	if err != nil {
		return nil, c.failed(iot.Transient, "dial "+c.address, err)
	}
	if c.tls == nil {
		return newCanaryConn(raw), nil
	}
	conn := tls.Client(raw, c.tls.Clone())
	if err := conn.HandshakeContext(within); err != nil {
		_ = raw.Close()
		return nil, c.failed(tlsKind(err), "agree on TLS with "+c.address, err)
	}
	return newCanaryConn(conn), nil
}

// tlsKind tells a broker that is not whom it should be from a connection that broke.
func tlsKind(err error) iot.Kind {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return iot.Denied
	}
	return iot.Transient
}

// failed is an error of the canary's own connection.
func (c *Canary) failed(kind iot.Kind, step string, err error) error {
	return &iot.Error{Kind: kind, Op: fmt.Sprintf("canary %s", c.config.Credential.ID), Message: step, Err: err}
}
