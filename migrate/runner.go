package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Config is what a [Runner] needs.
type Config struct {
	// Campaign names the campaign in the journal.
	Campaign string
	Plan     *Plan
	// Strategies are those of the plan: the runner asks them for their stages again.
	Strategies []Strategy
	Platform   iot.Platform
	Journal    Journal
	Operator   Operator
	// Approver answers gates; nil if people decide through [Runner.Decide].
	Approver Approver
	// Clock is real time if nil. With a clock that jumps, set Workers to 1.
	Clock iot.Clock
	// Poll is how often, in real time, a run looks for what other processes appended to the journal: decisions, or
	// that one of them took over. Zero means 2 s; whatever it is, each append of the run finds it as well.
	Poll time.Duration
	// Workers is how many lanes may be worked on at the same moment; zero means all of them.
	Workers int
	// Lease says what Run does if another run has the campaign. The zero value refuses to run.
	Lease LeasePolicy
	// Owner says in the journal and in the lease who runs, such as the name of a replica; may be empty.
	Owner string
	// Logger gets one record per entry; nil discards them.
	Logger *slog.Logger
	// Watch is called with every entry once it is durable, in order, by the goroutine of Run; it must not
	// block nor call the Runner. May be nil.
	Watch func(Entry, *State)
}

const defaultPoll = 2 * time.Second

// A Runner runs one campaign: it drives a [State], does its tasks, and journals what it intends and what it
// sees. Decide and Report may be called from any goroutine, also while Run runs.
type Runner struct {
	config Config
	stages [][]Stage // of each lane
	header Header

	calls chan func(context.Context, *loop) // what other goroutines ask of the loop of Run

	mu      sync.Mutex
	claimed bool          // by a Run, which may still wait for the lease
	stopped chan struct{} // closed when the Run under way has ended; nil if none is
	last    *Report
}

