package migrate

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// A Checkpointer is a [Journal] that also keeps, of each campaign, the newest image of its [State]: a runner that takes over then folds
// only the entries after it. Entries alone are what counts. An image is a cache, which may be missing at any time.
type Checkpointer interface {
	// Checkpoint keeps an image of the state after the entry with sequence number seq, in place of older images. That entry must be the
	// last one that this journal has appended or read, else the error is [ErrConflict]. An error changes nothing.
	Checkpoint(ctx context.Context, campaign string, seq int64, image []byte) error
	// Latest returns the image that was kept last, and the number of its entry; 0 if there is none. An image that does not belong to the
	// entries that are there is an error: ignore it, and read the entries from the first.
	Latest(ctx context.Context, campaign string) (seq int64, image []byte, err error)
}

// When a runner writes a checkpoint: after so many entries, or after less before it waits for long.
const (
	checkpointEvery = 10_000
	checkpointLeast = 500
	longWait        = 10 * time.Minute
)

// checkpoint keeps an image if it is time for one. No call is under way then: its outcome would wait. That an image cannot be written
// stops nothing.
func (l *loop) checkpoint(ctx context.Context, next time.Time) {
	journal, ok := l.r.config.Journal.(Checkpointer)
	fresh := l.state.Seq() - l.imaged
	if !ok || fresh < checkpointLeast || l.calling() || fresh < checkpointEvery && !l.restsUntil(next) {
		return
	}
	l.imaged = l.state.Seq() // also if it fails: a full disk is not tried at every entry
	image, err := l.state.Image()
	if err == nil {
		err = journal.Checkpoint(ctx, l.r.config.Campaign, l.state.Seq(), image)
	}
	if err != nil {
		l.r.config.Logger.LogAttrs(ctx, slog.LevelWarn, "no checkpoint was written: the next run folds more of the journal",
			slog.String("campaign", l.r.config.Campaign), slog.String("error", err.Error()))
	}
}

// calling reports whether a task under way makes calls that move devices.
func (l *loop) calling() bool {
	for _, w := range l.busy {
		if w != nil && w.task.Kind == TaskMove {
			return true
		}
	}
	return false
}

func (l *loop) restsUntil(next time.Time) bool {
	return l.working == 0 && (next.IsZero() || next.Sub(l.r.config.Clock.Now()) >= longWait)
}

// fromCheckpoint brings a state that has seen nothing to the journal's newest image, if there is one that fits.
func (r *Runner) fromCheckpoint(ctx context.Context, state *State) {
	journal, ok := r.config.Journal.(Checkpointer)
	if !ok {
		return
	}
	seq, image, err := journal.Latest(ctx, r.config.Campaign)
	if err == nil && seq == 0 {
		return
	}
	var restored *State
	if err == nil {
		restored, err = RestoreState(r.config.Plan, r.header, image)
	}
	if err == nil && restored.Seq() != seq {
		err = fmt.Errorf("it is of entry %d, not %d", restored.Seq(), seq)
	}
	if err != nil {
		r.config.Logger.LogAttrs(ctx, slog.LevelWarn, "the checkpoint is not used: the journal is folded from its start",
			slog.String("campaign", r.config.Campaign), slog.String("error", err.Error()))
		return
	}
	*state = *restored
}
