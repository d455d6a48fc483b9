package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// lookEvery is how long a look at the sink is apart from the next one, while a report is on its way.
const lookEvery = 100 * time.Millisecond

// report proves that what the device reports is accepted, and arrives at the sink if there is one.
func (v *canary) report(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	key := command{device: look.ID}
	session := strconv.Itoa(look.session)
	a, ok := v.memory.get(key, look.Moved)
	if !ok || a.answered != session || look.Now.Sub(a.sent.At) >= v.Again {
		mark := reportNonce()
		if err := look.device.Report(ctx, mark); err != nil {
			return refusedReport(ctx, err)
		}
		a = attempt{sent: Sent{Device: look.ID, MessageID: mark, At: look.Now}, answered: session}
		v.memory.put(key, a)
	}
	switch {
	case v.Sink == nil:
		return migrate.Pass, "its report was accepted", nil
	case !v.Forwards(look.ID.ProductKey):
		return migrate.Pass, "its report was accepted, and is not forwarded", nil
	}
	return v.arrives(ctx, look, a.sent.MessageID)
}

// refusedReport judges a report that was not accepted. Only the platform's word that it is wrong is certain.
func refusedReport(ctx context.Context, err error) (migrate.Verdict, string, error) {
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case errors.Is(err, iot.Invalid):
		return migrate.Fail, "its report was refused: " + err.Error(), nil
	}
	return migrate.Inconclusive, "its report was not accepted: " + err.Error(), nil
}

// arrives waits for a report at the sink, which may keep no more than the newest of a device.
func (v *canary) arrives(ctx context.Context, look canaryLook, nonce string) (migrate.Verdict, string, error) {
	within, cancel := context.WithTimeout(ctx, v.Timeout)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		topic, err := v.seen(ctx, look, nonce)
		switch {
		case err != nil:
			return "", "", err
		case topic != "":
			return migrate.Pass, fmt.Sprintf("its report was accepted and seen on %s", topic), nil
		}
		select {
		case <-tick.C:
		case <-within.Done():
			return migrate.Inconclusive, "its report was accepted, but is not seen at the sink yet", ctx.Err()
		}
	}
}

// seen returns the topic of the report at the sink, or nothing. What the sink shows before an error counts.
func (v *canary) seen(ctx context.Context, look canaryLook, nonce string) (topic string, err error) {
	messages, err := latest(ctx, v.Sink, []migrate.SubjectDevice{look.SubjectDevice})
	for _, m := range messages[look.ID] {
		if m.Instance == look.Target.Info.ID && IsReport(m) && v.Carries(m, nonce) {
			return m.Topic, nil
		}
	}
	return "", err
}

// reportNonce returns a number that only this look knows, as a report carries it. A float holds 24 bits exactly; small numbers
// are left out, as many reports have some.
func reportNonce() string {
	const bits = 24
	return strconv.FormatUint(uint64(1<<(bits-1)|rand.Uint32N(1<<(bits-1))), 10)
}

// carries reports whether a number in the payload equals the nonce, however it is written.
func carries(m iot.Message, nonce string) bool {
	want, err := strconv.ParseFloat(nonce, 64)
	if err != nil {
		return false
	}
	other := func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }
	for number := range bytes.FieldsFuncSeq(m.Payload, other) {
		if got, err := strconv.ParseFloat(string(number), 64); err == nil && got == want {
			return true
		}
	}
	return false
}