// NewRunner checks its configuration and asks the strategies for their stages. Its errors name the field
// that is wrong.
func NewRunner(c Config) (*Runner, error) {
	switch {
	case c.Campaign == "":
		return nil, errors.New("runner: Campaign is empty")
	case c.Plan == nil:
		return nil, errors.New("runner: Plan is nil")
	case c.Journal == nil:
		return nil, errors.New("runner: Journal is nil")
	case c.Operator == nil:
		return nil, errors.New("runner: Operator is nil: somebody has to perform the console tasks")
	case c.Lease < LeaseRefuse || c.Lease > LeaseTakeOver:
		return nil, fmt.Errorf("runner: Lease is %d: it is none of the policies", c.Lease)
	}
	if err := c.Platform.Check(); err != nil {
		return nil, fmt.Errorf("runner: %w", err)
	}
	if err := samePlatform(c.Plan, c.Platform); err != nil {
		return nil, err
	}
	if blocked := c.Plan.Blocked(); len(blocked) > 0 {
		return nil, &BlockedError{Issues: blocked}
	}
	if c.Clock == nil {
		c.Clock = iot.SystemClock()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	stages, err := planStages(c.Plan, c.Strategies)
	if err != nil {
		return nil, err
	}
	if c.Poll <= 0 {
		c.Poll = defaultPoll
	}
	if c.Workers <= 0 {
		c.Workers = max(1, len(c.Plan.Lanes))
	}
	return &Runner{config: c, stages: stages, calls: make(chan func(context.Context, *loop)), header: Header{
		Version: JournalVersion, PlanHash: c.Plan.Hash(),
		Account: c.Plan.Account, Source: c.Plan.Source, Target: c.Plan.Target, Follows: c.Plan.Follows,
	}}, nil
}

// A BlockedError says that a campaign may not start: the preflight found blockers that concern all of it.
type BlockedError struct {
	Issues []Issue
}

// Error names the first blocker.
func (e *BlockedError) Error() string {
	i := e.Issues[0]
	return fmt.Sprintf("campaign may not start: %s at instance %q: %s", i.Code, i.Instance, i.Why)
}

func samePlatform(p *Plan, platform iot.Platform) error {
	switch {
	case p.Account != platform.Account:
		return fmt.Errorf("runner: %w: the plan is of account %q, the platform of %q", ErrMismatch, p.Account, platform.Account)
	case p.Source != platform.Source.Info:
		return fmt.Errorf("runner: %w: the plan's source is %s, the platform's %s", ErrMismatch, p.Source, platform.Source.Info)
	case p.Target != platform.Target.Info:
		return fmt.Errorf("runner: %w: the plan's target is %s, the platform's %s", ErrMismatch, p.Target, platform.Target.Info)
	}
	return nil
}

// planStages asks the strategies for the stages of every lane and compares them with the plan.
func planStages(p *Plan, strategies []Strategy) ([][]Stage, error) {
	byName := make(map[string]Strategy, len(strategies))
	for _, s := range strategies {
		byName[s.Name()] = s
	}
	out := make([][]Stage, len(p.Lanes))
	for i, lp := range p.Lanes {
		s, ok := byName[lp.Strategy]
		if !ok {
			return nil, fmt.Errorf("runner: lane %s: strategy %q of the plan is not among Strategies", lp.Lane.ID, lp.Strategy)
		}
		stages, err := s.Stages(lp.Lane)
		if err != nil {
			return nil, fmt.Errorf("runner: lane %s: strategy %q: %w", lp.Lane.ID, lp.Strategy, err)
		}
		if err := sameStages(lp.Stages, stages); err != nil {
			return nil, fmt.Errorf("runner: lane %s: strategy %q: %w", lp.Lane.ID, lp.Strategy, err)
		}
		out[i] = stages
	}
	return out, nil
}

func sameStages(planned []StagePlan, stages []Stage) error {
	if len(planned) != len(stages) {
		return fmt.Errorf("%w: %d stages, the plan has %d", ErrMismatch, len(stages), len(planned))
	}
	for i, s := range stages {
		p := planned[i]
		same := p.Name == s.Name && p.Gate == s.Gate && p.OneWay == s.OneWay && p.Console == s.Console &&
			p.Does == (s.Do != nil) && p.Moves == (s.Move != nil) && p.Wait == s.Wait && sameConditions(p, s) && len(p.Verifiers) == len(s.Verify)
		for v := 0; same && v < len(s.Verify); v++ {
			same = p.Verifiers[v] == s.Verify[v].Name()
		}
		if !same {
			return fmt.Errorf("%w: stage %d, %q, is not as in the plan, where it is %q: plan again", ErrMismatch, i, s.Name, p.Name)
		}
	}
	return nil
}

func sameConditions(p StagePlan, s Stage) bool {
	is := s.plan()
	return p.Opens == is.Opens && p.Closes == is.Closes
}

// Run runs the campaign until it has ended, nothing is left that could go on without a person's decision
// (a lane that is paused or at a gate may get one at any time), or ctx is done. Run again to resume. The
// report is as of the last entry and is never nil. The error says why the run could not go on: ctx's error, an
// error of the journal, [ErrMismatch], [ErrFenced], or [ErrHeld] if another run has the campaign. That a lane halted is no error.
func (r *Runner) Run(ctx context.Context) (*Report, error) {
	if err := r.claim(); err != nil {
		return r.Report(ctx), err
	}
	release, err := r.lease(ctx)
	if err != nil {
		r.end(nil)
		return r.Report(ctx), fmt.Errorf("campaign %s: %w", r.config.Campaign, err)
	}
	r.begin()
	loop := newLoop(r)
	err = loop.run(ctx)
	report := loop.state.Report(r.config.Campaign)
	release()
	r.end(report)
	if err != nil {
		return report, fmt.Errorf("campaign %s: %w", r.config.Campaign, err)
	}
	return report, nil
}

// ErrRunning is returned by Run if the same Runner runs already.
var ErrRunning = errors.New("runner: runs already")

func (r *Runner) claim() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claimed {
		return ErrRunning
	}
	r.claimed = true
	return nil
}

func (r *Runner) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = make(chan struct{})
}

