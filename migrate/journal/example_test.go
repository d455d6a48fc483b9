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
