package migratetest

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// A badStrategy is sound but for its flaw.
type badStrategy struct {
	flaw  flaw
	cloud *Cloud
	asked atomic.Int64
	hang  <-chan struct{}
	began atomic.Bool
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
	if s.flaw == "cannot be undone" {
		return errors.New("it cannot be undone")
	}
	return nil
}

// TestStrategyCases proves that each promise is tested: a strategy without a flaw passes all cases, and every flaw is
// caught by the case made for it.
func TestStrategyCases(t *testing.T) {
	caught := map[flaw]string{
		"moody":             "pure",
		"meddles":           "pure",
		"same names":        "stages",
		"leaves some":       "stages",
		"writes when asked": "dry run",
		"moves by itself":   "moves",
		"unverified":        "moves",
		"believes":          "unreachable",
		"detached":          "cancelled",
		"hangs":             "cancelled",
		"only once":         "resumed after a write",
		"remembers":         "resumed after an entry",
		"cannot be undone":  "way back",
	}
	fleet := Generate(GenerateOptions{Direct: 12})
	for _, c := range strategyCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.run(t.Context(), badBench(t, "", fleet)); err != nil {
				t.Errorf("a good strategy: %v", err)
			}
			for flaw, name := range caught {
				if name != c.name {
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
	return &bench{name: "fleet", fleet: fleet, patience: patience, step: 1, make: func(c *Cloud) migrate.Strategy {
		return &badStrategy{flaw: f, cloud: c, hang: hang}
	}}
}

// TestCrash proves that no place where a process can die is left out: each sweep dies as often as the
// undisturbed run comes to that place.
func TestCrash(t *testing.T) {
	b := badBench(t, "", Generate(GenerateOptions{Gateways: 1, SubDevices: 2, Direct: 2}))
	base, err := undisturbed(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if base.entries < 20 || base.writes < 4 {
		t.Errorf("the run appends %d times and writes %d times: too seldom to prove anything", base.entries, base.writes)
	}
	for _, m := range []moment{
		{place: beforeEntry, n: base.entries}, {place: afterEntry, n: base.entries},
		{place: beforeWrite, n: base.writes}, {place: afterWrite, n: base.writes},
	} {
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
