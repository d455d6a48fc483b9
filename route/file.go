package route

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/iotferry/iotferry/internal/durable"
)

// A File is a [Store] in one file, of about 10 bytes and the name for each device. Each Save is appended and synced as a whole: after a crash it
// is there or not, and what was saved before is. When half of the file is out of date it is written anew, to a
// file with .new after its name that then takes its place. It is for one process at a time; what is lost with it is learned again from the journal. Make one with [NewFile].
type File struct {
	path string

	mu    sync.Mutex
	known bool  // size, facts and live are
	size  int64 // of what is whole
	facts int   // in the file
	live  int   // devices, when that was last counted
}

var _ Store = (*File)(nil)

// NewFile returns the store in a file. It reads nothing; a file that is not there is empty. The directory must be there.
func NewFile(path string) *File { return &File{path: path} }

// compactFrom is from how many facts on a file is written anew.
const compactFrom = 100_000

// ErrDamaged is returned by [File]: what is stored is not what was written. Remove the file, and follow the journal again.
var ErrDamaged = errors.New("route: the file is damaged")

// Load implements [Store]. A file that was changed by anything but a crash is [ErrDamaged]. The loop must not call Save.
func (f *File) Load(ctx context.Context) iter.Seq2[Fact, error] {
	return func(yield func(Fact, error) bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		stopped := false
		err := f.read(ctx, func(fact Fact) error {
			if !yield(fact, nil) {
				stopped = true
				return errStopped
			}
			return nil
		})
		if err != nil && !stopped {
			yield(Fact{}, fmt.Errorf("%s: %w", f.path, err))
		}
	}
}

var errStopped = errors.New("stopped")

// read calls visit with every fact, and learns how the file is.
func (f *File) read(ctx context.Context, visit func(Fact) error) error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.known, f.size, f.facts, f.live = true, 0, 0, 0
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	n := 0
	size, err := readFrames(file, func(facts []Fact) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, fact := range facts {
			if err := visit(fact); err != nil {
				return err
			}
		}
		n += len(facts)
		return nil
	})
	if err != nil {
		return err
	}
	f.known, f.size, f.facts = true, size, n
	f.live = max(f.live, n/2)
	return nil
}

// Save implements [Store].
func (f *File) Save(ctx context.Context, facts []Fact) error {
	for _, fact := range facts {
		if err := fact.check(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.save(ctx, facts); err != nil {
		f.known = false // what the disk holds has to be read again
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

func (f *File) save(ctx context.Context, facts []Fact) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !f.known {
		if err := f.read(ctx, func(Fact) error { return nil }); err != nil {
			return err
		}
	}
	if f.size == 0 || f.facts+len(facts) > max(2*f.live, compactFrom) {
		return f.rewrite(ctx, facts)
	}
	file, err := os.OpenFile(f.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	frame := appendFrame(nil, facts)
	err = errors.Join(file.Truncate(f.size), writeAt(file, frame, f.size), file.Close())
	if err != nil {
		return err
	}
	f.size += int64(len(frame))
	f.facts += len(facts)
	return nil
}

// writeAt makes what it writes durable.
func writeAt(file *os.File, text []byte, at int64) error {
	if _, err := file.WriteAt(text, at); err != nil {
		return err
	}
	return file.Sync()
}

// rewrite puts a file in the place of the old one that has each device once.
func (f *File) rewrite(ctx context.Context, facts []Fact) error {
	all := newTable("")
	if err := f.read(ctx, func(fact Fact) error { return all.Learn(fact) }); err != nil {
		return err
	}
	if err := all.Learn(facts...); err != nil {
		return err
	}
	all.track()
	next, err := os.OpenFile(f.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	size, n, err := writeAll(ctx, next, all)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), f.path); err != nil {
		return err
	}
	f.known, f.size, f.facts, f.live = true, size, n, n
	return durable.SyncDir(filepath.Dir(f.path))
}

func writeAll(ctx context.Context, w io.Writer, all *Table) (size int64, n int, err error) {
	written, err := io.WriteString(w, fileHeader)
	size = int64(written)
	for left := all.unsaved(); err == nil && len(left) > 0; {
		facts := all.takeChanged(left)
		n += len(facts)
		written, err = w.Write(appendFrame(nil, facts))
		size += int64(written)
		err = errors.Join(err, ctx.Err())
	}
	return size, n, err
}
