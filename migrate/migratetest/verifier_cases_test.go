package migratetest

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// A badVerifier is the online verifier but for its flaw.
type badVerifier struct {
	migrate.Verifier
	flaw  flaw
	named atomic.Int64
}

func (v *badVerifier) Name() string {
	if v.flaw == "renamed" && v.named.Add(1) > 1 {
		return "other"
	}
	if v.flaw == "Bad Name" {
		return "Bad Name"
	}
	return v.Verifier.Name()
}

func (v *badVerifier) Verify(ctx context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
	return func(yield func(migrate.Finding, error) bool) {
		switch v.flaw {
		case "writes to its subject":
			s.Devices[0].Moved = s.Now
		case "ignores its context":
			ctx = context.WithoutCancel(ctx)
		case "believes":
			believing().Verify(ctx, s)(yield)
			return
		case "asks for the product only":
			if _, err := s.Target.Product(ctx, s.Devices[0].ID.ProductKey); err == nil {
				believing().Verify(ctx, s)(yield)
			}
			return
		case "never stops":
			for range 2 {
				yield(migrate.Finding{Device: s.Devices[0].ID, Verdict: migrate.Inconclusive}, nil)
			}
			return
		}
		for f, err := range v.Verifier.Verify(ctx, s) {
			f, err := v.spoil(s, f, err)
			if !yield(f, err) || v.flaw == "twice" && !yield(f, err) {
				return
			}
		}
	}
}

func (v *badVerifier) spoil(s *migrate.Subject, f migrate.Finding, err error) (migrate.Finding, error) {
	switch {
	case v.flaw == "fails for an error" && err != nil:
		return migrate.Finding{Device: s.Devices[0].ID, Verdict: migrate.Fail, Evidence: migrate.Evidence{Source: "x", At: s.Now, Seen: "x"}}, nil
	case err != nil:
		return f, err
	case v.flaw == "hasty" && f.Verdict == migrate.Inconclusive:
		f.Verdict = migrate.Fail
	case v.flaw == "never sure":
		f.Verdict = migrate.Inconclusive
	case v.flaw == "own word":
		f.Verdict = "perhaps"
	case v.flaw == "no evidence":
		f.Evidence = migrate.Evidence{}
	case v.flaw == "strangers":
		f.Device = iot.DeviceID{ProductKey: DirectProduct, DeviceName: "stranger"}
	}
	return f, err
}

// TestVerifierCases proves that each promise is tested: a verifier without a flaw passes all cases, and every flaw is
// caught by the case made for it.
func TestVerifierCases(t *testing.T) {
	caught := map[flaw]string{
		"renamed":                   "name",
		"Bad Name":                  "name",
		"believes":                  "before",
		"asks for the product only": "lied to",
		"strangers":                 "proves",
		"hasty":                     "patient",
		"never sure":                "proves",
		"no evidence":               "proves",
		"own word":                  "proves",
		"fails for an error":        "outage",
		"ignores its context":       "done",
		"never stops":               "break",
		"twice":                     "concurrent",
		"writes to its subject":     "concurrent",
	}
	run := func(t *testing.T, c verifierCase, f flaw) error {
		w, err := VerifierTest{}.world(t.Context(), func(*Cloud) migrate.Verifier {
			return &badVerifier{Verifier: verify.Online(verify.OnlineConfig{}), flaw: f}
		})
		if err != nil {
			t.Fatal(err)
		}
		return c.run(t.Context(), w)
	}
	for _, c := range verifierCases {
		t.Run(c.name, func(t *testing.T) {
			if err := run(t, c, ""); err != nil {
				t.Errorf("a good verifier: %v", err)
			}
			err := errors.New("no flaw proves this case")
			for flaw, name := range caught {
				if name != c.name {
					continue
				}
				err = nil
				if run(t, c, flaw) == nil {
					t.Errorf("a verifier that %q passes", flaw)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
