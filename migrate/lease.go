package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// A Leaser is a [Journal] that knows which runner has a campaign, so that a second one does not begin by mistake. It is
// optional. Without it, and after a lease was taken over, the fence alone keeps runners apart: the newer one goes on, and
// the other can write nothing any more. Decisions need no lease, nor do readers.
type Leaser interface {
	Journal
	// Lease gives the campaign to a runner until release is called, or until its process has ended, however that came about. It
	// does not wait: if another has the campaign, the error is a [*HeldError] that says who. With takeOver the
	// other one's lease is void instead. Release may be called again, and does nothing if the lease was taken over.
	Lease(ctx context.Context, campaign string, h Holder, takeOver bool) (release func(), err error)
}

// A Holder is who runs a campaign.
type Holder struct {
	Owner string    `json:"owner,omitempty"` // as in [Config]
	Host  string    `json:"host,omitempty"`
	PID   int       `json:"pid,omitempty"`
	Since time.Time `json:"since"` // when it took the lease, by the runner's clock
}

// String names the owner, if there is one, and the process.
func (h Holder) String() string {
	process := fmt.Sprintf("process %d on host %q since %s", h.PID, h.Host, h.Since.Format(time.RFC3339))
	if h.Owner == "" {
		return process
	}
	return fmt.Sprintf("%q, %s", h.Owner, process)
}

// ErrHeld is returned by Runner.Run and [Leaser]: another runner has the campaign. The error is a [*HeldError].
var ErrHeld = errors.New("another runner has the campaign")

// A HeldError says who has a campaign. It is [ErrHeld].
type HeldError struct {
	Holder Holder
}

// Error names the holder and what can be done.
func (e *HeldError) Error() string {
	return fmt.Sprintf("%v: %s: let it end, wait with LeaseWait, or, if it hangs or was stopped, run with LeaseTakeOver", ErrHeld, e.Holder)
}

// Is reports whether target is [ErrHeld].
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// A LeasePolicy says what a run does if another one has the campaign.
type LeasePolicy int

// The policies. They count if the journal is a [Leaser].
const (
	// LeaseRefuse does not run: the error is a [*HeldError].
	LeaseRefuse LeasePolicy = iota
	// LeaseWait waits until the other run has ended or its process is dead, looking every Config.Poll: for processes that
	// stand by. Until then Decide and Report work as without a run.
	LeaseWait
	// LeaseTakeOver runs whoever has the campaign. The other run can write nothing any more, and ends with [ErrFenced] as soon as
	// it notices. It is for a runner that hangs, was stopped, or cannot be reached. A call that the other one is in the middle of
	// may still reach the platform: this run looks at both instances for what became of it.
	LeaseTakeOver
)

// lease takes the campaign's lease, as Config.Lease says.
func (r *Runner) lease(ctx context.Context) (release func(), err error) {
	leaser, ok := r.config.Journal.(Leaser)
	if !ok {
		return func() {}, nil
	}
	poll := time.NewTicker(r.config.Poll)
	defer poll.Stop()
	for waits := false; ; waits = true {
		release, err := leaser.Lease(ctx, r.config.Campaign, r.holder(), r.config.Lease == LeaseTakeOver)
		held, isHeld := errors.AsType[*HeldError](err)
		if !isHeld || r.config.Lease != LeaseWait {
			return release, err
		}
		if !waits {
			r.config.Logger.Info("waits for the lease", "campaign", r.config.Campaign, "holder", held.Holder.String())
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Runner) holder() Holder {
	host, _ := os.Hostname() // without it, the process ID has to do
	return Holder{Owner: r.config.Owner, Host: host, PID: os.Getpid(), Since: r.config.Clock.Now()}
}
