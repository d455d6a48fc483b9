package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

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

// BenchmarkAppend compares a durable append of one call's intent and outcome with one bare write and fsync of
// the same bytes (x-fsync).
func BenchmarkAppend(b *testing.B) {
	dir := b.TempDir()
	j, err := journal.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	line := linesOf(b, call(1))
	bare, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer bare.Close()

	var appending, writing time.Duration
	var after int64
	for n := 1; b.Loop(); n++ {
		start := time.Now()
		if err := j.Append(b.Context(), "bench", after, call(n)...); err != nil {
			b.Fatal(err)
		}
		after += 2
		middle := time.Now()
		if _, err := bare.Write(line); err != nil {
			b.Fatal(err)
		}
		if err := bare.Sync(); err != nil {
			b.Fatal(err)
		}
		appending += middle.Sub(start)
		writing += time.Since(middle)
	}
	b.ReportMetric(float64(appending)/float64(writing), "x-fsync")
	b.ReportMetric(float64(appending.Nanoseconds())/float64(b.N), "ns/append")
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
