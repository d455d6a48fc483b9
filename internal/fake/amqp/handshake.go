package amqp

import (
	"errors"
	"log/slog"
	"time"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// secure agrees on SASL. Whoever asks for anything else is told that this is what there is.
func (c *conn) secure() error {
	c.rest()
	p, ok, err := c.r.Header()
	if err != nil {
		return c.silence(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = frame.AppendHeader(c.out, frame.ProtocolSASL)
	if !ok || p != frame.ProtocolSASL {
		return refusal{errors.New("the client does not begin with SASL 1.0.0")}
	}
	c.putKind(frame.SASL, 0, &frame.Mechanisms{Names: []string{mechanism}})
	return nil
}

const mechanism = "PLAIN"

// authenticate checks the login.
func (c *conn) authenticate() error {
	f, err := c.next(frame.SASL)
	if err != nil {
		return err
	}
	body, _, err := frame.Decode(f.Body)
	if err != nil {
		return err
	}
	init, ok := body.(*frame.Init)
	if !ok || init.Mechanism != mechanism {
		err = errors.New("the client does not log in with " + mechanism)
	} else {
		c.login, err = c.config.authenticate(init.Response)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.putKind(frame.SASL, 0, &frame.Outcome{Code: frame.LoginDenied})
		return refusal{err}
	}
	c.putKind(frame.SASL, 0, &frame.Outcome{Code: frame.LoginOK})
	return nil
}

// open agrees on the connection's limits.
func (c *conn) open() error {
	c.rest()
	p, ok, err := c.r.Header()
	if err != nil {
		return c.silence(err)
	}
	c.mu.Lock()
	c.out = frame.AppendHeader(c.out, frame.ProtocolAMQP)
	c.mu.Unlock()
	if !ok || p != frame.ProtocolAMQP {
		return refusal{errors.New("the client does not go on with AMQP 1.0.0")}
	}
	f, err := c.next(frame.AMQP)
	if err != nil {
		return err
	}
	body, _, err := frame.Decode(f.Body)
	if err != nil {
		return err
	}
	open, ok := body.(*frame.Open)
	if !ok {
		return frame.Errorf(frame.CondNotAllowed, "a connection does not begin with an open")
	}
	return c.welcome(open)
}

// minMaxFrame is the least that a client may want to take in one frame.
const minMaxFrame = 512

// welcome answers a client's open, and may close the connection right away.
func (c *conn) welcome(open *frame.Open) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.openedAt, c.opened = time.Now(), true
	c.idle = time.Duration(open.IdleTimeout) * time.Millisecond
	c.heartbeat = c.idle / 2
	c.maxFrame = int(max(open.MaxFrameSize, minMaxFrame))
	c.put(0, &frame.Open{
		ContainerID: "iot-amqp", MaxFrameSize: maxFrame, ChannelMax: maxChannel,
		IdleTimeout: open.IdleTimeout / 2, // clients that use all of it are not late
	})
	c.group = c.server.group(groupName{c.login.instance, c.login.group})
	if err := c.refuses(open); err != nil {
		return err
	}
	c.log.Info("client connected", slog.String("client", c.login.client),
		slog.String("instance", c.login.instance), slog.String("group", c.login.group))
	return nil
}

// refuses returns why a connection cannot stay open.
func (c *conn) refuses(open *frame.Open) error {
	l := c.config.Limits
	switch {
	case open.MaxFrameSize < minMaxFrame:
		return frame.Errorf(frame.CondInvalidField, "max-frame-size is below %d", minMaxFrame)
	case c.idle < l.IdleMin || l.IdleMax > 0 && c.idle > l.IdleMax:
		return frame.Errorf(frame.CondInvalidField, "9601: idle-time-out is not between %v and %v", l.IdleMin, l.IdleMax)
	case c.group == nil:
		return frame.Errorf(frame.CondNotFound, "there is no consumer group %q on instance %q", c.login.group, c.login.instance)
	case !c.group.connect(c.openedAt, l.ConnectsPerMinute):
		return frame.Errorf(frame.CondLimit, "more than %d connect requests of the group within a minute", l.ConnectsPerMinute)
	}
	return nil
}
