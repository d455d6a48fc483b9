package chaos

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// TestCheckerNotices gives the checker bad runners, journals and platforms: one for each thing that it has to notice.
func TestCheckerNotices(t *testing.T) {
	mover := func(move func(w *world, m iot.Mover, product string, names []string) ([]iot.MoveResult, error)) defect {
		return defect{platform: func(w *world, p iot.Platform) iot.Platform {
			good := p.Mover
			p.Mover = moverFunc(func(_ context.Context, product string, names []string) ([]iot.MoveResult, error) {
				return move(w, good, product, names)
			})
			return p
		}}
	}
	for _, c := range []struct {
		name   string
		notice string // the kind of breach
		defect defect
	}{
		{"moves one device more than announced", "intent", mover(func(w *world, m iot.Mover, product string, names []string) ([]iot.MoveResult, error) {
			return m.Move(context.Background(), product, append(slices.Clone(names), "stranger"))
		})},
		{"moves one device less than announced", "intent", mover(func(w *world, m iot.Mover, product string, names []string) ([]iot.MoveResult, error) {
			return m.Move(context.Background(), product, names[:len(names)-1])
		})},
		{"makes a call again whose answer was lost", "intent", mover(func(w *world, m iot.Mover, product string, names []string) ([]iot.MoveResult, error) {
			results, err := m.Move(context.Background(), product, names)
			if iot.KindOf(err) == iot.UnknownOutcome {
				return m.Move(context.Background(), product, names)
			}
			return results, err
		})},
		{"leaves families split for a night", "split", mover(func(w *world, m iot.Mover, product string, names []string) ([]iot.MoveResult, error) {
			if product == migratetest.GatewayProduct {
				w.clock.platform.Advance(9 * time.Hour)
			}
			return m.Move(context.Background(), product, names)
		})},
		{"passes everything", "evidence", defect{verifier: credulous}},
		{"knows higher limits than the plan", "limit", defect{judged: func(p migrate.Plan) migrate.Plan {
			p.Limits = migrate.Limits{}
			return p
		}}},
		{"sends again before an effect can be seen", "resent", defect{judged: func(p migrate.Plan) migrate.Plan {
			p.Deadlines.Visible = 100 * time.Hour
			return p
		}}},
		{"forgets what it has written", "fold", defect{journal: func(j migrate.Journal) migrate.Journal { return forgetful{j} }}},
		{"has devices on a third instance", "owner", defect{truths: eachTruth(func(t *migratetest.Truth) { t.Owner = "iot-elsewhere" })}},
		{"counts moves that nobody made", "owner", defect{truths: eachTruth(func(t *migratetest.Truth) { t.Moved++ })}},
		{"returns devices that nobody wanted back", "moved", defect{truths: eachTruth(func(t *migratetest.Truth) { t.Moved++; t.Returned++ })}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(60) {
				err := inBubble(t, func(ctx context.Context) error {
					w, err := newBadWorld(ctx, seed, c.defect)
					if err != nil {
						return err
					}
					return w.run(ctx)
				})
				if err != nil && strings.Contains("\n"+err.Error(), "\n"+c.notice+": ") {
					return
				}
			}
			t.Error("60 campaigns, and nobody noticed")
		})
	}
}

type moverFunc func(context.Context, string, []string) ([]iot.MoveResult, error)

func (f moverFunc) Move(ctx context.Context, product string, names []string) ([]iot.MoveResult, error) {
	return f(ctx, product, names)
}

// credulous passes every device without looking.
func credulous(v migrate.Verifier) migrate.Verifier {
	return migrate.NewVerifier(v.Name(), func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) {
			for _, d := range s.Devices {
				if !yield(migrate.Finding{Device: d.ID, Verdict: migrate.Pass, Evidence: migrate.Evidence{Source: "faith", At: s.Now, Seen: "nothing"}}, nil) {
					return
				}
			}
		}
	})
}

// A forgetful journal loses which devices have passed.
type forgetful struct{ migrate.Journal }

func (f forgetful) Entries(ctx context.Context, name string, after int64) iter.Seq2[migrate.Entry, error] {
	return func(yield func(migrate.Entry, error) bool) {
		for e, err := range f.Journal.Entries(ctx, name, after) {
			e.Passed = nil
			if !yield(e, err) {
				return
			}
		}
	}
}

// eachTruth changes what is told of every device.
func eachTruth(change func(*migratetest.Truth)) func([]migratetest.Truth) []migratetest.Truth {
	return func(list []migratetest.Truth) []migratetest.Truth {
		for i := range list {
			change(&list[i])
		}
		return list
	}
}

// TestCheckerNoticesFlippedVerdicts tells the checker of a device that fails and is proven later: no runner gets that far.
func TestCheckerNoticesFlippedVerdicts(t *testing.T) {
	w, err := newWorld(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	id := w.checker.ids()[0]
	e := migrate.Entry{Kind: migrate.EntryVerdicts, Lane: w.checker.devices[id].lane.plan.Lane.ID, Verifier: "absent"}
	e.Failed = []migrate.Failure{{Device: id}}
	w.checker.apply(e)
	e.Failed, e.Passed = nil, migrate.DeviceSet{id}
	w.checker.apply(e)
	if err := w.checker.verdict(); err == nil || !strings.Contains(err.Error(), "sticky") {
		t.Errorf("the checker tells %v", err)
	}
}
