package aliyun

import (
	"context"
	"errors"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

// SourceReceiver returns the receiver of the legacy public instance's consumer groups; all calls return the same one. It
// keeps one AMQP connection for each group that was asked for, until the Client is closed.
//
// It takes messages away from all other clients of a group: see [iot.Receiver]. A message that comes again is dropped. It
// waits for the first message for [Config.ReceiveWait], and says then that there is none.
//
// It never retries. Its errors are [iot.Denied] for a login that was refused and for a server that could not prove to be the
// endpoint; [iot.NotFound] for a group that the platform says it does not have; [iot.Throttled] for a group that has
// too many connections; else [iot.Transient]. No error loses messages: what was not settled comes again. So that nobody
// hammers the platform, a failed connect is not repeated at once: for 10 ms at first, doubling up to 20 s, and for a
// minute after a refusal, the same error is returned again.
func (c *Client) SourceReceiver() iot.Receiver { return c.source }

// TargetReceiver returns the receiver of the target's consumer groups, with the contract of [Client.SourceReceiver].
func (c *Client) TargetReceiver() iot.Receiver { return c.target }

// openSubscriptions makes the clients of both instances' groups. They connect when somebody consumes.
func (c *Client) openSubscriptions() error {
	var ofSource, ofTarget error
	c.source, ofSource = subscribe.New(c.config.subscription(c.config.Endpoints.SourceAMQP, ""))
	c.target, ofTarget = subscribe.New(c.config.subscription(c.config.Endpoints.TargetAMQP, c.config.Target))
	if err := errors.Join(ofSource, ofTarget); err != nil {
		return err
	}
	c.onClose(func() error {
		c.source.Close()
		c.target.Close()
		return nil
	})
	return nil
}

func (c Config) subscription(endpoint, instance string) subscribe.Config {
	return subscribe.Config{
		Endpoint: endpoint, Instance: instance, ClientID: c.ClientID, PlainText: c.PlainText, RootCAs: c.RootCAs, Dial: c.Dial,
		Wait: c.ReceiveWait, Logger: c.Logger,
		Credentials: func(ctx context.Context) (subscribe.Credential, error) {
			credential, err := c.Credentials.Credential(ctx)
			return subscribe.Credential(credential), err
		},
	}
}
