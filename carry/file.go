package carry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/iotferry/iotferry/internal/durable"
	"github.com/iotferry/iotferry/iot"
)

// A File is a [Store] in one file: a line of JSON per record, one write and one fsync per Save. It holds the labels of devices: only its owner can
// read it. It is safe for concurrent use within a process; two processes must not use it at once.
type File struct {
	mu   sync.Mutex
	file *os.File
	size int64 // of the whole lines
	err  error // after which nothing is written
}

// maxLine is the longest line that is read and written: a device has at most 100 labels.
const maxLine = 1 << 20

// Open opens a file, or creates it. A last line without its end is what a crash has left of a Save that never returned: it is cut off. Anything else
// that is no record is [iot.Invalid], and the error names the line.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("carry: %w", err)
	}
	s := &File{file: f}
	err = s.recover()
	if err == nil {
		if err = durable.SyncDir(filepath.Dir(path)); err != nil {
			err = fmt.Errorf("carry: %w", err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// recover finds the end of the last whole line, and cuts the rest off.
func (s *File) recover() error {
	whole, err := s.scan(context.Background(), math.MaxInt64, func(Record) bool { return true })
	if err != nil {
		return err
	}
	s.size = whole
	if err := s.file.Truncate(whole); err != nil {
		return fmt.Errorf("carry: %w", err)
	}
	return nil
}

// scan reads the records in the first bytes of the file, until each returns false, and returns where the last whole line ended.
func (s *File) scan(ctx context.Context, size int64, each func(Record) bool) (whole int64, err error) {
	in := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, size), maxLine)
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return whole, err
		}
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) { // whatever is left of a line is of a Save that did not return
			return whole, nil
		}
		if err != nil {
			return whole, fmt.Errorf("carry: %s, line %d: %w", s.file.Name(), n, err)
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return whole, &iot.Error{Kind: iot.Invalid, Op: "carry", Message: fmt.Sprintf("%s, line %d is no record", s.file.Name(), n), Err: err}
		}
		whole += int64(len(line))
		if !each(r) {
			return whole, nil
		}
	}
}

// Save appends records. After an error of the disk, nothing is written until the file is opened again. Records that could not be read again, as they
// are longer than a megabyte, are [iot.Invalid]; none of the others is written then.
func (s *File) Save(ctx context.Context, records ...Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	for _, r := range records {
		before := lines.Len()
		if err := out.Encode(r); err != nil {
			return fmt.Errorf("carry: %w", err)
		}
		if lines.Len()-before > maxLine {
			return &iot.Error{Kind: iot.Invalid, Op: "carry", Message: "a record is longer than a megabyte"}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	_, err := s.file.WriteAt(lines.Bytes(), s.size)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		s.err = fmt.Errorf("carry: %w", err)
		return s.err
	}
	s.size += int64(lines.Len())
	return nil
}

// Records yields what was saved when it began.
func (s *File) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s.mu.Lock()
		size := s.size
		s.mu.Unlock()
		_, err := s.scan(ctx, size, func(r Record) bool { return yield(r, nil) })
		if err != nil {
			yield(Record{}, err)
		}
	}
}

// Close closes the file.
func (s *File) Close() error {
	if err := s.file.Close(); err != nil {
		return fmt.Errorf("carry: %w", err)
	}
	return nil
}
