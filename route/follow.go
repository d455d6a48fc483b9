package route

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// visible is how long the platform may hide an effect, if the plan does not say: that of a runner.
const visible = 30 * time.Second

// A Follower teaches a table what a campaign's journal says. The runner may be in another process: package journal's Dir can be
// read while another one appends. Make one with [NewFollower]; it is for one goroutine.
type Follower struct {
	table    *Table
	journal  migrate.Journal
	campaign string
	lanes    map[string]*migrate.LanePlan
	hash     string // of the plan; empty without one
	visible  time.Duration

	seq   int64                      // of the last entry that was read
	at    time.Time                  // of that entry; no two are of the same time
	calls map[string][]migrate.Entry // by lane: intents of calls without an outcome
}

// NewFollower returns a follower that reads a campaign's journal from its beginning: what the table learned from it before is not
// news. The plan is the campaign's and may be nil. Journals name all devices that are moved by API, but not those that the console
// moves: without the plan, calls to these find out by themselves that they have moved.
func NewFollower(t *Table, j migrate.Journal, campaign string, plan *migrate.Plan) (*Follower, error) {
	switch {
	case t == nil:
		return nil, invalid("follow a journal: the table is nil")
	case j == nil:
		return nil, invalid("follow a journal: the journal is nil")
	}
	f := &Follower{table: t, journal: j, campaign: campaign, visible: visible, calls: map[string][]migrate.Entry{}}
	if plan == nil {
		return f, nil
	}
	f.hash, f.lanes = plan.Hash(), make(map[string]*migrate.LanePlan, len(plan.Lanes))
	for i := range plan.Lanes {
		f.lanes[plan.Lanes[i].Lane.ID] = &plan.Lanes[i]
	}
	if plan.Deadlines.Visible > 0 {
		f.visible = plan.Deadlines.Visible
	}
	return f, nil
}

// CatchUp reads what was appended since the last CatchUp, and returns when the table knows it. A runner in the same process can
// call it from its Config.Watch. Its errors are those of the journal; [migrate.ErrMismatch] if the campaign is one of another target
// or another plan. After an error CatchUp goes on after the last entry that it has read.
func (f *Follower) CatchUp(ctx context.Context) error {
	for e, err := range f.journal.Entries(ctx, f.campaign, f.seq) {
		if err == nil {
			err = f.apply(e)
		}
		if err != nil {
			return fmt.Errorf("follow campaign %s: %w", f.campaign, err)
		}
		f.seq = e.Seq
	}
	return nil
}

// Run calls CatchUp at once and then again and again, with pauses, until ctx ends or CatchUp fails. It returns nil if ctx ended. The
// table goes on to answer without it, and can be followed up by another Run.
func (f *Follower) Run(ctx context.Context, pause time.Duration) error {
	if pause <= 0 {
		return invalid("follow campaign %s: the pause must be longer than zero", f.campaign)
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if err := f.CatchUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// apply learns what an entry says. The order of entries is that of their times, also where a clock has stood still or was set
// back between two runners.
func (f *Follower) apply(e migrate.Entry) error {
	if !e.At.After(f.at) {
		e.At = f.at.Add(1)
	}
	f.at = e.At
	switch e.Kind {
	case migrate.EntryCampaign:
		return f.begin(e)
	case migrate.EntryWave:
		return errors.Join(f.learn(Target, e.Arrived, e.At), f.learn(Unsure, e.Both, e.At)) // those that are gone are on neither: calls find that out
	case migrate.EntryRunner:
		clear(f.calls) // nobody will get their answers: a look decides
	case migrate.EntryIntent:
		f.calls[e.Lane] = append(f.calls[e.Lane], e)
		return f.learn(Moving, e.Names, e.At)
	case migrate.EntryOutcome:
		return f.outcome(e)
	case migrate.EntryAsked:
		return f.asked(e)
	case migrate.EntryLook:
		return errors.Join(f.learn(Target, e.Arrived, e.At), f.unmoved(e))
	case migrate.EntryExpired:
		return f.expired(e)
	case migrate.EntryReturned:
		return f.learn(Source, e.Arrived, e.At)
	}
	return nil
}

// begin checks that the journal is about the table's target.
func (f *Follower) begin(e migrate.Entry) error {
	switch {
	case e.Header == nil:
		return fmt.Errorf("%w: the header is missing", migrate.ErrDamaged)
	case e.Header.Target.ID != f.table.target:
		return fmt.Errorf("%w: it moves devices to %s, the table is about %s", migrate.ErrMismatch, e.Header.Target, f.table.target)
	case f.hash != "" && f.hash != e.Header.PlanHash:
		return fmt.Errorf("%w: it was made with another plan", migrate.ErrMismatch)
	}
	return nil
}

// outcome learns how a call ended. One with an error has moved nothing, and those announced after it are not made. After any other
// the devices are still on their way, since the call began: the next one was announced earlier, but begins only now.
func (f *Follower) outcome(e migrate.Entry) error {
	var left []migrate.Entry
	for _, intent := range f.calls[e.Lane] {
		var err error
		switch {
		case intent.Call >= e.Call && e.Error != "":
			err = f.learn(Source, intent.Names, e.At)
		case intent.Call == e.Call+1:
			err = f.learn(Moving, intent.Names, e.At)
		}
		if err != nil {
			return err
		}
		if intent.Call > e.Call && e.Error == "" {
			left = append(left, intent)
		}
	}
	f.calls[e.Lane] = left
	return nil
}

// asked learns of a console task that devices may be moved from now on. A rollback names them; a way there is a wave of the plan.
func (f *Follower) asked(e migrate.Entry) error {
	if len(e.Names) > 0 || !e.Console.Moves() {
		return f.learn(Moving, e.Names, e.At)
	}
	l := f.lanes[e.Lane]
	if l == nil {
		return nil
	}
	for _, stage := range l.Stages {
		if stage.Name != e.Stage || e.Wave < 1 || e.Wave > len(stage.Waves) {
			continue
		}
		wave := stage.Waves[e.Wave-1]
		for _, family := range l.Families[wave.First : wave.First+wave.Count] {
			for _, id := range family.Devices {
				if f.table.Lookup(id) == Target {
					continue // the look before the wave has found it there
				}
				if err := f.learn(Moving, migrate.DeviceSet{id}, e.At); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unmoved learns which devices were left behind: an effect that is still hidden after that time will not come.
func (f *Follower) unmoved(e migrate.Entry) error {
	for _, id := range e.Unmoved {
		if s := f.table.state(id); s.place != Moving || e.At.Sub(s.since) < f.visible {
			continue
		}
		if err := f.learn(Source, migrate.DeviceSet{id}, e.At); err != nil {
			return err
		}
	}
	return nil
}

// expired learns that the campaign waits no longer for devices: nothing moves them any more, so one look decides.
func (f *Follower) expired(e migrate.Entry) error {
	for _, failed := range e.Failed {
		if f.table.Lookup(failed.Device) != Moving {
			continue
		}
		if err := f.learn(Unsure, migrate.DeviceSet{failed.Device}, e.At); err != nil {
			return err
		}
	}
	return nil
}

func (f *Follower) learn(p Place, devices []iot.DeviceID, at time.Time) error {
	facts := make([]Fact, len(devices))
	for i, id := range devices {
		facts[i] = Fact{Device: id, Place: p, At: at}
	}
	return f.table.Learn(facts...)
}
