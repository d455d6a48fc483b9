package migrate

import (
	"context"
	"errors"
	"iter"
)

// A Journal is the append-only record of campaigns. Package journal has one in files and one in memory.
// Implementations are safe for concurrent use, by several runners too.
type Journal interface {
	// Append adds the entries of one campaign after the entry with sequence number after, which must be
	// the last one; 0 starts the campaign. It numbers them itself. All of them are durable when it returns nil,
	// and none is there when it returns an error that is not [ErrDamaged]. If after is not the last
	// entry the error is [ErrConflict]: read what others wrote and decide again. An entry with a Fence
	// lower than the highest one in the journal, 0 aside, is refused with [ErrFenced].
	Append(ctx context.Context, campaign string, after int64, entries ...Entry) error
	// Entries yields the entries of a campaign with sequence numbers above after, in order. A campaign
	// that was never started has none. An entry that was not written to its end is not there; damage
	// anywhere else is [ErrDamaged].
	Entries(ctx context.Context, campaign string, after int64) iter.Seq2[Entry, error]
}

// Errors of journals and of what is checked against them. Test with errors.Is.
var (
	// ErrConflict is returned by Journal.Append: others appended since.
	ErrConflict = errors.New("journal: others appended since")
	// ErrFenced is returned by Journal.Append and Runner.Run: a newer runner has taken the campaign over.
	ErrFenced = errors.New("journal: a newer runner has taken over")
	// ErrDamaged is returned by journals: what is stored is not what was written.
	ErrDamaged = errors.New("journal: damaged")
	// ErrMismatch is returned by Runner.Run: the journal belongs to another plan, account, instance or format.
	ErrMismatch = errors.New("journal: belongs to something else")
)
