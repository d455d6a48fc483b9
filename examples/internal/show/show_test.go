package show_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"Water meter":      "Water meter",
		"水表 №1":            "水表 №1",
		"":                 "",
		"a\x1b[2Jb":        `a\x1b[2Jb`,
		"two\nlines\r":     `two\nlines\r`,
		"\u202egnol\u0085": `\u202egnol\u0085`,
		"it's\x00":         `it's\x00`,
		"bad\xffbyte":      `bad\ufffdbyte`,
	} {
		if got := show.Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

// Whatever the platform sends, nothing but printable characters comes out.
func FuzzText(f *testing.F) {
	f.Add("\x1b]0;title\a")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range show.Text(s) {
			if !unicode.IsPrint(r) {
				t.Errorf("Text(%q) has %q", s, r)
			}
		}
	})
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:            "0 s",
		0:                       "0 s",
		5240 * time.Millisecond: "5.2 s",
		490 * time.Second:       "8 min 10 s",
		2 * time.Hour:           "2 h",
		26 * time.Hour:          "1 d 2 h",
		7 * 24 * time.Hour:      "7 d",
	} {
		if got := show.Span(d); got != want {
			t.Errorf("Span(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 family": show.Count(1, "family"), "2 families": show.Count(2, "family"),
		"0 devices": show.Count(0, "device"), "1 call": show.Count(1, "call"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// The report lists what failed and what came back, and escapes what others wrote.
func TestReport(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	failures := make([]migrate.Failure, 12)
	for i := range failures {
		failures[i] = migrate.Failure{
			Device:   iot.DeviceID{ProductKey: "a1Meter0001", DeviceName: "meter-0001"},
			Evidence: migrate.Evidence{Source: "verifier online", At: at, Seen: "bell\a"},
		}
	}
	var out strings.Builder
	show.Report(&out, &migrate.Report{
		Campaign: "spring", Outcome: migrate.OutcomeStopped, Began: at, Latest: at.Add(time.Hour),
		Lanes: []migrate.LaneReport{{
			Lane: "a1Meter0001", Strategy: "direct", Stage: "rest", Halt: migrate.HaltRefused, Note: "refused by \x1b[1mann",
			Waits: []migrate.WaitReport{{
				Stage: "data-sync", Begun: at, By: "ann", Seen: &migrate.Evidence{Source: "declared by ann", Seen: "seen\a"}, Least: at.Add(time.Hour),
				Ends: at.Add(2 * time.Hour), Early: &migrate.Early{By: "bob", Note: "no\ttime"}, Ended: at.Add(time.Minute), Todo: []string{"look\a"},
			}},
			Devices: 20, Moved: 12, Failed: 12, Returned: 3, Unmoved: 5, Failures: failures, Calls: 1,
		}, {Lane: "a1Valve0001", Stage: "confirm-gray", Gate: true}, {Lane: "a1Other0001", Stage: "rest"}},
	})
	for _, want := range []string{
		"REPORT of campaign spring: stopped after 1 h", `halted in stage rest (refused) refused by \x1b[1mann`,
		"20 devices: 12 moved, 0 proven, 12 failed, 3 returned; 0 unproven, 0 under way, 5 not moved", "1 call used",
		`failed: a1Meter0001/meter-0001: verifier online at 2026-03-02 08:00:00: bell\a`, "failed: and 2 devices more",
		"waits for a person at stage confirm-gray", "in stage rest",
		`data-sync: waits since 2026-03-02 08:00:00 (declared by ann: seen\a), at least until 2026-03-02 09:00:00, at most until 2026-03-02 10:00:00, ended 2026-03-02 08:01:00`,
		`data-sync: ended early, says bob: no\ttime`, `data-sync: to do: look\a`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
}

// Everything that needs a person's attention has a line, also where bars show the rest.
func TestLines(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	lacks := migrate.Entry{
		Kind: migrate.EntryCondition, At: at, Until: at.Add(time.Hour), Stage: "data-sync", Condition: "synchronised",
		Evidence: &migrate.Evidence{Seen: "it lacks 5 rows"},
	}
	entries := []migrate.Entry{
		{Kind: migrate.EntryRunner, At: at},
		{Kind: migrate.EntryDecision, At: at, Decision: &migrate.Decision{
			Kind: migrate.Rollback, Lane: "a1Meter0001", By: "ann", Note: "too\nlate"}},
		{Kind: migrate.EntryWait, At: at, Stage: "data-sync", Until: at.Add(7 * 24 * time.Hour)},
		{Kind: migrate.EntryCondition, At: at, Stage: "data-sync", Condition: "synchronising", Holds: true, Evidence: &migrate.Evidence{Seen: "rows\a"}},
		lacks, lacks, // the same again
		{Kind: migrate.EntryCondition, At: at, Until: at, Condition: "synchronised", Evidence: &migrate.Evidence{Seen: "it goes on"}},
		{Kind: migrate.EntryCondition, At: at, Condition: "synchronised", Error: "no network"},
		{Kind: migrate.EntryHalt, At: at.Add(26 * time.Hour), Reason: migrate.HaltCall, Note: "no\a"},
		{Kind: migrate.EntryAlarm, Stage: "rest", Note: "2 devices are on both instances or on none", At: at},
		{Kind: migrate.EntryExpired, Stage: "rest", Failed: make([]migrate.Failure, 3), At: at},
		{Kind: migrate.EntryPerformed, Stage: "create-task", Error: "console is down", At: at},
		{Kind: migrate.EntryDone, Stage: "new-device", Error: "not yet", Retry: true, At: at},
		{Kind: migrate.EntryHome, At: at},
		{Kind: migrate.EntryLaneEnd, At: at},
	}
	var out strings.Builder
	lines := &show.Lines{W: &out, Plan: &migrate.Plan{}, Brief: true}
	for _, e := range entries {
		lines.Watch(e, nil)
	}
	want := `rollback, says ann: too\nlate
data-sync: waits 7 d, until 2026-03-09 08:00:00 (virtual time: they pass at once)
data-sync: condition synchronising holds: rows\a
data-sync: condition synchronised does not hold yet: it lacks 5 rows
1d 02:00:00
HALT (call) no\a
ALARM: rest: 2 devices are on both instances or on none
rest: 3 devices failed at the deadline
create-task: console is down
all devices are back at the source
the lane is finished`
	for text := range strings.Lines(want) {
		if !strings.Contains(out.String(), strings.TrimSpace(text)) {
			t.Errorf("the lines lack %q:\n%s", text, out.String())
		}
	}
	if got := strings.Count(out.String(), "\n"); got != 10 {
		t.Errorf("%d lines:\n%s", got, out.String())
	}
}
