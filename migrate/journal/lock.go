package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// lockRetry is how long to wait until the next try for a lock that another process holds. It holds
// it for one write and one fsync.
const lockRetry = 2 * time.Millisecond

// lockPatience is how long to wait for it. A write to a sick disk may take long; a process that was stopped in the
// middle of one keeps the lock for good.
const lockPatience = 30 * time.Second

// lock takes the lock of a campaign among processes, and returns the function that gives it back. It is
// a file of its own: on Windows a locked file cannot be read.
func (c *campaign) lock(ctx context.Context) (func(), error) {
	l := flock.New(c.lockPath())
	if err := c.await(ctx, l.TryLockContext); err != nil {
		return nil, err
	}
	return func() { l.Unlock() }, nil
}

// lockToRead shares the lock with other readers. Who may not write in the directory reads without it.
func (c *campaign) lockToRead(ctx context.Context) (func(), error) {
	l := flock.New(c.lockPath())
	err := c.await(ctx, l.TryRLockContext)
	switch {
	case err == nil:
		return func() { l.Unlock() }, nil
	case readOnly(err):
		return func() {}, nil
	default:
		return nil, err
	}
}

// await tries to take a lock until it has it, or patience or ctx has ended.
func (c *campaign) await(ctx context.Context, try func(context.Context, time.Duration) (bool, error)) error {
	patient, cancel := context.WithTimeout(ctx, c.dir.patience)
	defer cancel()
	_, err := try(patient, lockRetry)
	switch {
	case err == nil:
		return nil
	case patient.Err() != nil && ctx.Err() == nil:
		return fmt.Errorf("lock: another process has held it for %v: it was stopped while it read or wrote, or its disk hangs: end it%s, then try again",
			c.dir.patience, c.suspect())
	default:
		return fmt.Errorf("lock: %w: make sure that the directory is there and writable", err)
	}
}
