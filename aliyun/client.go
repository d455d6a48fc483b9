package aliyun

import (
	"errors"
	"sync"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

// A Client reaches the platform for one account: its legacy public instance, the source, and one Enterprise instance, the
// target. It is safe for concurrent use. Close it when it is not needed any more.
type Client struct {
	config      Config // complete
	caller      *rpc.Caller
	distributor *rpc.Caller // of device distribution, which has an endpoint of its own

	source, target *subscribe.Client // of the instances' consumer groups

	mu      sync.Mutex
	closers []func() error
}

// Open returns a client. It calls nobody: that credentials and IDs are right shows with the first call. A configuration
// that cannot work is [iot.Invalid]; the error names the field.
func Open(config Config) (*Client, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	c := &Client{config: config}
	if c.caller, err = config.caller(config.Endpoints.OpenAPI); err != nil {
		return nil, err
	}
	if c.distributor, err = config.caller(config.Endpoints.Distribution); err != nil {
		c.caller.Close()
		return nil, err
	}
	if err = c.openSubscriptions(); err != nil {
		c.caller.Close()
		c.distributor.Close()
		return nil, err
	}
	return c, nil
}

func (c Config) caller(endpoint string) (*rpc.Caller, error) {
	if c.Transport != nil {
		c.RootCAs = nil // they are the transport's business
	}
	return rpc.New(rpc.Config{
		Endpoint: endpoint, Region: c.Region, Credentials: signer(c.Credentials), PlainText: c.PlainText, RootCAs: c.RootCAs,
		Transport: c.Transport, Timeout: c.Timeout, Pacer: c.Pacer, Logger: c.Logger,
	})
}

// Platform returns the account as a campaign works on it. All its parts share the client's pacer, call each API once, and
// leave it to their caller to call again. The platform has APIs for all of it but console tasks.
func (c *Client) Platform() iot.Platform {
	source := &instance{client: c, placed: c.config.PublicInstance}
	target := &instance{client: c, id: c.config.Target, placed: c.config.Target}
	return iot.Platform{
		Account: c.config.Account,
		Source:  source.whole(iot.InstanceInfo{Type: iot.PublicLegacy, Region: c.config.Region}),
		Target:  target.whole(iot.InstanceInfo{ID: c.config.Target, Type: iot.EnterpriseStandard, Region: c.config.Region}),
		Mover:   mover{c},
	}
}

// Account returns the account's UID.
func (c *Client) Account() string { return c.config.Account }

// Endpoints returns where the client reaches the platform: those of its Config, and the derived ones.
func (c *Client) Endpoints() Endpoints { return c.config.Endpoints }

// Close ends what the client has opened: receivers, and connections that no call uses. Calls that are being made go
// on. A second Close does nothing.
func (c *Client) Close() error {
	c.mu.Lock()
	closers := c.closers
	c.closers = nil
	c.mu.Unlock()
	var errs []error
	for _, end := range closers {
		errs = append(errs, end())
	}
	c.caller.Close()
	c.distributor.Close()
	return errors.Join(errs...)
}

// onClose lets end be called once, by Close.
func (c *Client) onClose(end func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closers = append(c.closers, end)
}
