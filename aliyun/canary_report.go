package aliyun

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// uplinkGap lies between the messages that the canary sends by itself for many sub-devices: the platform takes 10 messages of QoS
// 1 a second from a connection.
const uplinkGap = 150 * time.Millisecond

// Publish sends a message of the device's own, with QoS 1, and returns when the platform has acknowledged it. Its error
// is [iot.NotConnected] without a connection or when it is lost, [iot.UnknownOutcome] if the platform does not acknowledge it
// within 10 seconds, or the context's; the message may have arrived then.
func (c *Canary) Publish(ctx context.Context, topic string, payload []byte) error {
	l, err := c.current()
	if err == nil {
		err = l.publish(ctx, topic, 1, payload)
	}
	if err != nil {
		return fmt.Errorf("canary %s: publish to %s: %w", c.ID(), topic, err)
	}
	return nil
}

// Report lets the device report, as [CanaryBehaviour] says, with a nonce: a number from 0 to 16777215. It returns
// when the platform has accepted it: by an acknowledgement, and, on an Alink topic, by code 200 in its
// reply. A reply with another code is an error with that code, [iot.Invalid] if the platform takes the report for wrong. Other
// errors are [iot.NotConnected], [iot.UnknownOutcome] if no reply came, and the context's.
func (c *Canary) Report(ctx context.Context, nonce string) error {
	l, err := c.current()
	if err == nil {
		err = c.report(ctx, l, c.members[0], nonce)
	}
	if err != nil {
		return fmt.Errorf("canary %s: report: %w", c.ID(), err)
	}
	return nil
}

func (c *Canary) report(ctx context.Context, l *canaryLink, m *canaryMember, nonce string) error {
	path, payload := m.Report(nonce)
	if !isAlink(path) {
		return l.publish(ctx, m.topic(path), 1, payload)
	}
	_, err := c.ask(ctx, l, m.topic(path), 1, payload)
	return err
}

// tell lets all members that are online report every ReportEvery, until the session is over; the device at once as well.
func (c *Canary) tell(ctx context.Context, l *canaryLink) {
	if c.config.ReportEvery == 0 {
		return
	}
	c.tellOf(ctx, l, c.members[0])
	ticker := time.NewTicker(c.config.ReportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		for _, m := range c.members {
			if err, sub := c.family.state(m.id); sub && err != nil {
				continue
			}
			c.tellOf(ctx, l, m)
			if sleepFor(ctx, uplinkGap) != nil {
				return
			}
		}
	}
}

// tellOf lets a member report, if members report by themselves.
func (c *Canary) tellOf(ctx context.Context, l *canaryLink, m *canaryMember) {
	if c.config.ReportEvery == 0 {
		return
	}
	if err := c.report(ctx, l, m, newNonce()); err != nil && ctx.Err() == nil {
		c.log.Warn("report lost", "device", m.id, "error", err)
	}
}

// current returns the connection that is up.
func (c *Canary) current() (*canaryLink, error) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l != nil {
		return l, nil
	}
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	return nil, c.record.down()
}

func (c *Canary) logSub(id iot.DeviceID, err error) {
	if err != nil {
		c.log.Warn("sub-device is not logged in", "device", id, "error", err)
		return
	}
	c.log.Info("sub-device is logged in", "device", id)
}
