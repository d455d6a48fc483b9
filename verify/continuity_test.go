package verify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/route/dual"
	"github.com/iotferry/iotferry/verify"
)

func TestContinuity(t *testing.T) {
	type sent struct {
		number   int
		after    time.Duration
		instance string
	}
	for name, test := range map[string]struct {
		messages []sent
		want     migrate.Verdict
		seen     string
	}{
		"goes on":             {[]sent{{1, 0, ""}, {2, 30 * time.Second, targetID}}, migrate.Pass, "no message for 30s, 0 are missing"},
		"one is missing":      {[]sent{{1, 0, ""}, {3, time.Second, targetID}}, migrate.Pass, "1 are missing"},
		"two are missing":     {[]sent{{1, 0, ""}, {4, time.Second, targetID}}, migrate.Inconclusive, "2 messages are missing"},
		"silent for too long": {[]sent{{1, 0, ""}, {2, 31 * time.Second, targetID}}, migrate.Inconclusive, "no message for 31s, 30s is allowed"},
		"a backlog came late": {[]sent{{1, 0, ""}, {3, 31 * time.Second, targetID}, {2, 5 * time.Second, ""}}, migrate.Pass, "for 26s"},
		"only the source":     {[]sent{{1, 0, ""}}, migrate.Inconclusive, "none of the target since"},
		"only the target":     {[]sent{{1, 0, targetID}}, migrate.Inconclusive, "no message of the source"},
		"returned":            {[]sent{{1, 0, ""}, {2, 9 * time.Second, targetID}, {3, 20 * time.Second, ""}}, migrate.Inconclusive, "none of the target since"},
		"moved again, silent": {[]sent{{1, 0, ""}, {2, 9 * time.Second, targetID}, {3, 20 * time.Second, ""}, {4, time.Minute, targetID}}, migrate.Inconclusive, "no message for 40s"},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := dual.New(dual.Config{To: targetID, Devices: []iot.DeviceID{meter}, Sequence: func(m iot.Message) (uint64, bool) {
				return uint64(m.Payload[0] - '0'), true
			}})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range test.messages {
				batch.Saw(iot.Message{
					ID: fmt.Sprint(m.number), Topic: "/" + meter.String() + "/user/update", Generated: moved.Add(m.after), Instance: m.instance,
					Payload: []byte{byte('0' + m.number)},
				})
			}
			v := verify.Continuity(verify.ContinuityConfig{Gaps: batch, MaxGap: 30 * time.Second, MaxLost: 1})
			f := one(t, v, subject(newSite(""), newSite(targetID), meter))
			if f.Verdict != test.want || !strings.Contains(f.Evidence.Seen, test.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestContinuityRefuses(t *testing.T) {
	batch, err := dual.New(dual.Config{To: targetID, Devices: []iot.DeviceID{meter}})
	if err != nil {
		t.Fatal(err)
	}
	s := subject(newSite(""), newSite(targetID), meter)
	for name, config := range map[string]verify.ContinuityConfig{
		"nothing was measured": {MaxGap: time.Second},
		"no limit":             {Gaps: batch},
	} {
		for f, err := range verify.Continuity(config).Verify(t.Context(), s) {
			if iot.KindOf(err) != iot.Invalid {
				t.Errorf("%s: %+v, error %v", name, f, err)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	looks := 0
	for f, err := range verify.Continuity(verify.ContinuityConfig{Gaps: batch, MaxGap: time.Second}).Verify(ended, s) {
		if looks++; err == nil || looks > 1 {
			t.Errorf("a done context: %+v, error %v", f, err)
		}
	}
}
