package journal_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()

	ctx := context.Background()
	pause := migrate.Entry{
		At:       time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC),
		Kind:     migrate.EntryDecision,
		Decision: &migrate.Decision{Kind: migrate.Pause, By: "Ana", Note: "maintenance"},
	}
	fmt.Println(j.Append(ctx, "plant-7", 0, pause))
	fmt.Println(errors.Is(j.Append(ctx, "plant-7", 0, pause), migrate.ErrConflict))
	for e, err := range j.Entries(ctx, "plant-7", 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Seq, e.Kind, e.Decision.Kind, "by", e.Decision.By)
	}
	// Output:
	// <nil>
	// true
	// 1 decision pause by Ana
}

func ExampleVerify() {
	file, err := os.Open(filepath.Join("testdata", "v1.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	sum, err := journal.Verify(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Entries, "entries,", sum.Torn, "bytes torn, sum", sum.Sum)
	// Output:
	// 8 entries, 0 bytes torn, sum c3e4f9242f136574f65128473decb6e4
}

func ExampleNewMemory() {
	var j migrate.Journal = journal.NewMemory()
	err := j.Append(context.Background(), "../plant", 0, migrate.Entry{})
	fmt.Println(err)
	// Output:
	// journal: campaign "../plant": use only A-Z, a-z, 0-9, '-', '_' and '.' in the name
}

// A second runner is told who has the campaign. Runner.Run takes the lease by itself.
func ExampleMemory_Lease() {
	ctx := context.Background()
	j := journal.NewMemory()
	first := migrate.Holder{Owner: "replica-1", Host: "plant", PID: 4711, Since: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	release, err := j.Lease(ctx, "plant-7", first, false)
	if err != nil {
		log.Fatal(err)
	}
	_, err = j.Lease(ctx, "plant-7", migrate.Holder{Owner: "replica-2"}, false)
	if held, ok := errors.AsType[*migrate.HeldError](err); ok {
		fmt.Println("held by", held.Holder)
	}
	release()
	_, err = j.Lease(ctx, "plant-7", migrate.Holder{Owner: "replica-2"}, false)
	fmt.Println(err)
	// Output:
	// held by "replica-1", process 4711 on host "plant" since 2026-03-02T08:00:00Z
	// <nil>
}
