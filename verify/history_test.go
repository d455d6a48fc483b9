package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

const (
	cabinets = "a1Storage01"
	day      = 24 * time.Hour
)

// A past is the platform in memory with battery cabinets, whose history data synchronisation copies.
type past struct {
	*testing.T
	cloud    *fake.Cloud
	clock    *fake.VirtualClock
	platform iot.Platform
	task     string
}

// synchronising switches synchronisation on, after a gray batch of one cabinet.
func synchronising(t *testing.T, quirk func(*fake.Quirks), fault func(fake.HistoryRow) fake.RowFault) *past {
	t.Helper()
	file, err := fleets.Open("s4-tsl.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cabinetsFile, err := fleet.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	quirks := fake.DefaultQuirks()
	quirks.ReportEvery, quirks.RareEvery = 20*time.Minute, 6
	if quirk != nil {
		quirk(quirks)
	}
	p := &past{T: t, clock: fake.NewVirtualClock(moved.Add(-30 * day))}
	o := fake.Options{Clock: p.clock, Quirks: quirks, Quotas: fake.NoQuotas, History: fault}
	if p.cloud, err = fake.New(cabinetsFile, o); err != nil {
		t.Fatal(err)
	}
	if p.platform, err = p.cloud.Platform(targetID, nil); err != nil {
		t.Fatal(err)
	}
	console := p.cloud.Console()
	if p.task, err = console.CreateTask(t.Context(), cabinets, targetID); err != nil {
		t.Fatal(err)
	}
	if _, err := console.Gray(t.Context(), p.task, []string{"cabinet-0001"}); err != nil {
		t.Fatal(err)
	}
	if err := console.Confirm(t.Context(), p.task); err != nil {
		t.Fatal(err)
	}
	if err := console.DataSync(t.Context(), p.task, true); err != nil {
		t.Fatal(err)
	}
	return p
}

// subject asks about cabinets that moved at a time.
func (p *past) subject(moved time.Time, names ...string) *migrate.Subject {
	s := &migrate.Subject{
		Campaign: "test", Stage: "data-sync", Now: p.clock.Now(), Source: p.platform.Source, Target: p.platform.Target,
		Lane: migrate.Lane{ID: cabinets, Products: []migrate.Product{{Key: cabinets, DataFormat: iot.Alink}}},
	}
	for _, name := range names {
		id := dev(cabinets, name)
		s.Devices = append(s.Devices, migrate.SubjectDevice{ID: id, Node: iot.Direct, Family: []iot.DeviceID{id}, Moved: moved})
	}
	return s
}

// move moves cabinets and returns when it began.
func (p *past) move(names ...string) time.Time {
	p.Helper()
	began := p.clock.Now()
	results, err := p.platform.Mover.Move(p.Context(), cabinets, names)
	if err != nil {
		p.Fatal(err)
	}
	for _, r := range results {
		if !r.Accepted {
			p.Fatalf("%s was not moved: %s", r.DeviceName, r.Message)
		}
	}
	p.clock.Advance(5 * time.Minute)
	return began
}

func wantVerdict(t *testing.T, f migrate.Finding, want migrate.Verdict, seen string) {
	t.Helper()
	if f.Verdict != want || !strings.Contains(f.Evidence.Seen, seen) {
		t.Errorf("%s: %s: %q; want %s: %q", f.Device.DeviceName, f.Verdict, f.Evidence.Seen, want, seen)
	}
}

func gapAt(instance string) func(fake.HistoryRow) fake.RowFault {
	return func(r fake.HistoryRow) fake.RowFault { return fake.RowFault{Gap: r.Copied && r.Instance == instance} }
}

func TestHistory(t *testing.T) {
	tests := []struct {
		name  string
		quirk func(*fake.Quirks)
		fault func(fake.HistoryRow) fake.RowFault
		want  migrate.Verdict
		seen  string
	}{
		{"copied", nil, nil, migrate.Pass, "rows of property"},
		{"shown after the move only", func(q *fake.Quirks) { q.SyncHidesUnmoved = true }, nil, migrate.Pass, "rows of property"},
		{"moves by itself", func(q *fake.Quirks) { q.SyncPace, q.HistoryMoves = 0, true }, nil, migrate.Pass, "rows of property"},
		{"false green: stalled, and the device reports at the target", func(q *fake.Quirks) { q.SyncPace = 0 }, nil, migrate.Inconclusive, "no row from the"},
		{"lost on the way", nil, gapAt(targetID), migrate.Inconclusive, "no row from the"},
		{"only an event came along", nil, func(r fake.HistoryRow) fake.RowFault {
			return fake.RowFault{Gap: r.Copied && (r.Kind != fake.EventHistory || r.Identifier != "Fault")}
		}, migrate.Pass, "rows of event Fault"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := synchronising(t, tt.quirk, tt.fault)
			p.clock.Advance(8 * day)
			began := p.move("cabinet-0002")
			p.clock.Advance(day) // it reports at the target
			f := one(t, verify.History(verify.HistoryConfig{}), p.subject(began, "cabinet-0002"))
			wantVerdict(t, f, tt.want, tt.seen)
		})
	}
}

