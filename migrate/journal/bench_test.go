package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// call returns the intent and the outcome of one call with ten names.
func call(n int) []migrate.Entry {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC).Add(time.Duration(n) * time.Second)
	intent := migrate.Entry{Fence: 1, At: at, Kind: migrate.EntryIntent, Lane: "a1Gateway01", Stage: "move-rest", Wave: 1 + n/100, Call: n, Product: "a1Gateway01"}
	for i := range 10 {
		intent.Names = append(intent.Names, iot.DeviceID{ProductKey: "a1Gateway01", DeviceName: fmt.Sprintf("device-%06d", n*10+i)})
	}
	outcome := migrate.Entry{Fence: 1, At: at.Add(200 * time.Millisecond), Kind: migrate.EntryOutcome, Lane: "a1Gateway01", Stage: "move-rest", Wave: 1 + n/100, Call: n}
	return []migrate.Entry{intent, outcome}
}

// BenchmarkAppend compares the durable append of one call's intent and outcome with one bare write and fsync of the same
// bytes (x-fsync): for one lane; for eight lanes of a campaign, whose entries the runner groups into one append; and for
// eight campaigns at once, each with a file of its own.
func BenchmarkAppend(b *testing.B) {
	b.Run("lanes=1", func(b *testing.B) { benchmarkAppend(b, 1, 1) })
	b.Run("lanes=8", func(b *testing.B) { benchmarkAppend(b, 8, 1) })
	b.Run("campaigns=8", func(b *testing.B) { benchmarkAppend(b, 1, 8) })
}

// benchmarkAppend appends and writes by turns, so that both see the same disk, and compares the medians: what else the machine does
// now and then is not the journal's.
func benchmarkAppend(b *testing.B, lanes, campaigns int) {
	const turns = 200 // of one iteration: enough for a median
	dir := b.TempDir()
	j, err := journal.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	bare, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer bare.Close()
	line := linesOf(b, call(1))

	var appending, writing []time.Duration
	for n := 0; b.Loop(); n += turns {
		for turn := n; turn < n+turns; turn++ {
			entries := callsOf(lanes, turn)
			start := time.Now()
			if err := appendTo(b.Context(), j, campaigns, turn, entries); err != nil {
				b.Fatal(err)
			}
			appending = append(appending, time.Since(start))
			start = time.Now()
			if _, err := bare.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := bare.Sync(); err != nil {
				b.Fatal(err)
			}
			writing = append(writing, time.Since(start))
		}
	}
	calls := float64(lanes * campaigns)
	b.ReportMetric(median(appending)/calls/median(writing), "x-fsync")
	b.ReportMetric(median(appending)/calls, "ns/call")
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}

// callsOf returns the entries of one call of every lane, for the n-th append.
func callsOf(lanes, n int) []migrate.Entry {
	var entries []migrate.Entry
	for l := range lanes {
		entries = append(entries, call(n*lanes+l)...)
	}
	return entries
}

// appendTo makes the n-th append of each campaign, as their runners do: each in a goroutine of its own, of which one is this.
func appendTo(ctx context.Context, j *journal.Dir, campaigns, n int, entries []migrate.Entry) error {
	var others errgroup.Group
	for c := range campaigns - 1 {
		others.Go(func() error { return j.Append(ctx, fmt.Sprintf("bench-%d", c+1), int64(n*len(entries)), entries...) })
	}
	return errors.Join(j.Append(ctx, "bench-0", int64(n*len(entries)), entries...), others.Wait())
}

// BenchmarkEntries reads a journal of 300,000 entries.
func BenchmarkEntries(b *testing.B) {
	const calls = 150_000
	dir := b.TempDir()
	m := journal.NewMemory()
	for n := range calls {
		if err := m.Append(b.Context(), "bench", int64(2*n), call(n)...); err != nil {
			b.Fatal(err)
		}
	}
	data := journal.Bytes(m, "bench")
	if err := os.WriteFile(filepath.Join(dir, "bench.jsonl"), data, 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		j, err := journal.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, err := range j.Entries(b.Context(), "bench", 0) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 2*calls {
			b.Fatalf("read %d entries, want %d", n, 2*calls)
		}
		j.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*calls), "ns/entry")
	b.ReportMetric(float64(len(data))/(2*calls), "B/entry")
}

func linesOf(tb testing.TB, entries []migrate.Entry) []byte {
	m := journal.NewMemory()
	if err := m.Append(tb.Context(), "lines", 0, entries...); err != nil {
		tb.Fatal(err)
	}
	return bytes.Clone(journal.Bytes(m, "lines"))
}
