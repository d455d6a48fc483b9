package aliyun

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// codeOtherLogin is the code with which the platform tells a gateway that a sub-device signed in elsewhere.
const codeOtherLogin = "427"

// A canaryFamily is how the sub-devices of a gateway are. It is safe for concurrent use.
type canaryFamily struct {
	mu   sync.Mutex
	subs map[iot.DeviceID]*canarySub
	wake chan struct{} // has room for one
}

// A canarySub is one sub-device. err is nil while it is logged in; else it will be tried again when that is due.
type canarySub struct {
	err      error
	since    time.Time // logged in
	due      time.Time
	failures int
	cut      bool // its session has ended since its last login was begun
}

func newCanaryFamily(subs []*canaryMember) *canaryFamily {
	f := &canaryFamily{subs: make(map[iot.DeviceID]*canarySub, len(subs)), wake: make(chan struct{}, 1)}
	for _, m := range subs {
		f.subs[m.id] = new(canarySub)
	}
	return f
}

// begin forgets what was: in a new session of its gateway no sub-device is logged in.
func (f *canaryFamily) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sub := range f.subs {
		*sub = canarySub{err: &iot.Error{Kind: iot.NotConnected, Message: "the sub-device is not logged in yet"}}
	}
}

// try records that a login begins.
func (f *canaryFamily) try(id iot.DeviceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs[id].cut = false
}

// settle records the outcome of a login, and returns it. The end of the session may have come first.
func (f *canaryFamily) settle(id iot.DeviceID, err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch sub := f.subs[id]; {
	case sub.cut:
		return sub.err
	case err != nil:
		sub.failed(err)
	default:
		sub.err, sub.since = nil, time.Now()
	}
	return err
}

// failed is the end of a login, or of what it had led to: the more often, the later it is tried again.
func (s *canarySub) failed(err error) {
	if s.err == nil && time.Since(s.since) >= steadyAfter {
		s.failures = 0
	}
	s.err, s.due = err, time.Now().Add(canaryPause(s.failures))
	s.failures++
}

// dueNow returns those to log in now, and for how long there is nobody else.
func (f *canaryFamily) dueNow(subs []*canaryMember) (due []*canaryMember, rest time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rest = math.MaxInt64
	now := time.Now()
	for _, m := range subs {
		switch sub := f.subs[m.id]; {
		case sub.err == nil:
		case sub.due.After(now):
			rest = min(rest, sub.due.Sub(now))
		default:
			due = append(due, m)
		}
	}
	return due, rest
}

// cutOff reads the platform's notice that the session of a sub-device has ended. It is logged in again; but when
// another gateway took it over, only after a long while, so as not to fight for it.
func (f *canaryFamily) cutOff(payload []byte) {
	var notice struct {
		Code    json.Number  `json:"code"`
		Message string       `json:"message"`
		Data    iot.DeviceID `json:"data"`
	}
	if json.Unmarshal(payload, &notice) != nil {
		return
	}
	refusal := alinkReply{Code: notice.Code, Message: notice.Message}.refusal()
	f.mu.Lock()
	defer f.mu.Unlock()
	sub, ok := f.subs[notice.Data]
	if !ok || refusal == nil {
		return
	}
	sub.failed(fmt.Errorf("its session has ended: %w", refusal))
	sub.cut = true
	if notice.Code == codeOtherLogin {
		sub.due = time.Now().Add(longestPause)
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *canaryFamily) state(id iot.DeviceID) (err error, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sub, ok := f.subs[id]
	if !ok {
		return nil, false
	}
	return sub.err, true
}

// gather logs the sub-devices in, and again those that were refused or cut off, until the session is over.
func (c *Canary) gather(ctx context.Context, l *canaryLink) {
	for ctx.Err() == nil {
		due, rest := c.family.dueNow(c.subs())
		for _, m := range due {
			if !c.bring(ctx, l, m) {
				return
			}
		}
		if len(due) == 0 && !wakened(ctx, c.family.wake, rest) {
			return
		}
	}
}

// bring logs one sub-device in, and takes its time. It reports whether the session is still alive.
func (c *Canary) bring(ctx context.Context, l *canaryLink, m *canaryMember) bool {
	c.family.try(m.id)
	err := c.logIn(ctx, l, m)
	if ctx.Err() != nil {
		return false
	}
	err = c.family.settle(m.id, err)
	c.logSub(m.id, err)
	if err == nil {
		c.tellOf(ctx, l, m)
	}
	return sleepFor(ctx, uplinkGap) == nil
}

// wakened waits for a word or for a while, and reports whether the context is still alive.
func wakened(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// logIn logs a sub-device in, and listens for it. Logins have QoS 0: the platform takes no other.
func (c *Canary) logIn(ctx context.Context, l *canaryLink, m *canaryMember) error {
	params, err := json.Marshal(c.config.Sign.subLogin(iot.Credential{ID: m.id, Secret: m.secret}, time.Now()))
	if err != nil {
		return err
	}
	topic := "/ext/session/" + c.ID().String() + "/combine/login"
	if _, err := c.ask(ctx, l, topic, 0, alinkRequest(newID(), "", params)); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	return l.subscribe(ctx, m.filters())
}

// SubDevices asks the platform for the device's topology (topo/get) and returns how each sub-device is: nil if it is
// logged in, else why it is not. A sub-device that the canary logs in but that is missing in the topology
// is [iot.NotFound]; one that is in the topology and not in [CanaryConfig], [iot.NotConnected]. Without
// sub-devices in its configuration the canary is no gateway, and asks for nothing.
func (c *Canary) SubDevices(ctx context.Context) (map[iot.DeviceID]error, error) {
	if len(c.subs()) == 0 {
		return map[iot.DeviceID]error{}, nil
	}
	shown, err := c.topology(ctx)
	if err != nil {
		return nil, fmt.Errorf("canary %s: ask for the topology: %w", c.ID(), err)
	}
	all := make(map[iot.DeviceID]error)
	for _, m := range c.subs() {
		all[m.id] = &iot.Error{Kind: iot.NotFound, Message: "the platform's topology does not have it"}
	}
	for _, id := range shown {
		state, known := c.family.state(id)
		if !known {
			state = &iot.Error{Kind: iot.NotConnected, Message: "the canary has no credential for it: add it to CanaryConfig.SubDevices"}
		}
		all[id] = state
	}
	return all, nil
}

func (c *Canary) topology(ctx context.Context) ([]iot.DeviceID, error) {
	l, err := c.current()
	if err != nil {
		return nil, err
	}
	reply, err := c.ask(ctx, l, c.members[0].topic("thing/topo/get"), 1, alinkRequest(newID(), "thing.topo.get", nil))
	if err != nil {
		return nil, err
	}
	var shown []iot.DeviceID
	if err := json.Unmarshal(reply.Data, &shown); err != nil {
		return nil, &iot.Error{Kind: iot.Unclassified, Message: "the answer has no list of devices"}
	}
	return shown, nil
}
