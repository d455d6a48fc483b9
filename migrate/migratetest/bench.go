package migratetest

import (
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// A bench is where one strategy is tested on one fleet.
type bench struct {
	name     string
	fleet    []byte
	options  Options
	make     func(*Cloud) migrate.Strategy
	patience time.Duration                 // how long a run may take after its context has ended
	most     int                           // moments of a sweep
	seed     uint64                        // of what is chosen at random
	store    func() store                  // nil for a journal in memory
	operator func(*Cloud) migrate.Operator // nil for the platform's own
}

const (
	defaultPatience = 20 * time.Second // of a machine that is very busy
	defaultMost     = 200
)

func (s StrategyTest) bench(fleet []byte, make func(*Cloud) migrate.Strategy) *bench {
	b := &bench{fleet: fleet, options: s.Platform, make: make, patience: defaultPatience, most: s.Most, seed: s.Seed}
	if b.most <= 0 {
		b.most = defaultMost
	}
	if testing.Short() {
		b.most = max(1, b.most/10)
	}
	if b.seed == 0 {
		b.seed = rand.Uint64()
	}
	return b
}

func (b *bench) newStore() store {
	if b.store != nil {
		return b.store()
	}
	return journal.NewMemory()
}

func (b *bench) newOperator(c *Cloud) migrate.Operator {
	if b.operator != nil {
		return b.operator(c)
	}
	return c.Operator()
}

// chosen yields numbers from 1 to n: all, or as many as a sweep may try, spread evenly.
func (b *bench) chosen(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		try := min(n, b.most)
		if try <= 0 {
			return
		}
		start := rand.New(rand.NewPCG(b.seed, 2)).IntN(n)
		for i := range try {
			if !yield(1 + (i*n+start)/try) {
				return
			}
		}
	}
}
