package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Only asks v about some devices only: those to which it applies. All others pass, as they have
// nothing to prove to v; their evidence says why, and that nothing was observed. applies must always give
// the same answer for the same device. The name is that of v.
func Only(v migrate.Verifier, why string, applies func(migrate.SubjectDevice) bool) migrate.Verifier {
	return migrate.NewVerifier(v.Name(), func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) {
			asked := *s
			asked.Devices = nil
			for _, d := range s.Devices {
				if applies(d) {
					asked.Devices = append(asked.Devices, d)
				} else if !yield(finding(d, migrate.Pass, migrate.NotObserved, s.Now, why), nil) {
					return
				}
			}
			if len(asked.Devices) == 0 {
				return
			}
			v.Verify(ctx, &asked)(yield)
		}
	})
}

// Sampled asks v about a share of the devices, in percent. The others pass unobserved, as an inconclusive
// device would count as failed: their evidence says so, and the verifier's name, such as
// "reporting-10-percent", shows in plan and report that it was a sample. A sampled [Online] takes no device to
// [migrate.DeviceOnline].
//
// Which devices are in the sample depends on seed and device only. A percentage that is not from 1 to 99
// means all devices, and v itself.
func Sampled(v migrate.Verifier, percent int, seed uint64) migrate.Verifier {
	if percent < 1 || percent > 99 {
		return v
	}
	why := fmt.Sprintf("not in the sample of %d%%", percent)
	sampled := Only(v, why, func(d migrate.SubjectDevice) bool { return draw(d.ID, seed) < uint64(percent) })
	return migrate.NewVerifier(v.Name()+"-"+strconv.Itoa(percent)+"-percent", sampled.Verify)
}

// draw returns a number from 0 to 99 for a device.
func draw(id iot.DeviceID, seed uint64) uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(id.String()), seed))
	return binary.BigEndian.Uint64(sum[:]) % 100
}

// Shadow lets v look without deciding: every device passes, whatever v found. It is for trying a verifier out. The
// evidence says what v found; observe, if it is not nil, gets each of v's findings and errors. It is
// called by the goroutine that verifies.
//
// As every device passes at once, v looks at it once only. The name is that of v after "shadow-", so that a
// shadow of [Online] takes no device to [migrate.DeviceOnline].
func Shadow(v migrate.Verifier, observe func(migrate.Finding, error)) migrate.Verifier {
	if observe == nil {
		observe = func(migrate.Finding, error) {}
	}
	return migrate.NewVerifier("shadow-"+v.Name(), func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) {
			found := make(map[iot.DeviceID]migrate.Finding, len(s.Devices))
			for f, err := range v.Verify(ctx, s) {
				observe(f, err)
				if err == nil {
					found[f.Device] = f
				}
			}
			if err := ctx.Err(); err != nil {
				yield(migrate.Finding{}, fmt.Errorf("verify: %w", err))
				return
			}
			for _, d := range s.Devices {
				if !yield(shadowed(s, d, found), nil) {
					return
				}
			}
		}
	})
}

func shadowed(s *migrate.Subject, d migrate.SubjectDevice, found map[iot.DeviceID]migrate.Finding) migrate.Finding {
	f, ok := found[d.ID]
	if !ok {
		return finding(d, migrate.Pass, "not decided", s.Now, "shadow: nothing was found")
	}
	seen := fmt.Sprintf("shadow: %s: %s", f.Verdict, f.Evidence.Seen)
	return finding(d, migrate.Pass, f.Evidence.Source, f.Evidence.At, seen)
}
