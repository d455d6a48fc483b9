package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// loop is one run of a campaign. Its goroutine owns the state; tasks run in goroutines of their own and send it
// what they found.
type loop struct {
	r       *Runner
	state   *State
	fence   int64
	pending []pendingEntry
	busy    []*work // by lane; nil for none
	working int
	turn    int   // the lane that is served first next time
	imaged  int64 // the entry of the last checkpoint of this run
	events  chan event
	poll    <-chan time.Time // when to look what others appended
	tasks   sync.WaitGroup
}

// pendingEntry is applied, but not durable.
type pendingEntry struct {
	entry Entry
	fact  bool // seen or answered, not decided: it stays true whatever others appended
}

// work is a task under way.
type work struct {
	task     Task
	lane     int
	cancel   context.CancelFunc
	stale    bool      // a decision or its deadline overtook it: what it finds does not count
	deadline time.Time // zero for none, or if it has been given up
}

// maxHeld is how many entries a task keeps back, so that what it sees in one look or round becomes durable at once, together with
// what is decided then. An entry names entryChunk devices at most.
const maxHeld = 8

// event is what a task sends: entries, and at last that it is done.
type event struct {
	work    *work
	entries []Entry
	done    bool
}

func newLoop(r *Runner) *loop {
	return &loop{
		r: r, state: NewState(r.config.Plan), events: make(chan event),
		busy: make([]*work, len(r.config.Plan.Lanes)),
	}
}

func (l *loop) run(ctx context.Context) error {
	if err := l.takeOver(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer l.drain(ctx)
	defer cancel()
	poll := time.NewTicker(l.r.config.Poll)
	defer poll.Stop()
	l.poll = poll.C
	for {
		next, err := l.step(ctx)
		if err != nil {
			return err
		}
		if l.working == 0 && next.IsZero() && !l.state.waiting() {
			return ctx.Err() // a task that was cancelled leaves nothing to do, either
		}
		l.checkpoint(ctx, next)
		if next, err = l.giveUp(next); err != nil {
			return err
		}
		if err := l.wait(ctx, next); err != nil {
			return err
		}
	}
}

// drain waits for the tasks of a run that ends; what they still find is looked up again by the next run. A task
// may be asking for a report just then: it gets one.
func (l *loop) drain(ctx context.Context) {
	ended := make(chan struct{})
	go func() { l.tasks.Wait(); close(ended) }()
	for {
		select {
		case <-l.events:
		case f := <-l.r.calls:
			f(ctx, l)
		case <-ended:
			return
		}
	}
}

// takeOver reads the journal and puts a higher fence into it.
func (l *loop) takeOver(ctx context.Context) error {
	for {
		if err := l.r.catchUp(ctx, l.state); err != nil {
			return err
		}
		l.fence = l.state.Fence() + 1
		now := l.r.config.Clock.Now()
		entries := []Entry{{Kind: EntryRunner, Fence: l.fence, At: now, Note: l.r.config.Owner}}
		if l.state.Seq() == 0 {
			header := l.r.header
			entries = append([]Entry{{Kind: EntryCampaign, Fence: l.fence, At: now, Header: &header}}, entries...)
		}
		err := l.r.config.Journal.Append(ctx, l.r.config.Campaign, l.state.Seq(), entries...)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := l.state.Apply(e); err != nil {
				return err
			}
			e.Seq = l.state.Seq()
			l.announce(e)
		}
		return nil
	}
}

