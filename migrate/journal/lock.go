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

// lock takes the lock of a campaign among processes, and returns the function that gives it back. It is
// a file of its own: on Windows a locked file cannot be read.
func lock(ctx context.Context, path string) (func(), error) {
	l := flock.New(path)
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("lock: %w: make sure that the directory is there and writable", err)
	}
	return func() { l.Unlock() }, nil
}

// lockToRead shares the lock with other readers. Who may not write in the directory reads without it.
func lockToRead(ctx context.Context, path string) (func(), error) {
	l := flock.New(path)
	_, err := l.TryRLockContext(ctx, lockRetry)
	switch {
	case err == nil:
		return func() { l.Unlock() }, nil
	case readOnly(err):
		return func() {}, nil
	default:
		return nil, fmt.Errorf("lock: %w: make sure that the directory is there and writable", err)
	}
}
