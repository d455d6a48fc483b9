package migratetest

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/verify"
)

// A badStrategy is sound but for its flaw.
type badStrategy struct {
	flaw    flaw
	cloud   *Cloud
	asked   atomic.Int64
	hang    <-chan struct{}
	began   atomic.Bool
	outside *outside
}

// outside is what a strategy keeps on another system: it outlives the process.
type outside struct {
	processes      int
	locked, undone bool
}

func (s *badStrategy) Name() string { return "bad" }

func (s *badStrategy) Match(migrate.Lane) migrate.Match {
	if s.flaw == "writes when asked" {
		_, _ = s.cloud.Platform().Source.Publish(context.Background(), "/"+DirectProduct+"/direct-0000/user/get", nil)
	}
	return migrate.Match{Fits: true, Why: "it fits all"}
}

func (s *badStrategy) Stages(l migrate.Lane) ([]migrate.Stage, error) {
	n := s.asked.Add(1)
	verifiers := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
	switch s.flaw {
	case "believes":
		verifiers = []migrate.Verifier{believing()}
	case "unverified":
		verifiers = nil
	}
	stages := []migrate.Stage{
		{Name: "create-task", Console: migrate.ConsoleCreate},
		{Name: "first", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 3}, Verify: verifiers},
		{Name: "confirm", Console: migrate.ConsoleConfirm},
		{Name: "own-code", Do: s.do, Undo: s.undo},
		{Name: "more-code", Do: s.more},
		{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: verifiers},
	}
	switch s.flaw {
	case "moody":
		stages[5].Gate = n%2 == 0
	case "meddles":
		l.Products[0].Name += "?"
	case "same names":
		stages[2].Name = "first"
	case "leaves some":
		stages[5].Move = &migrate.Move{Devices: 2}
	}
	return stages, nil
}

// believing passes every device.
func believing() migrate.Verifier {
	return migrate.NewVerifier("believing", func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) {
			for _, d := range s.Devices {
				if !yield(migrate.Finding{Device: d.ID, Verdict: migrate.Pass, Evidence: migrate.Evidence{Source: "belief", At: s.Now, Seen: "nothing"}}, nil) {
					return
				}
			}
		}
	})
}

func (s *badStrategy) more(context.Context, *migrate.Env) error {
	if s.flaw == "remembers" && !s.began.Load() {
		return errors.New("the stage before did not run in this process")
	}
	return nil
}

func (s *badStrategy) do(ctx context.Context, env *migrate.Env) error {
	s.began.Store(true)
	device := iot.DeviceID{ProductKey: env.Lane.Products[0].Key, DeviceName: "new-device"}
	switch s.flaw {
	case "moves by itself":
		for _, name := range []string{"direct-0010", "direct-0011"} {
			_, _ = env.Platform.Mover.Move(ctx, env.Lane.Products[0].Key, []string{name})
		}
	case "only once":
		_, err := env.Platform.Target.Register(ctx, device)
		return err
	case "locks":
		if s.outside.locked {
			return errors.New("somebody has locked it")
		}
		s.outside.locked = true
		if _, err := env.Platform.Target.Product(ctx, device.ProductKey); err != nil {
			return err
		}
		if _, err := env.Platform.Target.Register(ctx, device); ctx.Err() != nil { // there may be one already
			return err
		}
		s.outside.locked = false
	case "third process":
		if s.outside.processes > 2 {
			return errors.New("two processes have run already")
		}
	case "detached":
		for range 3 {
			_, _ = env.Platform.Target.Publish(context.WithoutCancel(ctx), "/"+device.String()+"/user/get", nil)
		}
	case "hangs":
		_, _ = env.Platform.Target.Publish(ctx, "/"+device.String()+"/user/get", nil)
		if ctx.Err() != nil {
			<-s.hang
		}
	}
	return nil
}

func (s *badStrategy) undo(context.Context, *migrate.Env) error {
	if s.flaw == "cannot be undone" || s.flaw == "undoes once" && s.outside.undone {
		return errors.New("it cannot be undone")
	}
	s.outside.undone = true
	return nil
}

// A blindOperator does not look whether a task is done already.
type blindOperator struct {
	*operator
}