// step decides until nothing is left to decide, makes it durable, and starts the tasks. It returns when
// time alone makes something ready.
func (l *loop) step(ctx context.Context) (time.Time, error) {
	for {
		next, started, err := l.decide()
		if err != nil {
			return next, err
		}
		err = l.flush(ctx)
		if errors.Is(err, ErrConflict) {
			l.release(started)
			if err = l.rebase(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return next, err
		}
		for _, w := range started {
			l.launch(ctx, w)
		}
		return next, nil
	}
}

// decide asks the state until it has nothing new, and takes on the tasks that it names.
func (l *loop) decide() (next time.Time, started []*work, err error) {
	for {
		now := l.r.config.Clock.Now()
		step := l.state.Decide(now, func(lane int) bool { return l.busy[lane] != nil }, l.working == l.r.config.Workers)
		for _, e := range step.Entries {
			if err := l.record(e, false); err != nil {
				return next, started, err
			}
		}
		fresh, err := l.admit(step.Tasks, now)
		if err != nil {
			return next, started, err
		}
		started = append(started, fresh...)
		if len(step.Entries) == 0 && len(fresh) == 0 {
			return step.Next, started, nil
		}
	}
}

// admit takes tasks on as far as there are workers, and records their intents. Calls come first, as families
// are split between them; apart from that each lane has its turn.
func (l *loop) admit(tasks []Task, now time.Time) ([]*work, error) {
	lanes := len(l.busy)
	turn := func(t Task) int {
		if t.Kind == TaskMove {
			return -1
		}
		return (t.Lane - l.turn + lanes) % lanes
	}
	slices.SortStableFunc(tasks, func(a, b Task) int { return turn(a) - turn(b) })
	var out []*work
	for _, t := range tasks {
		if l.working == l.r.config.Workers {
			break
		}
		if t.Kind == TaskGate && l.r.config.Approver == nil {
			continue
		}
		w, err := l.take(t, now)
		if err != nil {
			return out, err
		}
		out = append(out, w)
	}
	if len(out) > 0 {
		l.turn = (out[len(out)-1].lane + 1) % lanes
	}
	return out, nil
}

// take makes a task the work of its lane, and records its intents.
func (l *loop) take(t Task, now time.Time) (*work, error) {
	for i := range t.Intents {
		t.Intents[i].At = now
		if err := l.record(t.Intents[i], false); err != nil {
			return nil, err
		}
	}
	w := &work{task: t, lane: t.Lane, deadline: t.Deadline}
	l.busy[t.Lane] = w
	l.working++
	return w, nil
}

// record applies an entry and keeps it for the next flush.
func (l *loop) record(e Entry, fact bool) error {
	if e.Kind != EntryDecision {
		e.Fence = l.fence
	}
	if err := l.state.Apply(e); err != nil {
		return err
	}
	e.Seq = l.state.Seq()
	l.pending = append(l.pending, pendingEntry{entry: e, fact: fact})
	return nil
}

// flush makes everything durable that was recorded. Nothing that an entry announces has happened before.
func (l *loop) flush(ctx context.Context) error {
	if len(l.pending) == 0 {
		return nil
	}
	entries := make([]Entry, len(l.pending))
	for i, p := range l.pending {
		entries[i] = p.entry
	}
	if err := l.r.config.Journal.Append(ctx, l.r.config.Campaign, entries[0].Seq-1, entries...); err != nil {
		return err
	}
	l.pending = l.pending[:0]
	for _, e := range entries {
		l.announce(e)
	}
	return nil
}

// rebase starts again from the journal, to which others have appended, and puts back what was seen
// meanwhile. What was decided meanwhile is decided anew.
func (l *loop) rebase(ctx context.Context) error {
	kept := l.pending
	l.pending = nil
	known := l.state.Seq() - int64(len(kept))
	l.state = NewState(l.r.config.Plan)
	if err := l.r.catchUp(ctx, l.state); err != nil {
		return err
	}
	if l.state.Fence() > l.fence {
		return ErrFenced
	}
	overtaken, err := l.heed(ctx, known)
	if err != nil {
		return err
	}
	for _, p := range kept {
		if p.fact && !(overtaken(p.entry.Lane) && p.entry.passing()) {
			if err := l.record(p.entry.unnumbered(), true); err != nil {
				return err
			}
		}
	}
	return nil
}

// passing reports whether an entry is of a kind that a later look or round tells again.
func (e Entry) passing() bool {
	switch e.Kind {
	case EntryWave, EntryLook, EntryVerdicts, EntryReturned, EntryHome, EntryAppeared, EntryCondition:
		return true
	}
	return false
}

// heed makes the tasks stale that decisions of others overtook, and tells of which lanes.
func (l *loop) heed(ctx context.Context, after int64) (overtaken func(lane string) bool, err error) {
	var decisions []Decision
	for e, err := range l.r.config.Journal.Entries(ctx, l.r.config.Campaign, after) {
		if err != nil {
			return nil, err
		}
		if e.Kind == EntryDecision && e.Decision != nil {
			l.overtake(*e.Decision)
			decisions = append(decisions, *e.Decision)
		}
		l.announce(e)
	}
	return func(lane string) bool {
		return slices.ContainsFunc(decisions, func(d Decision) bool { return d.Lane == "" || d.Lane == lane })
	}, nil
}

func (e Entry) unnumbered() Entry {
	e.Seq = 0
	return e
}

// release gives tasks back that were taken on but not started.
func (l *loop) release(started []*work) {
	for _, w := range started {
		l.busy[w.lane] = nil
		l.working--
	}
}

// overtake makes the tasks stale that a decision is about. A call to the mover is never given up: what it did
// has to be known.
func (l *loop) overtake(d Decision) {
	for _, w := range l.busy {
		if w == nil || w.task.Kind == TaskMove || (d.Lane != "" && d.Lane != l.r.config.Plan.Lanes[w.lane].Lane.ID) {
			continue
		}
		w.stale = true
		if w.cancel != nil {
			w.cancel()
		}
	}
}

// decision records what a person decided. It runs in the loop's goroutine.
func (l *loop) decision(ctx context.Context, d Decision) error {
	if ctx.Err() != nil {
		return errEnding
	}
	now := l.r.config.Clock.Now()
	if err := l.state.checkAt(d, now); err != nil {
		return err
	}
	if err := l.record(Entry{Kind: EntryDecision, At: now, Decision: &d}, true); err != nil {
		return err
	}
	l.overtake(d)
	err := l.flush(ctx)
	if errors.Is(err, ErrConflict) {
		if err = l.rebase(ctx); err == nil {
			err = l.flush(ctx)
		}
	}
	return err
}

func (l *loop) launch(ctx context.Context, w *work) {
	run := ctx // what a task tells counts also after it was cancelled, unless it is stale
	var held []Entry
	emit := func(entries ...Entry) {
		if held = append(held, entries...); len(held) >= maxHeld {
			l.send(run, event{work: w, entries: held})
			held = nil
		}
	}
	ctx, w.cancel = context.WithCancel(ctx)
	x := execution{r: l.r, task: w.task, emit: emit}
	l.tasks.Go(func() {
		x.run(ctx)
		w.cancel()
		l.events <- event{work: w, entries: held, done: true}
	})
}

// send hands an event to the loop unless nobody waits for it any more.
func (l *loop) send(ctx context.Context, e event) {
	select {
	case l.events <- e:
	case <-ctx.Done():
	}
}

// wait returns when something has happened: a task sent something, a person decided, or it is time.
func (l *loop) wait(ctx context.Context, next time.Time) error {
	alarm, stop := l.timer(ctx, next)
	defer stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case e := <-l.events:
		return l.handle(e)
	case f := <-l.r.calls:
		f(ctx, l)
		return nil
	case <-l.poll:
		return l.follow(ctx)
	case err := <-alarm:
		return err
	}
}

