package verify

import (
	"context"

	"github.com/iotferry/iotferry/migrate"
)

// Absent proves that a device is gone from the source and present at the target: that exactly one
// instance owns it. Its name is "absent". It does not ask whether the device is online.
//
// It never fails a device: on both instances or on none is what a lagging index shows for a while after a
// move. Such a device is inconclusive, and time decides.
func Absent() migrate.Verifier {
	return migrate.NewVerifier("absent", func(ctx context.Context, s *migrate.Subject) findings {
		return byBatch(ctx, s, func(ctx context.Context, devices []migrate.SubjectDevice) ([]migrate.Finding, error) {
			target, source, err := readBoth(ctx, s, idsOf(devices))
			if err != nil {
				return nil, err
			}
			found := make([]migrate.Finding, len(devices))
			for i, d := range devices {
				_, atTarget := target[d.ID]
				_, atSource := source[d.ID]
				found[i] = owned(s, d, atTarget, atSource)
			}
			return found, nil
		})
	})
}

func owned(s *migrate.Subject, d migrate.SubjectDevice, atTarget, atSource bool) migrate.Finding {
	f := migrate.Finding{Device: d.ID, Verdict: migrate.Inconclusive, Evidence: migrate.Evidence{
		Source: api(statesAPI, s.Source.View) + " and at " + s.Target.Info.String(), At: s.Now,
	}}
	switch {
	case atTarget && atSource:
		f.Evidence.Seen = "both instances show the device"
	case atSource:
		f.Evidence.Seen = "only the source shows the device"
	case !atTarget:
		f.Evidence.Seen = "neither instance shows the device"
	default:
		f.Verdict = migrate.Pass
		f.Evidence.Seen = "the target shows the device, the source does not"
	}
	return f
}
