package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/route/dual"
	"github.com/iotferry/iotferry/verify"
)

// gaps measure what the moves of a campaign's devices do to their messages, there and, after a rollback, back.
type gaps struct {
	target string

	mu          sync.Mutex
	there, back *dual.Continuity // nil as long as there was no campaign
	returning   bool             // a person has decided to return devices
}

// follow measures the devices of a campaign that begins or goes on. What was measured before is forgotten, unless the campaign has
// ended already or moves none.
func (g *gaps) follow(ctx context.Context, runner *migrate.Config, log *slog.Logger) error {
	d := &decisions{journal: runner.Journal, campaign: runner.Campaign}
	back, err := d.rollback(ctx)
	if err != nil {
		return err
	}
	devices := moving(runner.Plan)
	if len(devices) == 0 || d.last == migrate.EntryEnd && g.measures() {
		return nil
	}
	if err := g.begin(devices, back); err != nil {
		return err
	}
	watch := runner.Watch
	runner.Watch = func(e migrate.Entry, s *migrate.State) {
		back, err := d.rollback(ctx)
		if back {
			g.turn()
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("decisions of the campaign cannot be read: the way back is measured as the way there", "error", err)
		}
		if watch != nil {
			watch(e, s)
		}
	}
	return nil
}

// decisions are read from a journal, as they are made while no run is under way as well.
type decisions struct {
	journal  migrate.Journal
	campaign string
	seq      int64             // of the last entry that was read
	last     migrate.EntryKind // its kind
}

// rollback reports whether a person has decided to return devices since it was asked last.
func (d *decisions) rollback(ctx context.Context) (bool, error) {
	decided := false
	for e, err := range d.journal.Entries(ctx, d.campaign, d.seq) {
		if err != nil {
			return decided, err
		}
		d.seq, d.last = e.Seq, e.Kind
		decided = decided || e.Kind == migrate.EntryDecision && e.Decision.Kind == migrate.Rollback
	}
	return decided, nil
}

// moving returns all devices of a plan.
func moving(plan *migrate.Plan) []iot.DeviceID {
	var devices []iot.DeviceID
	for i := range plan.Lanes {
		for _, f := range plan.Lanes[i].Families {
			devices = append(devices, f.Devices...)
		}
	}
	return devices
}

func (g *gaps) begin(devices []iot.DeviceID, returning bool) error {
	there, err := dual.New(dual.Config{To: g.target, Devices: devices, Counts: verify.IsReport, Sequence: number})
	if err != nil {
		return err
	}
	back, err := dual.New(dual.Config{From: g.target, Devices: devices, Counts: verify.IsReport, Sequence: number})
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.there, g.back, g.returning = there, back, returning
	return nil
}

func (g *gaps) measures() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.there != nil
}

// number is how the devices of this fleet count the messages of their first topic: yours may do it otherwise, or not at all.
func number(m iot.Message) (uint64, bool) {
	var body struct{ Slot *uint64 }
	if !strings.HasSuffix(m.Topic, "/user/update") || json.Unmarshal(m.Payload, &body) != nil || body.Slot == nil {
		return 0, false
	}
	return *body.Slot, true
}

// turn notes that devices are returned from now on.
func (g *gaps) turn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.returning = true
}

// saw takes a message of either instance. One of a device that has come over belongs to the way back as well, and to that alone once
// somebody has decided to return devices. What a device sends when it is back belongs to no way.
func (g *gaps) saw(m iot.Message) {
	id, ok := m.Device()
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.there == nil {
		return
	}
	if !g.returning || !over(g.there, id) {
		g.there.Saw(m)
	}
	if late := m.Instance != g.target && !g.returning; over(g.there, id) && !over(g.back, id) && !late {
		g.back.Saw(m)
	}
}

// over reports whether a device was heard where it moves to.
func over(c *dual.Continuity, id iot.DeviceID) bool {
	d, _ := c.Device(id)
	return !d.FirstTo.IsZero()
}

// moves reports whether a device is one of those that move.
func (g *gaps) moves(id iot.DeviceID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.there == nil {
		return false
	}
	_, ok := g.there.Device(id)
	return ok
}

// Continuity tells how the campaign's devices came over, and how those that were returned came back.
type Continuity struct {
	There dual.Report `json:"there"`
	Back  dual.Report `json:"back"`
}

// Continuity returns what the moves have done to the devices' messages so far. It is empty before the first campaign.
func (m *Messages) Continuity() Continuity {
	m.gaps.mu.Lock()
	defer m.gaps.mu.Unlock()
	if m.gaps.there == nil {
		return Continuity{}
	}
	return Continuity{m.gaps.there.Report(), m.gaps.back.Report()}
}

// String returns the figures as a line, or two if devices were returned.
func (c Continuity) String() string {
	s := "there: " + c.There.String()
	if c.Back.Measured > 0 {
		s += fmt.Sprintf("\nbackend: back: %v", c.Back)
	}
	return s
}
