package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// DefaultSkew is how far the platform's clock may be behind the runner's, where a configuration does not say.
const DefaultSkew = 2 * time.Second

// since returns the earliest time that counts as after a device's move.
func since(moved time.Time, skew time.Duration) time.Time {
	switch {
	case skew < 0:
		skew = 0
	case skew == 0:
		skew = DefaultSkew
	}
	return moved.Add(-skew)
}

// A findings is the look of a verifier, as [migrate.Verifier] returns it.
type findings = iter.Seq2[migrate.Finding, error]

// broken is the look of a verifier whose configuration cannot work.
func broken(verifier, format string, args ...any) migrate.Verifier {
	err := &iot.Error{Kind: iot.Invalid, Op: "verify " + verifier, Message: fmt.Sprintf(format, args...)}
	return migrate.NewVerifier(verifier, func(context.Context, *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) { yield(migrate.Finding{}, err) }
	})
}

// hopeless reports whether an error will meet the rest of a look as well, so that going on only costs
// quota.
func hopeless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, iot.Throttled) || errors.Is(err, iot.Denied)
}

// A judge finds verdicts on a few devices of one product. An error stands for those that it could not
// look at; the findings beside it count.
type judge func(context.Context, []migrate.SubjectDevice) ([]migrate.Finding, error)

// A judged is what a judge found.
type judged struct {
	findings []migrate.Finding
	err      error
}

// batchesAtOnce is how many batches are read at the same time. The platform allows 50 calls a second of
// BatchGetDeviceState to the whole account: this leaves room for the servers of its owner.
const batchesAtOnce = 4

// byBatch asks j about all devices of a subject, a batch of one product at a time.
func byBatch(ctx context.Context, s *migrate.Subject, j judge) findings {
	return func(yield func(migrate.Finding, error) bool) {
		look := func(batch []migrate.SubjectDevice) judged {
			if err := ctx.Err(); err != nil {
				return judged{err: fmt.Errorf("verify: %w", err)}
			}
			found, err := j(ctx, batch)
			return judged{found, err}
		}
		for got := range inOrder(batchesAtOnce, batches(s.Devices), look) {
			if !got.yield(yield) || got.err != nil && hopeless(ctx, got.err) {
				return
			}
		}
	}
}

func (j judged) yield(yield func(migrate.Finding, error) bool) bool {
	for _, f := range j.findings {
		if !yield(f, nil) {
			return false
		}
	}
	return j.err == nil || yield(migrate.Finding{}, j.err)
}

// batches splits devices into lists of one product that one States call can read.
func batches(devices []migrate.SubjectDevice) [][]migrate.SubjectDevice {
	return chunks(devices, func(d migrate.SubjectDevice) string { return d.ID.ProductKey })
}

// chunks splits items into lists of one product of at most [iot.MaxStates], in the order in which lists
// begin.
func chunks[T any](items []T, product func(T) string) [][]T {
	var all [][]T
	open := make(map[string]int) // the product's list that is not full yet
	for _, item := range items {
		key := product(item)
		i, ok := open[key]
		if !ok || len(all[i]) == iot.MaxStates {
			i = len(all)
			open[key] = i
			all = append(all, make([]T, 0, min(iot.MaxStates, len(items))))
		}
		all[i] = append(all[i], item)
	}
	return all
}

// inOrder yields do's result for each item in the order of items, while at most limit calls run. None runs any
// more when the loop over it ends.
func inOrder[T, R any](limit int, items []T, do func(T) R) iter.Seq[R] {
	const ahead = 4 // a slow call holds up this many times limit others, not all
	return func(yield func(R) bool) {
		for start := 0; start < len(items); start += limit * ahead {
			window := items[start:min(len(items), start+limit*ahead)]
			results := make([]R, len(window))
			var g errgroup.Group
			g.SetLimit(limit)
			for i, item := range window {
				g.Go(func() error {
					results[i] = do(item)
					return nil
				})
			}
			_ = g.Wait() // the calls keep their errors in their results
			for _, r := range results {
				if !yield(r) {
					return
				}
			}
		}
	}
}
