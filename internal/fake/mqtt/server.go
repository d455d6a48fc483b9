package mqtt

import (
	"errors"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// A Domain is what clients come to: the name behind a listener's address.
type Domain struct {
	// Instance is the ID of the instance whose own domain it is, or fake.PublicDomain: the public
	// instance's, which serves a device wherever it lives.
	Instance string
	// TLS says that the listener's connections are encrypted. Clients have to know: securemode=2 is for
	// them, securemode=3 for the others, and registration needs them.
	TLS bool
}

// A Server is the MQTT side of a platform in memory. It is safe for concurrent use. Make one with [New], and end it
// with [Server.Close].
type Server struct {
	cloud  *fake.Cloud
	config Config
	door   *door
	broker *mochi.Server
	work   sync.WaitGroup // all goroutines
	done   chan struct{}  // closed by Close

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	open      map[*connection]struct{}
	serial    uint64 // of the connections that were admitted
}

// New returns a server in front of a platform in memory, which listens nowhere yet. Its errors are [iot.Invalid].
func New(cloud *fake.Cloud, c Config) (*Server, error) {
	if cloud == nil {
		return nil, invalid("there is no platform: give one made by fake.New")
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	broker, err := newBroker(c)
	if err != nil {
		return nil, err
	}
	return &Server{
		cloud: cloud, config: c, door: newDoor(c.Clock, c.Limits), broker: broker,
		done: make(chan struct{}), open: map[*connection]struct{}{},
	}, nil
}

// Listen serves the connections of l in the background until [Server.Close], which closes l. After Close its error is
// net.ErrClosed, and l is closed as well.
func (s *Server) Listen(l net.Listener, d Domain) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
		return net.ErrClosed
	}
	s.listeners = append(s.listeners, l)
	s.work.Go(func() { s.accept(l, d) })
	return nil
}

// Close ends every connection, as if the clients had gone, and every goroutine. It returns nil. Closing again does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	for _, l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	return s.broker.Close()
}

func (s *Server) accept(l net.Listener, d Domain) {
	for {
		raw, err := l.Accept()
		switch {
		case err == nil:
			s.start(newConnection(s, raw, d))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.config.Logger.Error("cannot accept a connection", slog.Any("error", err))
			if !s.pause() {
				return
			}
		}
	}
}

// pause waits before the next try of what may work again, such as too many open files. It reports false if the server closes.
func (s *Server) pause() bool {
	const acceptAgain = 100 * time.Millisecond
	select {
	case <-s.done:
		return false
	case <-time.After(acceptAgain):
		return true
	}
}

func (s *Server) start(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return
	}
	s.open[c] = struct{}{}
	s.work.Go(func() {
		c.serve()
		s.forget(c)
	})
}

func (s *Server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// name returns a name for a connection of a device, which no other has: to the broker no two clients are the same.
func (s *Server) name(id iot.DeviceID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return id.String() + "#" + strconv.FormatUint(s.serial, 10)
}
