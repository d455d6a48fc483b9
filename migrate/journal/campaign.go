package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/iotferry/iotferry/migrate"
)

// A campaign is the file of one campaign. Only who has the turn may use its fields.
type campaign struct {
	dir  *Dir
	name string
	path string
	turn chan struct{} // holds the one token while it is nobody's turn

	file    file     // nil until there is one
	denied  error    // why the file can only be read, if so
	broken  error    // why the campaign is refused, if so
	durable int64    // up to where this process knows the file to be synced; -1 for not at all
	leases  sync.Map // locks that this process holds for runs
	index
}

func newCampaign(d *Dir, name string) *campaign {
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return &campaign{dir: d, name: name, path: filepath.Join(d.path, name+".jsonl"), turn: turn, durable: -1}
}

func (c *campaign) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-c.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *campaign) give() { c.turn <- struct{}{} }

func (c *campaign) lockPath() string { return filepath.Join(c.dir.path, c.name+".lock") }

// open opens the file if there is one.
func (c *campaign) open() error {
	if c.broken != nil || c.file != nil {
		return c.broken
	}
	f, err := c.dir.open(c.path, os.O_RDWR)
	if readOnly(err) {
		c.denied = err
		f, err = c.dir.open(c.path, os.O_RDONLY)
	}
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Stat(c.dir.path) // without its directory, a campaign is not one that never started
		return err
	}
	if err != nil {
		return err
	}
	c.file = f
	return nil
}

// check makes sure that the open file is the one at its path, and returns its size.
func (c *campaign) check() (int64, error) {
	if c.file == nil {
		return 0, nil
	}
	own, err := c.file.Stat()
	if err != nil {
		return 0, err
	}
	there, err := os.Stat(c.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, c.refuse("the file was removed")
	case err != nil:
		return 0, err
	case !os.SameFile(own, there):
		return 0, c.refuse("the file was replaced by another")
	case own.Size() < c.end.off:
		return 0, c.refuse("the file became shorter than what was read of it")
	}
	return own.Size(), nil
}

// refuse lets nobody use the campaign any more.
func (c *campaign) refuse(why string) error {
	c.broken = fmt.Errorf("%s: put it back as it was, then open the journal again: %w", why, migrate.ErrDamaged)
	return c.broken
}

func (c *campaign) scan(from position, size int64) *scanner {
	return newScanner(io.NewSectionReader(c.file, from.off, size-from.off), from)
}

// read yields the entries above after. It holds neither the turn nor the lock while it does. If the end does
// not fit, another process may just have removed a torn tail: then it reads the end again under the lock.
func (c *campaign) read(ctx context.Context, after int64, yield func(migrate.Entry, error) bool) error {
	s, err := c.snapshot(ctx, after)
	if s == nil || err != nil {
		return err
	}
	err = stream(ctx, s, after, yield)
	c.learnFrom(s)
	if s.torn == 0 && !errors.Is(err, migrate.ErrDamaged) {
		return err
	}
	rest, err := c.readEnd(ctx, s.end)
	for _, e := range rest {
		if e.Seq > after && !yield(e, nil) {
			return errStopped
		}
	}
	return err
}

// snapshot returns a scanner of the file as it is now, or nil if there is none. With the lock
// no append is under way, so what the scanner will see was appended as a whole, or torn by a crash.
func (c *campaign) snapshot(ctx context.Context, after int64) (*scanner, error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.give()
	if err := c.open(); err != nil || c.file == nil {
		return nil, err
	}
	unlock, err := c.lockToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	size, err := c.check()
	if err != nil {
		return nil, err
	}
	return c.scan(c.start(after), size), nil
}

func (c *campaign) learnFrom(s *scanner) {
	<-c.turn
	defer c.give()
	c.learn(s.index)
}

// readEnd reads from a position to the end, while nobody appends.
func (c *campaign) readEnd(ctx context.Context, from position) ([]migrate.Entry, error) {
	if err := c.take(ctx); err != nil {
		return nil, err
	}
	defer c.give()
	unlock, err := c.lockToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	size, err := c.check()
	if err != nil {
		return nil, err
	}
	s := c.scan(from, size)
	var rest []migrate.Entry
	err = stream(ctx, s, from.seq, func(e migrate.Entry, _ error) bool {
		rest = append(rest, e)
		return true
	})
	c.learn(s.index)
	c.logTorn("left out an append that was not written to its end", s.torn)
	return rest, err
}

func (c *campaign) logTorn(message string, bytes int64) {
	if bytes > 0 {
		c.dir.log().Warn(message, "file", c.path, "after", c.end.seq, "offset", c.end.off, "bytes", bytes)
	}
}

func (c *campaign) close() error {
	<-c.turn
	defer c.give()
	c.broken = fs.ErrClosed
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
