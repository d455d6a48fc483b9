package journal

import (
	"io/fs"
	"strings"
	"time"
)

// Bytes returns the lines that a memory journal keeps of a campaign.
func Bytes(m *Memory, campaign string) []byte { return m.campaigns[campaign].data }

// File is what a Dir needs of an open file.
type File interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Close() error
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

// Wrap puts faults between a Dir and its files.
func Wrap(d *Dir, wrap func(File) File) {
	open := d.open
	d.open = func(path string, flag int) (file, error) {
		f, err := open(path, flag)
		if err != nil {
			return nil, err
		}
		return wrap(f), nil
	}
}

// Deny lets a Dir open files to read only: a superuser's tests cannot do that with permissions.
func Deny(d *Dir, err error) {
	open := d.open
	d.open = func(path string, flag int) (file, error) {
		if flag != 0 {
			return nil, err
		}
		return open(path, flag)
	}
}

// Seal gives each line of text the sum that makes it part of a journal.
func Seal(text string) []byte {
	var out strings.Builder
	sum := ""
	for body := range strings.Lines(text) {
		body = strings.TrimSuffix(strings.TrimSuffix(body, "\n"), "}")
		sum = chain(sum, []byte(body))
		out.WriteString(body + sumStart + sum + sumEnd + "\n")
	}
	return []byte(out.String())
}

// Load returns a memory journal whose campaign "plant-7" has these lines.
func Load(data []byte) *Memory {
	return &Memory{campaigns: map[string]*account{"plant-7": {data: data}}}
}

// SetPatience sets how long a Dir waits for a lock that another process holds.
func SetPatience(d *Dir, patience time.Duration) { d.patience = patience }
