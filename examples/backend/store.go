package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/iotferry/iotferry/migrate"
)

// A Store is a directory of plans, a file <campaign>.plan.json for each.
type Store struct{ Dir string }

// A StoredPlan is the plan of a campaign that was started.
type StoredPlan struct {
	Campaign string
	Plan     *migrate.Plan
}

const planSuffix = ".plan.json"

// errStore says that a plan could not be stored or read.
var errStore = errors.New("plan store")

// Save makes a plan durable. It never leaves half a plan behind.
func (s Store) Save(campaign string, plan *migrate.Plan) error {
	file, err := os.CreateTemp(s.Dir, "*.tmp")
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	defer os.Remove(file.Name()) // does nothing once the file has its name
	err = errors.Join(plan.Write(file), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(s.Dir, campaign+planSuffix))
	}
	if err != nil {
		return fmt.Errorf("%w: campaign %s: %w", errStore, campaign, err)
	}
	return nil
}

// Plans reads all plans, by the names of their campaigns.
func (s Store) Plans() ([]StoredPlan, error) {
	files, err := filepath.Glob(filepath.Join(s.Dir, "*"+planSuffix))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStore, err)
	}
	var plans []StoredPlan
	for _, path := range files {
		plan, err := readPlan(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errStore, path, err)
		}
		plans = append(plans, StoredPlan{strings.TrimSuffix(filepath.Base(path), planSuffix), plan})
	}
	return plans, nil
}

func readPlan(path string) (*migrate.Plan, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return migrate.ReadPlan(file)
}
