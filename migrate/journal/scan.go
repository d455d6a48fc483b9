package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/migrate"
)

// A scanner reads whole batches and says how the journal ends.
type scanner struct {
	lines *lines
	index       // its end is after the last whole batch
	torn  int64 // bytes of an append that was not written to its end; known at io.EOF
	batch []migrate.Entry
}

func newScanner(r io.Reader, from position) *scanner {
	return &scanner{lines: newLines(r, from.sum), index: index{end: from}}
}

// next returns the entries of the next whole batch; they are valid until the next call. At the end of the
// journal, torn or not, the error is io.EOF.
func (s *scanner) next() ([]migrate.Entry, error) {
	s.batch = s.batch[:0]
	at := s.end
	for l := s.lines.next(); l != nil; l = s.lines.next() {
		if err := s.fits(at, l); err != nil {
			return nil, s.judge(at, l, err)
		}
		at = at.after(&l.rec.Entry, l.sum)
		at.off += int64(len(l.text))
		s.batch = append(s.batch, l.rec.Entry)
		if l.rec.Batch[1] == at.seq {
			s.reach(at)
			return s.batch, nil
		}
	}
	s.torn = at.off - s.end.off
	return nil, s.stopped(at.seq + 1)
}

// fits checks that a line continues the batch.
func (s *scanner) fits(at position, l *line) error {
	switch {
	case l.err != nil:
		return l.err
	case l.rec.Seq != at.seq+1:
		return fmt.Errorf("its number is %d", l.rec.Seq)
	case l.rec.Batch[0] != s.end.seq+1 || l.rec.Batch[1] < l.rec.Seq:
		return errors.New("its batch does not fit")
	}
	return nil
}

// judge tells a torn tail from damage, from the first line that does not fit on. A crash leaves a line
// without its end or holes of zeros, which no line has otherwise; and it was the last append, so nothing of
// a later one follows.
func (s *scanner) judge(at position, l *line, why error) error {
	damage := damaged(at.seq+1, why)
	if !s.tornAt(at.off, l.text) {
		return damage
	}
	off := at.off + int64(len(l.text))
	for l := s.lines.next(); l != nil; l = s.lines.next() {
		if !s.tornAt(off, l.text) && !s.sameBatch(l.text) {
			return damage
		}
		off += int64(len(l.text))
	}
	s.torn = off - s.end.off
	return s.stopped(at.seq + 1)
}

// sector is the least that a disk writes or loses.
const sector = 512

// tornAt reports whether a crash explains the line at an offset: it has no end, or holes that are sectors which
// were never written.
func (s *scanner) tornAt(off int64, text []byte) bool {
	cut := text[len(text)-1] != '\n'
	end := 0
	for {
		start := bytes.IndexByte(text[end:], 0)
		if start < 0 {
			return cut || end > 0
		}
		start += end
		for end = start; end < len(text) && text[end] == 0; end++ {
		}
		if end == len(text) {
			return true // and so is the end of the file
		}
		from, to := off+int64(start), off+int64(end)
		if from%sector != 0 && from != s.end.off || to%sector != 0 {
			return false
		}
	}
}

// sameBatch reports whether a line past a hole is of the append that follows s.end.
func (s *scanner) sameBatch(text []byte) bool {
	var rec record
	return rec.parse(text) == nil && rec.Batch[0] == s.end.seq+1
}

// stopped returns why there are no more lines.
func (s *scanner) stopped(line int64) error {
	switch err := s.lines.in.Err(); {
	case err == nil:
		return io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return damaged(line, fmt.Errorf("it is longer than %d bytes", MaxAppend))
	default:
		return err
	}
}

func damaged(line int64, why error) error {
	return fmt.Errorf("line %d: %w: stop all runners and put back a copy of the file that is whole: %w", line, why, migrate.ErrDamaged)
}
