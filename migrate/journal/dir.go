package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// A Dir is a journal in files: one directory, one file per campaign. It is safe for concurrent use, also with
// other Dirs and other processes at the same directory. Make one with [Open].
type Dir struct {
	// Logger is told about torn tails, at level Warn. Nil discards. Set it before the first use.
	Logger *slog.Logger

	path     string
	open     opener
	patience time.Duration // with a lock that another process holds

	mu        sync.Mutex
	campaigns map[string]*campaign
	closed    bool
}

var _ migrate.Leaser = (*Dir)(nil)

// Open returns the journal in a directory. It makes the directory if there is none; its parent must be
// there. Nothing else is read or written before the first use of a campaign. Close the Dir after
// the last.
func Open(dir string) (*Dir, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("journal directory %s: %w", dir, err)
	}
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("journal directory %s: %w", path, err)
	}
	return &Dir{path: path, open: openFile, patience: lockPatience, campaigns: map[string]*campaign{}}, nil
}

func makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if err == nil {
		return opener(openFile).syncDir(filepath.Dir(path))
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return errors.New("it is a file; name a directory")
	}
	return err
}

// Append implements [migrate.Journal]. Campaigns are named with 1 to 100 of A-Z, a-z, 0-9, '-', '_' and '.'; other
// names, entries that JSON cannot hold and appends over [MaxAppend] are [iot.Invalid].
//
// A write that fails, on a full disk for instance, is undone, and the next append may work. After
// a failed fsync, or when the file was removed, replaced or cut by others, the campaign is refused until
// the directory is opened anew: nobody can say what the disk holds. If a failed append
// could not be undone, the error is also [migrate.ErrDamaged]: its entries may be there or not.
func (d *Dir) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	c, err := d.campaign(campaign)
	if err != nil {
		return err
	}
	if err := c.append(ctx, after, entries); err != nil {
		return fmt.Errorf("journal %s: %w", c.path, err)
	}
	return nil
}

// Entries implements [migrate.Journal]. It yields what was appended when the loop started. From after 0 it
// checks the whole file; from later entries, what it has not checked before. The loop may append.
func (d *Dir) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	return entries(func(yield func(migrate.Entry, error) bool) error {
		c, err := d.campaign(campaign)
		if err != nil {
			return err
		}
		if err := c.read(ctx, after, yield); err != nil {
			return fmt.Errorf("journal %s: %w", c.path, err)
		}
		return nil
	})
}

// Close closes the files. It waits for appends under way; loops over entries end with an error. Later
// calls of Append and Entries are refused with [fs.ErrClosed].
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	var errs []error
	for _, c := range d.campaigns {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

func (d *Dir) campaign(name string) (*campaign, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, fmt.Errorf("journal directory %s: %w", d.path, fs.ErrClosed)
	}
	c := d.campaigns[name]
	if c == nil {
		c = newCampaign(d, name)
		d.campaigns[name] = c
	}
	return c, nil
}

func (d *Dir) log() *slog.Logger {
	if d.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Logger
}
