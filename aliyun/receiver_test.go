package aliyun_test

import (
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// TestReceivers drains both instances as a verifier does: look by look, over a connection that is kept.
func TestReceivers(t *testing.T) {
	u := newUplink(t, 20)
	config := u.config()
	config.ClientID = "campaign-1"
	client := openClient(t, config)
	for i, receiver := range []iot.Receiver{client.SourceReceiver(), client.TargetReceiver()} {
		instance := []string{"", testTarget}[i]
		u.clock.Advance(5 * time.Minute)
		want := u.status(t, instance).Backlog
		times := map[string]int{}
		for len(times) < want {
			messages, err := receiver.Receive(t.Context(), defaultGroup, 7)
			if err != nil || len(messages) > 7 {
				t.Fatalf("%d messages: %v", len(messages), err)
			}
			for _, m := range messages {
				times[m.ID]++
				if m.Instance != instance {
					t.Errorf("message of %q marked with %q", instance, m.Instance)
				}
			}
		}
		if messages, err := receiver.Receive(t.Context(), defaultGroup, 7); len(messages) != 0 || err != nil {
			t.Errorf("%d messages where there is none: %v", len(messages), err)
		}
		for id, n := range times {
			if n != 1 {
				t.Errorf("message %s came %d times", id, n)
			}
		}
		if status := u.status(t, instance); status.Clients != 1 || len(times) != want || want == 0 {
			t.Errorf("%d of %d messages, status %+v", len(times), want, status)
		}
	}
	if client.SourceReceiver() != client.SourceReceiver() {
		t.Error("there are two receivers of one instance")
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if _, err := client.SourceReceiver().Receive(t.Context(), defaultGroup, 1); iot.KindOf(err) != iot.Invalid {
		t.Errorf("after Close: %v", err)
	}
}

func TestReceiverWaits(t *testing.T) {
	u := newUplink(t, 0)
	config := u.config()
	config.ReceiveWait = 10 * time.Millisecond
	client := openClient(t, config)
	for range 3 {
		began := time.Now()
		messages, err := client.TargetReceiver().Receive(t.Context(), defaultGroup, 1)
		if took := time.Since(began); err != nil || messages != nil || took < config.ReceiveWait {
			t.Errorf("%d messages after %v: %v", len(messages), took, err)
		}
	}
}

func TestReceiverOfUnknownGroup(t *testing.T) {
	client := openClient(t, newUplink(t, 0).config())
	if _, err := client.TargetReceiver().Receive(t.Context(), "nobody", 1); iot.KindOf(err) != iot.NotFound {
		t.Errorf("got %v", err)
	}
}
