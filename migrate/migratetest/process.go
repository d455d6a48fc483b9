package migratetest

import (
	"bytes"
	"context"
	"iter"
	"math/rand/v2"

	"github.com/iotferry/iotferry/migrate"
)

// A store is a journal in memory whose last append can be torn.
type store interface {
	migrate.Journal
	Tear(campaign string, keep func(lines []byte) int)
}

// A worldJournal is the journal as a process sees it that may die.
type worldJournal struct {
	store  store
	crash  *crash
	record *record
	rng    *rand.Rand
}

func (j *worldJournal) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	n, err := j.crash.enter(beforeEntry)
	if err != nil {
		return err
	}
	if err := j.store.Append(ctx, campaign, after, entries...); err != nil {
		return err
	}
	if err := j.crash.pass(tornEntry, n); err != nil {
		j.store.Tear(campaign, j.keep)
		return err
	}
	j.record.entries(entries)
	return j.crash.pass(afterEntry, n)
}

// keep chooses how many bytes of an append reach the disk: one, a part of a line, whole lines but not all, all bytes but
// the last, or any number.
func (j *worldJournal) keep(lines []byte) int {
	last := len(lines) - 1
	first := bytes.IndexByte(lines, '\n') + 1
	switch j.rng.IntN(5) {
	case 0:
		return 1
	case 1:
		return first / 2
	case 2:
		return min(first, last)
	case 3:
		return last
	}
	return 1 + j.rng.IntN(last)
}

func (j *worldJournal) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	return func(yield func(migrate.Entry, error) bool) {
		if err := j.crash.alive(); err != nil {
			yield(migrate.Entry{}, err)
			return
		}
		j.store.Entries(ctx, campaign, after)(yield)
	}
}

// A worldOperator is the operator as a process sees it that may die. The person lives on.
type worldOperator struct {
	migrate.Operator
	crash *crash
	late  *migrate.ConsoleTask // what is done before the next process begins
}

func (o *worldOperator) Perform(ctx context.Context, t migrate.ConsoleTask) error {
	if err := o.crash.alive(); err != nil {
		return err
	}
	n, err := o.crash.enter(lateTask)
	if err != nil {
		o.late = &t
		return err
	}
	if o.crash.is(amidTask, n) {
		if err := o.Operator.Perform(ctx, half(t)); err != nil {
			return err
		}
	}
	if err := o.crash.pass(amidTask, n); err != nil {
		return err
	}
	if err := o.Operator.Perform(ctx, t); err != nil {
		return err
	}
	return o.crash.pass(afterTask, n)
}

// half returns the first half of a console task: of its products, or of the devices of one product alone.
func half(t migrate.ConsoleTask) migrate.ConsoleTask {
	if n := len(t.Products); n > 1 {
		t.Products = t.Products[:n/2]
		return t
	}
	p := t.Products[0]
	p.DeviceNames = p.DeviceNames[:len(p.DeviceNames)/2]
	t.Products = nil
	if len(p.DeviceNames) > 0 {
		t.Products = []migrate.ConsoleProduct{p}
	}
	return t
}

// between does what the operator has left for the time between two processes.
func (o *worldOperator) between(ctx context.Context) error {
	if o.late == nil {
		return nil
	}
	t := *o.late
	o.late = nil
	return o.Operator.Perform(ctx, t)
}