func (o blindOperator) Perform(ctx context.Context, t migrate.ConsoleTask) error {
	for _, p := range t.Products {
		var err error
		switch t.Kind {
		case migrate.ConsoleCreate:
			_, err = o.console.CreateTask(ctx, p.ProductKey, t.Target.ID)
		case migrate.ConsoleGray:
			_, err = o.console.Gray(ctx, o.taskOf(p.ProductKey), p.DeviceNames)
		default:
			err = o.perform(ctx, t, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A hastyOperator says that what it was asked before is done.
type hastyOperator struct {
	migrate.Operator
	asked map[string]bool
}

func (o hastyOperator) Perform(ctx context.Context, t migrate.ConsoleTask) error {
	if o.asked[t.Stage] {
		return nil
	}
	o.asked[t.Stage] = true
	return o.Operator.Perform(ctx, t)
}

// A strictStore takes a torn append for damage.
type strictStore struct {
	*journal.Memory
	torn bool
}

func (s *strictStore) Tear(string, func([]byte) int) { s.torn = true }

func (s *strictStore) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	if !s.torn {
		return s.Memory.Entries(ctx, campaign, after)
	}
	return func(yield func(migrate.Entry, error) bool) { yield(migrate.Entry{}, migrate.ErrDamaged) }
}

// A carelessStore keeps what it can of a torn append, and calls it whole.
type carelessStore struct{ *journal.Memory }

func (s *carelessStore) Tear(string, func([]byte) int) {}

// TestStrategyCases proves that each promise is tested: a strategy without a flaw passes all cases, and every flaw is
// caught by the case made for it.
func TestStrategyCases(t *testing.T) {
	caught := map[flaw][]string{
		"moody":             {"pure"},
		"meddles":           {"pure"},
		"same names":        {"stages"},
		"leaves some":       {"stages"},
		"writes when asked": {"dry run"},
		"moves by itself":   {"moves"},
		"unverified":        {"moves"},
		"believes":          {"unreachable"},
		"detached":          {"cancelled"},
		"hangs":             {"cancelled"},
		"only once":         {"resumed after a write"},
		"remembers":         {"resumed before an entry", "resumed after an entry"},
		"strict journal":    {"resumed within an entry"},
		"careless journal":  {"resumed within an entry"},
		"locks":             {"resumed before a write", "resumed before a read", "resumed after a read"},
		"hasty operator":    {"resumed amid a console task"},
		"blind operator":    {"resumed after a console task", "resumed before a late console task"},
		"third process":     {"resumed twice"},
		"cannot be undone":  {"way back"},
		"undoes once":       {"way back resumed"},
	}
	for _, c := range strategyCases {
		if !slices.ContainsFunc(slices.Collect(maps.Values(caught)), func(names []string) bool { return slices.Contains(names, c.name) }) {
			t.Errorf("no flaw is there for case %q", c.name)
		}
	}
	fleet := Generate(GenerateOptions{Direct: 12})
	for _, c := range strategyCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.run(t.Context(), badBench(t, "", fleet)); err != nil {
				t.Errorf("a good strategy: %v", err)
			}
			for flaw, names := range caught {
				if !slices.Contains(names, c.name) {
					continue
				}
				err := c.run(t.Context(), badBench(t, flaw, fleet))
				if err == nil {
					t.Errorf("a strategy that %q passes", flaw)
				}
				t.Logf("%s: %v", flaw, err)
			}
		})
	}
}

func badBench(t *testing.T, f flaw, fleet []byte) *bench {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	patience := defaultPatience
	if f == "hangs" {
		patience = 100 * time.Millisecond // it never returns: there is nothing to wait for
	}
	kept := map[*Cloud]*outside{}
	var mu sync.Mutex
	b := &bench{name: "fleet", fleet: fleet, patience: patience, most: defaultMost, seed: 1, make: func(c *Cloud) migrate.Strategy {
		mu.Lock()
		defer mu.Unlock()
		if kept[c] == nil {
			kept[c] = &outside{}
		}
		kept[c].processes++
		return &badStrategy{flaw: f, cloud: c, hang: hang, outside: kept[c]}
	}}
	switch f {
	case "strict journal":
		b.store = func() store { return &strictStore{Memory: journal.NewMemory()} }
	case "careless journal":
		b.store = func() store { return &carelessStore{journal.NewMemory()} }
	case "blind operator":
		b.operator = func(c *Cloud) migrate.Operator { return blindOperator{c.Operator().(*operator)} }
	case "hasty operator":
		b.operator = func(c *Cloud) migrate.Operator { return hastyOperator{c.Operator(), map[string]bool{}} }
	}
	return b
}

// A process that has ended before its moment came does not die while its end is checked.
func TestCrashThatDoesNotCome(t *testing.T) {
	base, err := undisturbed(t.Context(), badBench(t, "", Generate(GenerateOptions{Gateways: 1, SubDevices: 2})))
	if err != nil {
		t.Fatal(err)
	}
	if err := base.resume(t.Context(), moment{place: beforeRead, n: base.counts[aRead] + 1}); err != nil {
		t.Error(err)
	}
}

// TestCrash proves that no place where a process can die is left out: each sweep dies as often as the
// undisturbed run comes to that place.
func TestCrash(t *testing.T) {
	b := badBench(t, "", Generate(GenerateOptions{Gateways: 1, SubDevices: 2, Direct: 2}))
	base, err := undisturbed(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if c := base.counts; c[anEntry] < 20 || c[aWrite] < 4 || c[aRead] < 10 || c[aTask] < 3 {
		t.Errorf("the run appends %d times, writes %d times, reads %d times and asks the operator %d times: too seldom to prove anything",
			c[anEntry], c[aWrite], c[aRead], c[aTask])
	}
	for p := beforeEntry; p < places; p++ {
		m := moment{place: p, n: base.counts[p.occasion()]}
		for n := range 2 {
			m.n += n
			w, err := base.world()
			if err != nil {
				t.Fatal(err)
			}
			w.crash.arm(m)
			_, err = w.run(t.Context())
			if died := n == 0; w.crash.came() != died || (err != nil) != died {
				t.Errorf("%s: died %v, error %v", m, w.crash.came(), err)
			}
		}
	}
}
