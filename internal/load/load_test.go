package load_test

import (
	"testing"
	"time"
)

// A fleet migrates, with faults and a rollback in the middle, while all devices report and commands are sent at a constant rate. Every
// command is delivered at most once, every command that is reported delivered was, and whatever else was delivered is reported
// unknown. In the end commands go to the right instance at once.
func TestLoad(t *testing.T) {
	w := newWorld(t)
	v := newVoyage(w)
	o := newOffice(v)
	o.open(t.Context())
	defer o.close()

	start, virtual := time.Now(), w.clock.Now()
	report, err := v.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	o.quiet()
	v.checkEnd(report)
	o.settle(t.Context())
	o.hear(t.Context())
	o.checkContinuity(t.Context())
	o.close()
	w.ledger.check(t)
	o.print(took, w.clock.Now().Sub(virtual))
}
