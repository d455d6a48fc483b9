package subscribe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A network is a listener and what connects to it, in memory, so that it works in a bubble of synctest.
type network struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	dials  atomic.Int64
	open   atomic.Int64 // client's ends that were not closed

	mu    sync.Mutex
	fault func(dial int, c net.Conn) (net.Conn, error) // what becomes of the client's end; nil for no faults
}

func newNetwork() *network { return &network{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (n *network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	end, err := n.spoil(client)
	if err != nil {
		return nil, err
	}
	select {
	case n.conns <- server:
		return n.count(end), nil
	case <-n.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// count counts a client's end as open until it is closed.
func (n *network) count(c net.Conn) net.Conn {
	n.open.Add(1)
	return &counted{Conn: c, network: n}
}

type counted struct {
	net.Conn
	network *network
	once    sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.network.open.Add(-1) })
	return c.Conn.Close()
}

func (n *network) spoil(c net.Conn) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	dial := int(n.dials.Add(1))
	if n.fault == nil {
		return c, nil
	}
	return n.fault(dial, c)
}

// heal ends the faults of new connections.
func (n *network) heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = nil
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *network) Addr() net.Addr { return &net.TCPAddr{} }

// cut is a connection that breaks when the client has read so many bytes.
type cut struct {
	net.Conn
	left atomic.Int64
}

func cutAfter(c net.Conn, bytes int64) net.Conn {
	broken := &cut{Conn: c}
	broken.left.Store(bytes)
	return broken
}

func (c *cut) Read(p []byte) (int, error) {
	left := c.left.Load()
	if left <= 0 {
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.left.Add(int64(-n))
	return n, err
}

// deaf is a connection from which nothing comes any more once it is stuck, not even heartbeats.
type deaf struct {
	net.Conn
	stuck *atomic.Bool
}

func (d *deaf) Read(p []byte) (int, error) {
	for {
		n, err := d.Conn.Read(p)
		if err != nil || !d.stuck.Load() {
			return n, err
		}
	}
}

// mute is a connection on which the client's writes never end.
type mute struct {
	net.Conn
	stuck  *atomic.Bool
	closed chan struct{}
	once   sync.Once

	mu       sync.Mutex
	deadline time.Time
}

func (m *mute) SetWriteDeadline(t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deadline = t
	return m.Conn.SetWriteDeadline(t)
}

func (m *mute) Write(p []byte) (int, error) {
	if !m.stuck.Load() {
		return m.Conn.Write(p)
	}
	m.mu.Lock()
	deadline := m.deadline
	m.mu.Unlock()
	select {
	case <-m.closed:
		return 0, net.ErrClosed
	case <-time.After(time.Until(deadline)):
		return 0, context.DeadlineExceeded
	}
}

func (m *mute) Close() error {
	m.once.Do(func() { close(m.closed) })
	return m.Conn.Close()
}
