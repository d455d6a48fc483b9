package journal

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/iotferry/iotferry/migrate"
)

// errStopped says that the loop over the entries was left.
var errStopped = errors.New("stopped")

// entries makes a sequence of a function that yields entries and returns why it ended early.
func entries(run func(yield func(migrate.Entry, error) bool) error) iter.Seq2[migrate.Entry, error] {
	return func(yield func(migrate.Entry, error) bool) {
		if err := run(yield); err != nil && !errors.Is(err, errStopped) {
			yield(migrate.Entry{}, err)
		}
	}
}

// stream yields what s reads with sequence numbers above after.
func stream(ctx context.Context, s *scanner, after int64, yield func(migrate.Entry, error) bool) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch, err := s.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range batch {
			if e.Seq > after && !yield(e, nil) {
				return errStopped
			}
		}
	}
}
