package journal

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/iotferry/iotferry/migrate"
)

func (c *campaign) append(ctx context.Context, after int64, entries []migrate.Entry) error {
	if err := c.take(ctx); err != nil {
		return err
	}
	defer c.give()
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	size, err := c.catchUp(ctx)
	if err != nil {
		return err
	}
	if err := c.end.admit(after, entries); err != nil {
		return err
	}
	data, next, err := encode(c.end, entries)
	if err != nil || len(entries) == 0 {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.prepare(size); err != nil {
		return err
	}
	return c.write(data, next)
}

// catchUp reads what others have appended, and returns the file's size.
func (c *campaign) catchUp(ctx context.Context) (int64, error) {
	if err := c.open(); err != nil {
		return 0, err
	}
	size, err := c.check()
	if err != nil || size == c.end.off {
		return size, err
	}
	s := c.scan(c.end, size)
	err = stream(ctx, s, math.MaxInt64, nil)
	c.learn(s.index)
	return size, err
}

// prepare makes the file end at c.end, durably.
func (c *campaign) prepare(size int64) error {
	if c.denied != nil {
		return fmt.Errorf("%w: make the file writable, then open the journal again", c.denied)
	}
	if c.file == nil {
		f, err := c.dir.open(c.path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if err != nil {
			return fmt.Errorf("%w: make the directory writable, then try again", err)
		}
		c.file = f
	}
	if size > c.end.off {
		c.logTorn("removed an append that was not written to its end", size-c.end.off)
		if err := c.truncate(); err != nil {
			return err
		}
	}
	return c.settle()
}

// settle syncs what this process did not: others may have died before they did. It must not be lost while
// what follows it is kept.
func (c *campaign) settle() error {
	if c.durable == c.end.off {
		return nil
	}
	if err := c.sync(); err != nil {
		return err
	}
	if err := c.dir.open.syncDir(c.dir.path); err != nil {
		return fmt.Errorf("sync the directory: %w: nothing was added; mend the disk, then try again", err)
	}
	c.durable = c.end.off
	return nil
}

// sync makes the file durable. After an error nobody knows what the disk holds and what a next sync would
// tell, so the campaign is refused from then on.
func (c *campaign) sync() error {
	err := c.file.Sync()
	if err == nil {
		return nil
	}
	c.broken = errors.New("an earlier sync failed: check the disk, then open the journal again")
	return fmt.Errorf("sync: %w: check the disk, then open the journal again", err)
}

func (c *campaign) write(data []byte, next position) error {
	_, err := c.file.WriteAt(data, c.end.off)
	if err != nil {
		err = fmt.Errorf("%w: make room or mend the disk, then try again", err)
	} else if err = c.sync(); err == nil {
		c.reach(next)
		c.durable = next.off
		return nil
	}
	if undo := c.undo(); undo != nil {
		return fmt.Errorf("entries %d to %d may be there or not: %w; then %w: %w", c.end.seq+1, next.seq, err, undo, migrate.ErrDamaged)
	}
	return err
}

func (c *campaign) undo() error {
	if err := c.truncate(); err != nil {
		return err
	}
	return c.settle()
}

// truncate removes what follows c.end. It is not durable before the next sync.
func (c *campaign) truncate() error {
	c.durable = -1
	err := c.file.Truncate(c.end.off)
	if err != nil {
		c.broken = errors.New("what was not written to its end could not be removed: check the disk, then open the journal again")
	}
	return err
}
