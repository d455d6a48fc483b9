package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// An imageJournal keeps images in memory, and tells from where its entries were read.
type imageJournal struct {
	*journal.Memory
	seq   int64
	image []byte
	kept  int
	fails error
	read  []int64
}

func (j *imageJournal) Checkpoint(_ context.Context, _ string, seq int64, image []byte) error {
	if j.kept++; j.fails != nil {
		return j.fails
	}
	j.seq, j.image = seq, image
	return nil
}

func (j *imageJournal) Latest(context.Context, string) (int64, []byte, error) {
	return j.seq, j.image, nil
}

func (j *imageJournal) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	j.read = append(j.read, after)
	return j.Memory.Entries(ctx, campaign, after)
}

// fold returns the state after all entries.
func (j *imageJournal) fold(t *testing.T, plan *migrate.Plan) *migrate.State {
	t.Helper()
	state := migrate.NewState(plan)
	for e, err := range j.Memory.Entries(t.Context(), "c", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := state.Apply(e); err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// TestRunnerGoesOnFromAnImage kills a run, makes an image of what its journal says, and resumes from there; or from the journal's
// start, if the image is not one of this campaign.
func TestRunnerGoesOnFromAnImage(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(j *imageJournal)
		warns string
	}{
		"good":           {func(*imageJournal) {}, ""},
		"none":           {func(j *imageJournal) { j.seq, j.image = 0, nil }, ""},
		"of other entry": {func(j *imageJournal) { j.seq-- }, "it is of entry"},
		"no image":       {func(j *imageJournal) { j.image = []byte("nothing") }, "damaged"},
		"cut":            {func(j *imageJournal) { j.image = j.image[:len(j.image)-3] }, "damaged"},
		"older version": {func(j *imageJournal) {
			j.image = bytes.Replace(j.image, []byte(`{"version":2`), []byte(`{"version":1`), 1)
		}, "version 1, this program reads 2"},
		"without a field": {func(j *imageJournal) { j.image = bytes.Replace(j.image, []byte(`"gateOpen":false,`), nil, 1) }, "fields"},
		"another field":   {func(j *imageJournal) { j.image = bytes.Replace(j.image, []byte(`"gateOpen"`), []byte(`"gateShut"`), 1) }, "is missing"},
		"another plan": {func(j *imageJournal) {
			j.image = bytes.Replace(j.image, []byte(`"planHash":"`), []byte(`"planHash":"0`), 1)
		}, "another campaign"},
	} {
		t.Run(name, func(t *testing.T) {
			j := &imageJournal{Memory: journal.NewMemory()}
			ctx, cancel := context.WithCancel(t.Context())
			entries := 0
			run := start(t, setup{fleet: mixed, journal: j, watch: func(migrate.Entry, *migrate.State) {
				if entries++; entries == 40 {
					cancel()
				}
			}})
			if _, err := run.runner.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			state := j.fold(t, run.config.Plan)
			image, err := state.Image()
			if err != nil {
				t.Fatal(err)
			}
			j.seq, j.image, j.read = state.Seq(), image, nil
			c.spoil(j)
			var log strings.Builder
			run.config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			run.newRunner()
			if got := run.run().Outcome; got != migrate.OutcomeProven {
				t.Errorf("outcome %s", got)
			}
			run.movedOnce()
			from := int64(0)
			if name == "good" {
				from = state.Seq()
			}
			if j.read[0] != from {
				t.Errorf("the journal was read from entry %d on, want %d", j.read[0], from)
			}
			if got := log.String(); (got == "") != (c.warns == "") || !strings.Contains(got, c.warns) {
				t.Errorf("log %q, want %q", got, c.warns)
			}
		})
	}
}

// TestRunnerWritesCheckpoints waits for 30 days, and has written an image before; one that could not be written stops nothing.
func TestRunnerWritesCheckpoints(t *testing.T) {
	for _, fails := range []error{nil, errors.New("no space left on device")} {
		j := &imageJournal{Memory: journal.NewMemory(), fails: fails}
		c := start(t, setup{
			fleet: migratetest.GenerateOptions{ThingModel: 3000}, journal: j, reports: 29 * time.Minute,
			strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
				return scenario.TSL(scenario.Options{
					Sink: cloud.Sink(), SyncWindow: migrate.Window{Min: 30 * 24 * time.Hour}, GrayShare: 0.9,
					Synchronising: verify.Assumed("not-seen", "the wait alone counts"), Synchronised: verify.Assumed("not-compared", "the wait alone counts"),
				})
			},
		})
		var log strings.Builder
		c.config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		c.newRunner()
		if got := c.run().Outcome; got != migrate.OutcomeProven {
			t.Errorf("outcome %s", got)
		}
		if j.kept == 0 {
			t.Fatal("no checkpoint was written")
		}
		if fails != nil {
			if n := strings.Count(log.String(), fails.Error()); n != j.kept {
				t.Errorf("%d of %d failures are in the log", n, j.kept)
			}
			continue
		}
		header := migrate.Header{
			Version: migrate.JournalVersion, PlanHash: c.config.Plan.Hash(), Account: c.config.Plan.Account,
			Source: c.config.Plan.Source, Target: c.config.Plan.Target,
		}
		restored, err := migrate.RestoreState(c.config.Plan, header, j.image)
		if err != nil || restored.Seq() != j.seq {
			t.Fatalf("entry %d, want %d: %v", restored.Seq(), j.seq, err)
		}
		for e, err := range j.Memory.Entries(t.Context(), "c", j.seq) {
			if err := errors.Join(err, restored.Apply(e)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(j.fold(t, c.config.Plan).Report("c"), restored.Report("c")); diff != "" {
			t.Errorf("-folded +restored:\n%s", diff)
		}
	}
}

// modelImages returns images of a model's campaign at some moments, and its plan.
func modelImages(tb testing.TB) (*migrate.Plan, [][]byte) {
	var plan *migrate.Plan
	var images [][]byte
	for n := range 8 {
		w := newWorld(tb, 0)
		plan = w.plan
		for range 20 + 40*n {
			step := w.recorded()
			if len(step.Entries) == 0 && len(step.Tasks) > 0 {
				w.do(step.Tasks[0])
			} else if step.Next.After(w.now) {
				w.now = step.Next
			}
		}
		image, err := w.state.Image()
		if err != nil {
			tb.Fatal(err)
		}
		images = append(images, image)
	}
	return plan, images
}

// goOn restores an image that nobody made, and goes on from it if it is accepted: nothing must break.
func goOn(tb testing.TB, plan *migrate.Plan, image []byte) (accepted bool) {
	state, err := migrate.RestoreState(plan, migrate.Header{Version: migrate.JournalVersion}, image)
	if err != nil {
		if !errors.Is(err, migrate.ErrDamaged) && !errors.Is(err, migrate.ErrMismatch) {
			tb.Errorf("an error of no kind: %v", err)
		}
		return false
	}
	again, err := state.Image()
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := migrate.RestoreState(plan, migrate.Header{Version: migrate.JournalVersion}, again); err != nil {
		tb.Errorf("its own image is refused: %v", err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 30 {
		step := state.Decide(now, nil, false)
		entries := step.Entries
		for _, task := range step.Tasks {
			entries = append(entries, task.Intents...)
		}
		for _, e := range entries {
			e.At = now
			if state.Apply(e) != nil {
				return true
			}
		}
		now = now.Add(time.Hour)
	}
	state.Report("c")
	if err := state.Apply(migrate.Entry{Kind: migrate.EntryRunner, At: now}); err != nil {
		tb.Error(err)
	}
	return true
}

// TestImpossibleImages puts other numbers into images, one at a time.
func TestImpossibleImages(t *testing.T) {
	plan, images := modelImages(t)
	refused, accepted := 0, 0
	for _, image := range images {
		for _, at := range regexp.MustCompile(`[:,\[]-?[0-9]+[,\]}]`).FindAllIndex(image, -1) {
			for _, n := range []string{"-1", "0", "1", "3", "255", "100000", "-9223372036854775808", "9223372036854775807"} {
				if goOn(t, plan, slices.Concat(image[:at[0]+1], []byte(n), image[at[1]-1:])) {
					accepted++
				} else {
					refused++
				}
			}
		}
	}
	if refused < 100 || accepted < 100 {
		t.Errorf("%d images were refused, %d accepted", refused, accepted)
	}
}

// FuzzRestoreState restores images of which bytes were changed.
func FuzzRestoreState(f *testing.F) {
	plan, images := modelImages(f)
	for _, image := range images {
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, image []byte) { goOn(t, plan, image) })
}
