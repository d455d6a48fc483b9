package subscribe

import (
	"context"
	"sync"
)

// A Client consumes groups of one instance. It is an [iot.Receiver], and what a [Stream] connects with. It is safe for
// concurrent use.
type Client struct {
	config Config          // complete
	life   context.Context // ends with Close: the client's, not a call's
	end    context.CancelFunc

	mu    sync.Mutex
	gates map[string]*gate
	pulls map[string]*pull
}

// New returns a client. It connects to nobody yet. A configuration that cannot work is [iot.Invalid].
func New(config Config) (*Client, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	return &Client{config: config, life: life, end: end, gates: make(map[string]*gate), pulls: make(map[string]*pull)}, nil
}

// Close ends the connections that Receive keeps, and every Stream that uses the client: their Run returns when their
// handlers have. What Receive returned last comes again to somebody else. A second Close does nothing.
func (c *Client) Close() {
	c.end()
	c.mu.Lock()
	pulls := c.pulls
	c.pulls = nil
	c.mu.Unlock()
	for _, p := range pulls {
		p.close()
	}
}

// during returns a context that ends with ctx or with the client.
func (c *Client) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { cancel(errClosed) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

// gate returns the gate of a group: all connections of the client to that group pass the same.
func (c *Client) gate(group string) *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gates[group]
	if g == nil {
		g = new(gate)
		c.gates[group] = g
	}
	return g
}
