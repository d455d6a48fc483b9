package migratetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// A VerifierTest says how [TestVerifier] tests. The zero value has a fleet of its own.
type VerifierTest struct {
	// Fleet is a fleet file of which every device that is online can pass: see [Generate]. Nil means a few devices
	// that report on custom topics, with and without a gateway.
	Fleet []byte
	// Platform are the options of the platforms. Clock and Fault are set by the test.
	Platform Options
	// Within is how long after its move a device has to pass, in virtual time; zero means 30 minutes.
	Within time.Duration
	// Skip names subtests that do not apply, such as "lied to" for a verifier that is about products. Say why in
	// a comment.
	Skip []string
}

// TestVerifier runs a verifier through the promises of [migrate.Verifier], each in a subtest:
//
//   - name: it is in kebab-case and stays the same;
//   - before: a device is not passed as long as nothing of its product has moved;
//   - lied to: nor if the platform says that it moved it, and did not;
//   - patient: devices that only need a while to come back are not failed meanwhile;
//   - proves: every device that is online before its move passes in time after it;
//   - outage: as long as the platform answers nothing, no device is failed;
//   - done: with a context that has ended nothing is sent, and no device is failed; a context that ends during
//     the look ends the look;
//   - break: the caller may leave the loop at any finding;
//   - concurrent: it may be asked several times at once.
//
// Each look is checked as well: at most one finding per device, none of devices that were not asked for, verdicts
// that exist, evidence that says where and what was seen, and a subject that is left as it was.
//
// make returns the verifier for a platform; it is called once for each.
func TestVerifier(t *testing.T, test VerifierTest, make func(*Cloud) migrate.Verifier) {
	for _, c := range verifierCases {
		if slices.Contains(test.Skip, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, err := test.world(t.Context(), make)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.run(t.Context(), w); err != nil {
				t.Error(err)
			}
		})
	}
}

// A verifierCase returns what a verifier got wrong, so that the suite itself can be tested.
type verifierCase struct {
	name string
	run  func(context.Context, *verifierWorld) error
}

var verifierCases = []verifierCase{
	{"name", verifierName},
	{"before", verifierBefore},
	{"lied to", verifierLiedTo},
	{"patient", verifierPatient},
	{"proves", verifierProves},
	{"outage", verifierOutage},
	{"done", verifierDone},
	{"break", verifierBreak},
	{"concurrent", verifierConcurrent},
}

const defaultWithin = 30 * time.Minute

func defaultVerifierFleet() []byte {
	return Generate(GenerateOptions{Direct: 6, Gateways: 2, SubDevices: 3, OfflineEvery: 4})
}