// Rows that arrive late are waited for.
func TestHistoryWaits(t *testing.T) {
	p := synchronising(t, func(q *fake.Quirks) { q.SyncLag = 9 * day }, nil)
	p.clock.Advance(8 * day)
	began := p.move("cabinet-0002")
	v := verify.History(verify.HistoryConfig{Span: 8 * day})
	wantVerdict(t, one(t, v, p.subject(began, "cabinet-0002")), migrate.Inconclusive, "no row from the")
	p.clock.Advance(2 * day)
	wantVerdict(t, one(t, v, p.subject(began, "cabinet-0002")), migrate.Pass, "rows of property")
}

func TestHistoryOfWhatIsNotKnown(t *testing.T) {
	p := synchronising(t, func(q *fake.Quirks) { q.SyncHidesUnmoved = true }, nil)
	v := verify.History(verify.HistoryConfig{})
	found := look(t, v, p.subject(p.clock.Now(), "cabinet-0002"))
	wantVerdict(t, found[0], migrate.Inconclusive, "the target does not show the device")
	found = look(t, v, p.subject(time.Time{}, "cabinet-0001"))
	wantVerdict(t, found[0], migrate.Pass, "somebody else had moved the device")
	for _, span := range []time.Duration{-1, time.Minute, 31 * day} {
		_, errs := lookAll(t.Context(), verify.History(verify.HistoryConfig{Span: span}), p.subject(moved, "cabinet-0001"))
		if len(errs) != 1 || iot.KindOf(errs[0]) != iot.Invalid {
			t.Errorf("a span of %v: %v, want invalid", span, errs)
		}
	}
}

// A product without a thing model, or an instance that cannot be read, is not the devices' failure.
func TestHistoryCannotLook(t *testing.T) {
	target := newSite(targetID)
	target.fails["ThingModel"] = fault(iot.Transient)
	found, errs := lookAll(t.Context(), verify.History(verify.HistoryConfig{}), subject(newSite(""), target, meter))
	if len(found) != 0 || len(errs) != 1 || iot.KindOf(errs[0]) != iot.Transient {
		t.Errorf("findings %v and errors %v, want one error", found, errs)
	}
}

// A look that is no longer wanted makes no finding, and the reader of findings may leave at any of them.
func TestHistoryEnds(t *testing.T) {
	p := synchronising(t, nil, nil)
	p.clock.Advance(8 * day)
	s := p.subject(p.clock.Now(), "cabinet-0002", "cabinet-0004")
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for _, v := range []migrate.Verifier{verify.History(verify.HistoryConfig{})} {
		found, errs := lookAll(done, v, s)
		if len(found) != 0 || len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
			t.Errorf("%s: findings %v and errors %v, want one error", v.Name(), found, errs)
		}
		for f, err := range v.Verify(t.Context(), s) {
			if err != nil || f.Device != s.Devices[0].ID {
				t.Errorf("%s: %v, %v", v.Name(), f, err)
			}
			break
		}
	}
}