// follow takes in what others appended while this run had nothing to append.
func (l *loop) follow(ctx context.Context) error {
	known := l.state.Seq()
	if err := l.r.catchUp(ctx, l.state); err != nil || l.state.Seq() == known {
		return err
	}
	if l.state.Fence() > l.fence {
		return ErrFenced
	}
	_, err := l.heed(ctx, known)
	return err
}

// giveUp cancels the tasks whose deadline has passed, and returns when the next one is due, if that is before next. A
// call that is given up tells by itself that its outcome is unknown.
func (l *loop) giveUp(next time.Time) (time.Time, error) {
	now := l.r.config.Clock.Now()
	for _, w := range l.busy {
		switch {
		case w == nil || w.stale || w.deadline.IsZero():
		case now.Before(w.deadline):
			next = earliest(next, w.deadline)
		default:
			w.stale = w.task.Kind != TaskMove
			w.deadline = time.Time{}
			w.cancel()
			if err := l.gaveUp(w); err != nil {
				return next, err
			}
		}
	}
	return next, nil
}

// gaveUp records of a look or a round that it was given up: what nobody could see is nobody's failure.
func (l *loop) gaveUp(w *work) error {
	kinds := map[TaskKind]EntryKind{TaskLook: EntryLook, TaskVerify: EntryVerdicts, TaskCondition: EntryCondition}
	kind, ok := kinds[w.task.Kind]
	if !ok {
		return nil
	}
	plan := l.r.config.Plan.Lanes[w.lane]
	return l.record(Entry{
		Kind: kind, At: l.r.config.Clock.Now(), Lane: plan.Lane.ID, Stage: plan.Stages[w.task.Stage].Name, Wave: w.task.Wave + 1,
		Condition: w.task.Condition, Error: "no answer came until the deadline", End: kind != EntryCondition,
	}, true)
}

// timer tells when next is reached. A clock that jumps must not be asked while a task is under way, which is why it
// wants one worker; real time is always asked, as a task may have to be given up.
func (l *loop) timer(ctx context.Context, next time.Time) (<-chan error, func()) {
	jumps := l.r.config.Clock != iot.SystemClock()
	if next.IsZero() || jumps && l.working >= l.r.config.Workers {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	alarm := make(chan error, 1)
	var waiting sync.WaitGroup
	waiting.Go(func() { alarm <- l.r.config.Clock.WaitUntil(ctx, next) })
	return alarm, func() { cancel(); waiting.Wait() }
}

func (l *loop) handle(e event) error {
	w := e.work
	if e.done {
		l.busy[w.lane] = nil
		l.working--
	}
	now := l.r.config.Clock.Now()
	for _, entry := range e.entries {
		if w.stale {
			return nil
		}
		if entry.At.IsZero() {
			entry.At = now
		}
		entry.Lane = l.r.config.Plan.Lanes[w.lane].Lane.ID
		if entry.Kind == EntryDecision {
			entry.Lane = ""
			if l.state.Check(*entry.Decision) != nil {
				continue
			}
		}
		if entry.End {
			w.deadline = time.Time{} // it has looked: there is nothing left to give up
		}
		if err := l.record(entry, true); err != nil {
			return fmt.Errorf("task of lane %s: %w", entry.Lane, err)
		}
	}
	return nil
}
