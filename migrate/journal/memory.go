package journal

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/iotferry/iotferry/migrate"
)

// A Memory is a journal that ends with the process: for tests, examples and simulations. It accepts and
// refuses what a [Dir] does, and keeps the same lines. The zero value is empty and ready. A Memory is
// safe for concurrent use and must not be copied.
type Memory struct {
	mu        sync.Mutex
	campaigns map[string]*account
	leases    map[string]*migrate.Holder
}

// An account has the lines of one campaign. Bytes once written never change, so readers keep them without a lock.
type account struct {
	index
	data []byte
}

var _ migrate.Leaser = (*Memory)(nil)

// NewMemory returns an empty journal.
func NewMemory() *Memory { return &Memory{} }

// Append implements [migrate.Journal]. Its errors are those of [Dir.Append] that no disk is needed for.
func (m *Memory) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	if err := checkName(campaign); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("journal %s: %w", campaign, err)
	}
	a := m.campaigns[campaign]
	if a == nil {
		a = &account{}
	}
	if err := a.append(after, entries); err != nil {
		return fmt.Errorf("journal %s: %w", campaign, err)
	}
	if m.campaigns == nil {
		m.campaigns = map[string]*account{}
	}
	m.campaigns[campaign] = a
	return nil
}

func (a *account) append(after int64, entries []migrate.Entry) error {
	if err := a.end.admit(after, entries); err != nil {
		return err
	}
	data, next, err := encode(a.end, entries)
	if err != nil {
		return err
	}
	a.data = append(a.data, data...)
	a.reach(next)
	return nil
}

// Entries implements [migrate.Journal]. It yields the entries that are there when the loop starts.
func (m *Memory) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	return entries(func(yield func(migrate.Entry, error) bool) error {
		if err := checkName(campaign); err != nil {
			return err
		}
		data, from := m.snapshot(campaign, after)
		if err := stream(ctx, newScanner(bytes.NewReader(data), from), after, yield); err != nil {
			return fmt.Errorf("journal %s: %w", campaign, err)
		}
		return nil
	})
}

func (m *Memory) snapshot(campaign string, after int64) ([]byte, position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.campaigns[campaign]
	if a == nil {
		return nil, position{}
	}
	from := a.start(after)
	return a.data[from.off:], from
}

// Lease implements [migrate.Leaser].
func (m *Memory) Lease(ctx context.Context, campaign string, h migrate.Holder, takeOver bool) (release func(), err error) {
	if err := checkName(campaign); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("journal %s: %w", campaign, err)
	}
	if other := m.leases[campaign]; other != nil && !takeOver {
		return nil, fmt.Errorf("journal %s: %w", campaign, &migrate.HeldError{Holder: *other})
	}
	if m.leases == nil {
		m.leases = map[string]*migrate.Holder{}
	}
	mine := &h
	m.leases[campaign] = mine
	return func() { m.free(campaign, mine) }, nil
}

// free ends a lease that was not taken over.
func (m *Memory) free(campaign string, h *migrate.Holder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[campaign] == h {
		delete(m.leases, campaign)
	}
}
