package amqp

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/iotferry/iotferry/internal/fake"
)

// A Server lets AMQP clients consume from the groups of a platform in memory. It is safe for concurrent use. Make one
// with [New], and close it.
type Server struct {
	cloud  *fake.Cloud
	config Config

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	conns     map[*conn]struct{}
	groups    map[groupName]*group
	running   sync.WaitGroup
}

// New returns a server in front of a platform in memory. It serves nothing yet. A configuration that is incomplete or
// contradicts itself is refused with [iot.Invalid].
func New(cloud *fake.Cloud, c Config) (*Server, error) {
	if cloud == nil {
		return nil, invalid("there is no platform: give one made by fake.New")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Server{
		cloud: cloud, config: c.withDefaults(),
		conns: map[*conn]struct{}{}, groups: map[groupName]*group{},
	}, nil
}

// Serve accepts connections, plain ones or those of a TLS listener, until the server is closed; then it returns nil. It
// returns an error if the listener fails; connections stay then. The listener is the server's from now on: one that comes
// after the end is closed at once. Serve may be called with several listeners.
func (s *Server) Serve(l net.Listener) error {
	if !s.listen(l) {
		_ = l.Close()
		return nil
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isClosed() {
				return nil
			}
			return fmt.Errorf("accept AMQP connections on %v: %w", l.Addr(), err)
		}
		s.start(nc)
	}
}

// listen remembers a listener, unless the server is closed.
func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.listeners = append(s.listeners, l)
	}
	return !s.closed
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// start serves a connection in the background.
func (s *Server) start(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = nc.Close()
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.running.Go(func() {
		c.serve()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

// all returns the connections of now.
func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// DropAll cuts all connections without a word, as the platform may do at any time. Clients may come again at once.
func (s *Server) DropAll() {
	for _, c := range s.all() {
		_ = c.nc.Close()
	}
}

// Close closes the listeners, tells the clients, and waits until all connections and goroutines have ended: a second
// at most. Doing it twice is the same as once. Its error is that of the listeners.
func (s *Server) Close() error {
	s.mu.Lock()
	listeners := s.listeners
	s.closed, s.listeners = true, nil
	s.mu.Unlock()
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	for _, c := range s.all() {
		c.shutdown()
	}
	s.running.Wait()
	return errors.Join(errs...)
}
