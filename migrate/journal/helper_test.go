package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

const campaign = "plant-7"

var at = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

func open(tb testing.TB, dir string) *journal.Dir {
	tb.Helper()
	d, err := journal.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	return d
}

// unsynced opens a directory for tests that lose nothing without fsync, which is slow.
func unsynced(tb testing.TB, dir string) *journal.Dir {
	d := open(tb, dir)
	journal.Wrap(d, func(f journal.File) journal.File { return noSync{f} })
	return d
}

type noSync struct{ journal.File }

func (noSync) Sync() error { return nil }

func file(dir string) string { return filepath.Join(dir, campaign+".jsonl") }

func write(tb testing.TB, dir string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(file(dir), data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func contents(tb testing.TB, dir string) []byte {
	tb.Helper()
	data, err := os.ReadFile(file(dir))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// read returns all entries and the error that ended the loop.
func read(tb testing.TB, j migrate.Journal) ([]migrate.Entry, error) {
	var all []migrate.Entry
	for e, err := range j.Entries(tb.Context(), campaign, 0) {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

func mustAppend(tb testing.TB, j migrate.Journal, after int, entries ...migrate.Entry) {
	tb.Helper()
	if err := j.Append(tb.Context(), campaign, int64(after), entries...); err != nil {
		tb.Fatal(err)
	}
}

func mustHold(tb testing.TB, j migrate.Journal, want int) {
	tb.Helper()
	all, err := read(tb, j)
	if err != nil {
		tb.Fatal(err)
	}
	if len(all) != want {
		tb.Fatalf("the journal holds %d entries, want %d", len(all), want)
	}
}

func note(format string, args ...any) migrate.Entry {
	return migrate.Entry{At: at, Kind: migrate.EntryDecision, Note: fmt.Sprintf(format, args...)}
}

// batches are appends of 1, 1, 2, 3 and 1 entries.
func batches() [][]migrate.Entry {
	seen := migrate.Evidence{Source: "BatchGetDeviceState at iot-060a0001", At: at, Seen: "ONLINE since 07:09"}
	first := migrate.DeviceSet{{ProductKey: "a1Sub000001", DeviceName: "meter-1"}, {ProductKey: "a1Gateway01", DeviceName: "gate-1"}}
	return [][]migrate.Entry{
		{{At: at, Kind: migrate.EntryCampaign, Header: &migrate.Header{
			Version: migrate.JournalVersion, PlanHash: "5d41402abc4b2a76b9719d911017c592", Account: "1234567890123456",
			Source: iot.InstanceInfo{Type: iot.PublicLegacy, Region: "cn-shanghai"},
			Target: iot.InstanceInfo{ID: "iot-060a0001", Type: iot.EnterpriseStandard, Region: "cn-shanghai"},
		}}},
		{{Fence: 1, At: at, Kind: migrate.EntryRunner, Note: "host-a"}},
		{
			{Fence: 1, At: at, Kind: migrate.EntryWave, Lane: "a1Gateway01", Stage: "gray", Wave: 1, Asleep: first[:1]},
			{Fence: 1, At: at, Kind: migrate.EntryIntent, Lane: "a1Gateway01", Stage: "gray", Wave: 1, Call: 1, Product: "a1Sub000001", Names: first[:1]},
		},
		{
			{Fence: 1, At: at, Kind: migrate.EntryOutcome, Lane: "a1Gateway01", Stage: "gray", Wave: 1, Call: 1, Unknown: first[:1]},
			{Fence: 1, At: at, Kind: migrate.EntryLook, Lane: "a1Gateway01", Stage: "gray", Wave: 1, Arrived: first},
			{Fence: 1, At: at, Kind: migrate.EntryVerdicts, Lane: "a1Gateway01", Stage: "gray", Wave: 1, Verifier: "online", Passed: first[1:],
				Failed: []migrate.Failure{{Device: first[0], Evidence: seen}}, Evidence: &seen},
		},
		{{At: at, Kind: migrate.EntryDecision, Decision: &migrate.Decision{Kind: migrate.Rollback, Lane: "a1Gateway01", By: "Ana", Note: "<meter> stays silent & cold"}}},
	}
}

// ends returns how many entries there are after each batch, from none on.
func ends() []int {
	counts := []int{0}
	for _, b := range batches() {
		counts = append(counts, counts[len(counts)-1]+len(b))
	}
	return counts
}

// sample returns the lines of batches.
func sample(tb testing.TB) []byte {
	tb.Helper()
	m := journal.NewMemory()
	for i, b := range batches() {
		mustAppend(tb, m, ends()[i], b...)
	}
	return journal.Bytes(m, campaign)
}

// small returns lines in the same batches, but short ones.
func small(tb testing.TB) []byte {
	tb.Helper()
	m := journal.NewMemory()
	for i, b := range batches() {
		short := make([]migrate.Entry, len(b))
		for i := range short {
			short[i] = migrate.Entry{At: at}
		}
		mustAppend(tb, m, ends()[i], short...)
	}
	return journal.Bytes(m, campaign)
}
