package journal

import (
	"fmt"
	"io"
)

// A Summary is what [Verify] found in a journal.
type Summary struct {
	// Entries is how many entries there are.
	Entries int64
	// Bytes is how long they are together. What follows them is torn.
	Bytes int64
	// Torn is how many bytes follow of an append that was not written to its end; 0 is usual. The next
	// append removes them.
	Torn int64
	// Fence is the highest fence of an entry.
	Fence int64
	// Sum is the sum of the last entry. It speaks for the whole journal: written down elsewhere, it shows
	// later that nothing was changed or lost. Empty if there is no entry.
	Sum string
}

// Verify checks a journal's file from its first line to its last, without the directory and its locks: a
// copy, or the file of a campaign that nobody appends to. Damage is [migrate.ErrDamaged], with the line's
// number; the summary then covers what is whole before it. Other errors are those of r.
func Verify(r io.Reader) (Summary, error) {
	s := newScanner(r, position{})
	for {
		if _, err := s.next(); err == io.EOF {
			return s.summary(), nil
		} else if err != nil {
			return s.summary(), fmt.Errorf("journal: %w", err)
		}
	}
}

func (s *scanner) summary() Summary {
	return Summary{Entries: s.end.seq, Bytes: s.end.off, Torn: s.torn, Fence: s.end.fence, Sum: s.end.sum}
}
