package migratetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// TestJournal runs a journal through the promises of [migrate.Journal]. Each promise is a subtest with a
// storage of its own: storage makes a new, empty one and returns the function that opens it. That
// function is called several times, and all journals that it returns are used at once: they must see
// each other's entries. Journals that implement io.Closer are closed at the end of the subtest.
//
// A journal that is a [migrate.Leaser] is tested as such, too.
//
// Durability is the one promise that it cannot prove: that needs a machine that loses power. Nor can it end the process that
// has a lease.
func TestJournal(t *testing.T, storage func(t *testing.T) (open func() migrate.Journal)) {
	cases := journalCases
	if leases(storage(t)()) {
		cases = slices.Concat(cases, leaseCases)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			open := storage(t)
			err := c.run(t.Context(), func() migrate.Journal {
				j := open()
				if closer, ok := j.(io.Closer); ok {
					t.Cleanup(func() { closer.Close() })
				}
				return j
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// leases reports whether a journal that is not needed for anything else has leases.
func leases(j migrate.Journal) bool {
	if closer, ok := j.(io.Closer); ok {
		defer closer.Close()
	}
	_, ok := j.(migrate.Leaser)
	return ok
}

// A journalCase returns what a journal got wrong, so that the suite itself can be tested.
type journalCase struct {
	name string
	run  func(ctx context.Context, open func() migrate.Journal) error
}

var journalCases = []journalCase{
	{"empty", journalEmpty},
	{"numbers", journalNumbers},
	{"round trip", journalRoundTrip},
	{"after", journalAfter},
	{"loop", journalLoop},
	{"conflict", journalConflict},
	{"fence", journalFence},
	{"fence of a batch", journalFenceOfBatch},
	{"all or none", journalAllOrNone},
	{"nothing to append", journalNothing},
	{"done context", journalDone},
	{"campaigns", journalCampaigns},
	{"reopened", journalReopened},
	{"two at once", journalTwo},
	{"detached", journalDetached},
	{"concurrent", journalConcurrent},
}

// leaseCases are about journals that are a [migrate.Leaser].
var leaseCases = []journalCase{
	{"lease", leaseHeld},
	{"lease of the dead", leaseReleased},
	{"leases of campaigns", leaseCampaigns},
	{"lease taken over", leaseTakenOver},
	{"void lease", leaseVoid},
	{"lease and people", leasePeople},
	{"lease with a done context", leaseDone},
	{"race for a lease", leaseRace},
}

const journalCampaign = "conformance-1"

func journalNote(note string) migrate.Entry {
	return migrate.Entry{At: journalTime, Kind: migrate.EntryDecision, Note: note}
}

var journalTime = time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)

// journalSamples are entries with every kind of field.
func journalSamples() []migrate.Entry {
	devices := migrate.DeviceSet{
		{ProductKey: "a1Sub000001", DeviceName: "sub-1"},
		{ProductKey: "a1Sub000001", DeviceName: "sub-2"},
		{ProductKey: "a1Sub000001", DeviceName: "sub-3"},
		{ProductKey: "a1Gateway01", DeviceName: "gate@1"},
	}
	seen := migrate.Evidence{Source: "BatchGetDeviceState at iot-1", At: journalTime, Seen: `"offline" <since> ` + "\n\u2028\u00e9"}
	header := &migrate.Header{
		Version: migrate.JournalVersion, PlanHash: "abc", Account: "1234",
		Source: iot.InstanceInfo{Type: iot.PublicLegacy, Region: "cn-shanghai"},
		Target: iot.InstanceInfo{ID: "iot-1", Type: iot.EnterpriseStandard, Region: "cn-shanghai"},
	}
	return []migrate.Entry{
		{At: journalTime, Kind: migrate.EntryCampaign, Header: header},
		{At: journalTime, Fence: 1, Kind: migrate.EntryIntent, Lane: "l", Stage: "s", Wave: 2, Call: 3, Product: "a1Sub000001", Names: devices},
		{At: journalTime, Fence: 1, Kind: migrate.EntryOutcome, Lane: "l", Stage: "s", Wave: 2, Call: 3, Unknown: devices[:1],
			Refused: []migrate.Failure{{Device: devices[1], Evidence: seen}}, Error: "line\nfeed"},
		{At: journalTime, Fence: 1, Kind: migrate.EntryWait, Lane: "l", Stage: "w", Until: journalTime.Add(time.Hour)},
		{At: journalTime, Fence: 1, Kind: migrate.EntryVerdicts, Verifier: "online", Passed: devices[2:], Evidence: &seen},
		{At: journalTime, Kind: migrate.EntryDecision, Decision: &migrate.Decision{Kind: migrate.Abort, By: "x", Note: "why"}},
	}
}

func journalAppend(ctx context.Context, j migrate.Journal, after int64, entries ...migrate.Entry) error {
	if err := j.Append(ctx, journalCampaign, after, entries...); err != nil {
		return fmt.Errorf("append of %d entries after %d: %w", len(entries), after, err)
	}
	return nil
}

// journalFill appends one entry per note to a campaign that was not started.
func journalFill(ctx context.Context, j migrate.Journal, notes ...string) error {
	for i, note := range notes {
		if err := journalAppend(ctx, j, int64(i), journalNote(note)); err != nil {
			return err
		}
	}
	return nil
}

func journalRefused(ctx context.Context, j migrate.Journal, after int64, want error, entries ...migrate.Entry) error {
	if err := j.Append(ctx, journalCampaign, after, entries...); !errors.Is(err, want) {
		return fmt.Errorf("append of %d entries after %d: got %v, want %v", len(entries), after, err, want)
	}
	return nil
}

func journalRead(ctx context.Context, j migrate.Journal, campaign string, after int64) ([]migrate.Entry, error) {
	var all []migrate.Entry
	for e, err := range j.Entries(ctx, campaign, after) {
		if err != nil {
			return all, fmt.Errorf("entries after %d: %w", after, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// journalHolds checks that a campaign has exactly the entries with these notes, numbered from 1.
func journalHolds(ctx context.Context, j migrate.Journal, campaign string, notes ...string) error {
	all, err := journalRead(ctx, j, campaign, 0)
	if err != nil {
		return err
	}
	var got []string
	for i, e := range all {
		if e.Seq != int64(i+1) {
			return fmt.Errorf("entry %d has number %d", i+1, e.Seq)
		}
		got = append(got, e.Note)
	}
	if !slices.Equal(got, notes) {
		return fmt.Errorf("campaign %s holds %q, want %q", campaign, got, notes)
	}
	return nil
}
