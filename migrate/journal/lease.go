package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gofrs/flock"

	"github.com/iotferry/iotferry/migrate"
)

// A term says who has the lease of a campaign and which file is locked for it. Each take-over has a file of its own, as nobody can
// take a lock from a process that was stopped.
type term struct {
	Number int `json:"term"` // from 1
	migrate.Holder
}

// Lease implements [migrate.Leaser]. The lease is a lock on a file that the system frees when the process ends. It outlives
// Close: release it before.
func (d *Dir) Lease(ctx context.Context, campaign string, h migrate.Holder, takeOver bool) (release func(), err error) {
	c, err := d.campaign(campaign)
	if err != nil {
		return nil, err
	}
	if release, err = c.lease(ctx, h, takeOver); err != nil {
		return nil, fmt.Errorf("journal %s: %w", c.path, err)
	}
	return release, nil
}

func (c *campaign) lease(ctx context.Context, h migrate.Holder, takeOver bool) (func(), error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.give()
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	last, err := c.term()
	if err != nil {
		return nil, err
	}
	next := term{Number: max(1, last.Number), Holder: h}
	held, err := c.enter(next)
	if held == nil && err == nil {
		if !takeOver {
			return nil, &migrate.HeldError{Holder: last.Holder}
		}
		next.Number++
		if held, err = c.enter(next); held == nil && err == nil {
			err = fmt.Errorf("lease: %s is locked, but nobody has taken over: end who holds it, then try again", c.termPath(next.Number))
		}
	}
	if err != nil {
		return nil, err
	}
	if next.Number > last.Number && last.Number > 0 {
		_ = os.Remove(c.termPath(last.Number)) // Windows keeps it as long as it is locked: it does no harm
	}
	c.leases.Store(held, true) // or the system would free the lock when nobody can release it any more
	return sync.OnceFunc(func() {
		c.leases.Delete(held)
		_ = held.Unlock()
	}), nil
}

// enter locks the file of a term and writes down who has it. It returns nil if somebody else holds that lock.
func (c *campaign) enter(t term) (*flock.Flock, error) {
	l := flock.New(c.termPath(t.Number))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lease: %w: make sure that the directory is there and writable", err)
	}
	if !ok {
		return nil, nil
	}
	if err := c.writeTerm(t); err != nil {
		_ = l.Unlock()
		return nil, fmt.Errorf("lease: %w: make sure that the directory is writable and the disk not full", err)
	}
	return l, nil
}

func (c *campaign) leasePath() string { return filepath.Join(c.dir.path, c.name+".lease") }

func (c *campaign) termPath(n int) string { return c.leasePath() + "-" + strconv.Itoa(n) }

// term reads who had the lease last; a zero term if nobody ever had.
func (c *campaign) term() (term, error) {
	text, err := os.ReadFile(c.leasePath())
	if errors.Is(err, fs.ErrNotExist) {
		return term{}, nil
	}
	var t term
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		return term{}, fmt.Errorf("lease: read %s: %w: make sure that no runner is under way, then remove it", c.leasePath(), err)
	}
	return t, nil
}

// writeTerm replaces the file at once, so that a crash leaves the old or the new one. Either will do: with the machine, all
// locks are gone.
func (c *campaign) writeTerm(t term) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	fresh := c.leasePath() + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, c.leasePath())
}

// suspect names who has the lease, for an error about a lock that is not given back; empty if nobody is known, or if it is this
// process, which waits for a reader then.
func (c *campaign) suspect() string {
	t, err := c.term()
	host, _ := os.Hostname() // without it, the process ID has to do
	if err != nil || t.Number == 0 || t.PID == os.Getpid() && t.Host == host {
		return ""
	}
	return fmt.Sprintf(" (the lease has %s)", t.Holder)
}
