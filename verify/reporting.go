package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A ReportingConfig configures [Reporting].
type ReportingConfig struct {
	// Sink is where the target forwards the devices' messages to. It is required.
	Sink Sink
	// Counts tells which messages are reports. Nil means [IsReport].
	Counts func(iot.Message) bool
	// Skew is how far the platform's clock may be behind the runner's. See the package comment.
	Skew time.Duration
}

// Reporting proves that what a device reports arrives where it should: a message of that very device, generated
// after its move, forwarded by the target and seen at the sink. Its name is "reporting".
//
// It never fails a device: its next report may be on its way. A device that reports less often than the stage's
// deadline allows cannot prove itself: leave it out with [Only], or give the stage more time.
func Reporting(c ReportingConfig) migrate.Verifier {
	const name = "reporting"
	if c.Sink == nil {
		return broken(name, "ReportingConfig.Sink is nil: nothing can be observed without one")
	}
	if c.Counts == nil {
		c.Counts = IsReport
	}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) { c.look(ctx, s, yield) }
	})
}

func (c ReportingConfig) look(ctx context.Context, s *migrate.Subject, yield func(migrate.Finding, error) bool) {
	for devices := range slices.Chunk(s.Devices, maxLatest) {
		if err := ctx.Err(); err != nil {
			yield(migrate.Finding{}, fmt.Errorf("verify: %w", err))
			return
		}
		got := c.judge(ctx, s, devices)
		if !got.yield(yield) || got.err != nil && hopeless(ctx, got.err) {
			return
		}
	}
}

// judge counts what arrived before an error: only a device without a pass is left open by it.
func (c ReportingConfig) judge(ctx context.Context, s *migrate.Subject, devices []migrate.SubjectDevice) judged {
	messages, err := latest(ctx, c.Sink, devices)
	got := judged{err: err}
	for _, d := range devices {
		f := c.best(s, d, messages[d.ID])
		if err == nil || f.Verdict == migrate.Pass {
			got.findings = append(got.findings, f)
		}
	}
	return got
}

// best judges a device by the message that says most for it.
func (c ReportingConfig) best(s *migrate.Subject, d migrate.SubjectDevice, messages []iot.Message) migrate.Finding {
	f := migrate.Finding{Device: d.ID, Verdict: migrate.Inconclusive, Evidence: migrate.Evidence{
		Source: sinkOf(s), At: s.Now, Seen: "no report of the device yet",
	}}
	for _, m := range messages {
		switch {
		case !c.Counts(m):
		case m.Instance != s.Target.Info.ID:
			f.Evidence.Seen = fmt.Sprintf("a report on %s came from %s, not from the target",
				m.Topic, iot.InstanceInfo{ID: m.Instance})
		case !m.Generated.After(since(d.Moved, c.Skew)):
			f.Evidence.Seen = fmt.Sprintf("the report on %s of %s is older than the move at %s",
				m.Topic, stamp(m.Generated), stamp(d.Moved))
		default:
			f.Verdict = migrate.Pass
			f.Evidence.At = m.Generated
			f.Evidence.Seen = fmt.Sprintf("message %s on %s", m.ID, m.Topic)
			return f
		}
	}
	return f
}

// sinkOf names the sink as the source of evidence.
func sinkOf(s *migrate.Subject) string { return "messages of " + s.Target.Info.String() }