// end ends a run; one that did not begin has no report.
func (r *Runner) end(report *Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claimed = false
	if r.stopped != nil {
		r.last = report
		close(r.stopped)
		r.stopped = nil
	}
}

// errEnding says that the run under way takes no decisions any more.
var errEnding = errors.New("runner: the run is ending")

// running returns a channel that is closed when the Run under way has ended; nil if none is.
func (r *Runner) running() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopped
}

// inLoop lets the loop of the Run under way call f, and waits for it.
func (r *Runner) inLoop(ctx context.Context, stopped <-chan struct{}, f func(context.Context, *loop)) error {
	done := make(chan struct{})
	select {
	case r.calls <- func(ctx context.Context, l *loop) { defer close(done); f(ctx, l) }:
		<-done // the loop has taken it: it answers without waiting for anybody
		return nil
	case <-stopped:
		return errEnding
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Report returns the report as of now: of the run under way, else of the end of the last one. Before the
// first run it is that of a campaign that has not begun.
func (r *Runner) Report(ctx context.Context) *Report {
	if stopped := r.running(); stopped != nil {
		var report *Report
		err := r.inLoop(ctx, stopped, func(_ context.Context, l *loop) { report = l.state.Report(r.config.Campaign) })
		if err == nil {
			return report
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return NewState(r.config.Plan).Report(r.config.Campaign)
	}
	return r.last
}

// Decide records a decision, and lets a run under way follow it. When it returns nil the decision
// is durable. A decision that makes no sense now is an error that says why, and is not recorded. A run that is
// about to end is waited for.
func (r *Runner) Decide(ctx context.Context, d Decision) error {
	for {
		stopped := r.running()
		var err error
		if stopped == nil {
			err = r.decideAlone(ctx, d)
		} else if left := r.inLoop(ctx, stopped, func(ctx context.Context, l *loop) { err = l.decision(ctx, d) }); left != nil {
			err = left
		}
		switch {
		case errors.Is(err, errEnding):
			select {
			case <-stopped:
			case <-ctx.Done():
				return ctx.Err()
			}
		case errors.Is(err, ErrConflict): // a run or another decision came between
		default:
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// decideAlone records a decision while no run is under way.
func (r *Runner) decideAlone(ctx context.Context, d Decision) error {
	state, err := r.replay(ctx)
	if err != nil {
		return err
	}
	now := r.config.Clock.Now()
	if err := state.checkAt(d, now); err != nil {
		return err
	}
	entry := Entry{Kind: EntryDecision, At: now, Decision: &d}
	return r.config.Journal.Append(ctx, r.config.Campaign, state.Seq(), entry)
}

// replay folds the journal, and checks that it belongs to this campaign.
func (r *Runner) replay(ctx context.Context) (*State, error) {
	state := NewState(r.config.Plan)
	return state, r.catchUp(ctx, state)
}

// catchUp folds the entries that others appended.
func (r *Runner) catchUp(ctx context.Context, state *State) error {
	if state.Seq() == 0 {
		r.fromCheckpoint(ctx, state)
	}
	for e, err := range r.config.Journal.Entries(ctx, r.config.Campaign, state.Seq()) {
		if err != nil {
			return err
		}
		if e.Kind == EntryCampaign && e.Header != nil {
			if err := r.sameHeader(*e.Header); err != nil {
				return err
			}
		}
		if err := state.Apply(e); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) sameHeader(h Header) error {
	want := r.header
	if h == want {
		return nil
	}
	for _, d := range []struct{ what, got, want string }{
		{"format version", fmt.Sprint(h.Version), fmt.Sprint(want.Version)},
		{"account", h.Account, want.Account},
		{"source", h.Source.String(), want.Source.String()},
		{"target", h.Target.String(), want.Target.String()},
		{"plan", h.PlanHash, want.PlanHash},
	} {
		if d.got != d.want {
			return fmt.Errorf("%w: its %s is %q, this campaign's %q: use the plan it was begun with, or another campaign name",
				ErrMismatch, d.what, d.got, d.want)
		}
	}
	return fmt.Errorf("%w: its instances differ", ErrMismatch)
}
