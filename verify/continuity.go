package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Gaps tell what the moves of devices have cost. The Continuity of package route/dual does: make one for the devices of a
// stage, and give it the messages of both instances' consumer groups. It must be safe for concurrent use.
type Gaps interface {
	// Gap returns the time between a device's last message at the source and its first at the target, and how many messages are known to be
	// missing. It returns false as long as one of the two has not come: also for a device that was returned, until it has moved again.
	Gap(id iot.DeviceID) (gap time.Duration, lost uint64, ok bool)
}

// A ContinuityConfig configures [Continuity].
type ContinuityConfig struct {
	// Gaps is what was measured. It is required.
	Gaps Gaps
	// MaxGap is the longest time without messages that a device may have. It is required: the longest pause between two of its messages, and
	// the time that it takes to connect again.
	MaxGap time.Duration
	// MaxLost is how many messages may be missing; zero means none.
	MaxLost uint64
}

// Continuity proves that a device's messages went on with its move: not more than so much time without any, and not more
// missing than so many. Its name is "continuity".
//
// It never fails a device: messages that come late, such as a backlog of the source, make gaps smaller and missing ones fewer. A device
// that had sent nothing at the source since the measurement began cannot prove itself: leave it out with [Only].
func Continuity(c ContinuityConfig) migrate.Verifier {
	const name = "continuity"
	switch {
	case c.Gaps == nil:
		return broken(name, "ContinuityConfig.Gaps is nil: nothing was measured")
	case c.MaxGap <= 0:
		return broken(name, "ContinuityConfig.MaxGap is %v: say how long a device may be silent", c.MaxGap)
	}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) {
			for _, d := range s.Devices {
				if err := ctx.Err(); err != nil {
					yield(migrate.Finding{}, fmt.Errorf("verify: %w", err))
					return
				}
				verdict, seen := c.judge(d.ID)
				if !yield(finding(d, verdict, "messages of both instances", s.Now, seen), nil) {
					return
				}
			}
		}
	})
}

func (c ContinuityConfig) judge(id iot.DeviceID) (migrate.Verdict, string) {
	gap, lost, ok := c.Gaps.Gap(id)
	switch {
	case !ok:
		return migrate.Inconclusive, "no message of the source yet, or none of the target since"
	case gap > c.MaxGap:
		return migrate.Inconclusive, fmt.Sprintf("no message for %v, %v is allowed", gap, c.MaxGap)
	case lost > c.MaxLost:
		return migrate.Inconclusive, fmt.Sprintf("%d messages are missing, %d may be", lost, c.MaxLost)
	}
	return migrate.Pass, fmt.Sprintf("no message for %v, %d are missing", gap, lost)
}
