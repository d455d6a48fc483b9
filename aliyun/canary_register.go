package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A keepError says that the caller could not keep the device's new secret.
type keepError struct{ err error }

func (e *keepError) Error() string { return "keep the secret: " + e.err.Error() }
func (e *keepError) Unwrap() error { return e.err }

// register gets the device's secret for that of its product, and hands it over before anything else. The platform sends it
// without being asked, and expects the client to go.
func (c *Canary) register(ctx context.Context) error {
	l, err := c.connect(ctx, c.config.Sign.registration(c.ID(), c.config.ProductSecret))
	if err == nil {
		err = c.receiveSecret(ctx, l)
		l.close()
	}
	if err != nil {
		c.ended(ctx, 0, err)
	}
	return err
}

func (c *Canary) receiveSecret(ctx context.Context, l *canaryLink) error {
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	for {
		select {
		case m := <-l.inbox:
			if m.Topic() == "/ext/register" {
				return c.keep(ctx, m.Payload())
			}
		case <-l.conn.dying:
			return c.failed(iot.Transient, "register", l.gone())
		case <-timer.C:
			return c.failed(iot.Transient, "register", errNoAnswer)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keep hands the certificate over. Its errors say nothing of the payload, which has the secret in it.
func (c *Canary) keep(ctx context.Context, payload []byte) error {
	var got struct {
		iot.DeviceID
		DeviceSecret string `json:"deviceSecret"`
	}
	if json.Unmarshal(payload, &got) != nil || got.DeviceID != c.ID() || got.DeviceSecret == "" {
		return c.failed(iot.Transient, "register", errors.New("the platform's answer has no certificate of the device"))
	}
	secret := iot.NewSecret(got.DeviceSecret)
	if err := c.config.Registered(ctx, iot.Credential{ID: c.ID(), Secret: secret}); err != nil {
		return &keepError{err}
	}
	c.secret = secret
	return nil
}
