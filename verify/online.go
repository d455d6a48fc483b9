package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// An OnlineConfig configures [Online]. The zero value is ready to use.
type OnlineConfig struct {
	// Skew is how far the platform's clock may be behind the runner's: a session that began this much before
	// the move still counts as new. See the package comment.
	Skew time.Duration
}

// Online proves that a device came online at the target since its move. Its name is
// [migrate.OnlineVerifier].
//
// A device passes if the target shows it online, in a session that began after the move, and the source
// does not show it. The status alone is no proof: the platform's status index may lag. A sub-device has no
// connection of its own, so its gateway must be online at the target, too.
//
// Online never fails a device: each thing that it can see may still change. A disabled device, for
// one, comes online when a person enables it. All but a pass is inconclusive, and time decides.
func Online(c OnlineConfig) migrate.Verifier {
	return migrate.NewVerifier(migrate.OnlineVerifier, func(ctx context.Context, s *migrate.Subject) findings {
		return byBatch(ctx, s, func(ctx context.Context, devices []migrate.SubjectDevice) ([]migrate.Finding, error) {
			return c.judge(ctx, s, devices)
		})
	})
}

func (c OnlineConfig) judge(ctx context.Context, s *migrate.Subject, devices []migrate.SubjectDevice) ([]migrate.Finding, error) {
	target, source, err := readBoth(ctx, s, idsOf(devices))
	if err != nil {
		return nil, err
	}
	gateways, err := readStates(ctx, s.Target.View, gatewaysOf(devices))
	if err != nil {
		return nil, err
	}
	found := make([]migrate.Finding, len(devices))
	for i, d := range devices {
		verdict, evidence := c.session(s, d, target)
		if _, there := source[d.ID]; there {
			verdict = migrate.Inconclusive
			evidence = migrate.Evidence{Source: api(statesAPI, s.Source.View), At: s.Now, Seen: "the source still shows the device"}
		}
		if verdict == migrate.Pass && d.Node == iot.SubDevice {
			verdict, evidence.Seen = throughGateway(d, gateways, evidence.Seen)
		}
		found[i] = migrate.Finding{Device: d.ID, Verdict: verdict, Evidence: evidence}
	}
	return found, nil
}

// session judges what the target shows of a device.
func (c OnlineConfig) session(s *migrate.Subject, d migrate.SubjectDevice, target states) (migrate.Verdict, migrate.Evidence) {
	evidence := migrate.Evidence{Source: api(statesAPI, s.Target.View), At: s.Now}
	state, there := target[d.ID]
	switch {
	case !there:
		evidence.Seen = "the target does not show the device"
	case state.Status == iot.Disabled:
		evidence.Seen = "the device is disabled: it comes online when a person enables it"
	case state.Status != iot.Online:
		evidence.Seen = fmt.Sprintf("the device is %s", state.Status)
	case state.LastOnline.IsZero():
		evidence.Seen = "the device is online, but since when is not shown"
	case state.LastOnline.Before(since(d.Moved, c.Skew)):
		evidence.Seen = fmt.Sprintf("the device is shown online since %s, before its move at %s",
			stamp(state.LastOnline), stamp(d.Moved))
	default:
		evidence.At = state.LastOnline
		evidence.Seen = fmt.Sprintf("the device is online since %s", stamp(state.LastOnline))
		return migrate.Pass, evidence
	}
	return migrate.Inconclusive, evidence
}

// throughGateway judges a sub-device that is online by its gateway.
func throughGateway(d migrate.SubjectDevice, gateways states, seen string) (migrate.Verdict, string) {
	state, there := gateways[d.Gateway]
	switch {
	case !there:
		return migrate.Inconclusive, fmt.Sprintf("%s, but the target does not show its gateway %s", seen, d.Gateway)
	case state.Status != iot.Online:
		return migrate.Inconclusive, fmt.Sprintf("%s, but its gateway %s is %s", seen, d.Gateway, state.Status)
	}
	return migrate.Pass, fmt.Sprintf("%s, through its gateway %s, which is online there, too", seen, d.Gateway)
}

// stamp writes a time into evidence.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
