package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/verify"
)

// A queue is one consumer group. What was received is settled by the next call.
type queue struct {
	mu        sync.Mutex
	waiting   []iot.Message
	unsettled []iot.Message
	asked     []string
	err       error
	slow      time.Duration
}

func (q *queue) Receive(ctx context.Context, group string, limit int) ([]iot.Message, error) {
	if q.slow > 0 {
		select {
		case <-time.After(q.slow):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked = append(q.asked, group)
	if q.err != nil {
		return nil, q.err
	}
	n := min(limit, len(q.waiting))
	q.unsettled, q.waiting = q.waiting[:n:n], q.waiting[n:]
	return q.unsettled, nil
}

func inbox(t *testing.T, c verify.InboxConfig) *verify.Inbox {
	t.Helper()
	if c.Group == nil {
		c.Group = verify.GroupID("group-1")
	}
	box, err := verify.NewInbox(c)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func topics(t *testing.T, sink verify.Sink, ids ...iot.DeviceID) []string {
	t.Helper()
	var all []string
	for m, err := range sink.Latest(t.Context(), ids) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.ID)
	}
	return all
}

func numbered(n int, topic string, at time.Time) iot.Message {
	return iot.Message{ID: fmt.Sprint(n), Topic: "/" + meter.String() + topic, Generated: at, Instance: targetID}
}

func TestInboxKeepsTheNewestReportAndTheAnswers(t *testing.T) {
	q := &queue{waiting: []iot.Message{
		numbered(1, "/user/update", now),
		numbered(2, "/user/update", now.Add(time.Second)),
		numbered(3, "/user/update", now.Add(-time.Second)), // order is not kept
		numbered(2, "/user/update", now.Add(time.Second)),  // a duplicate
		numbered(4, "/thing/downlink/reply/message", now),
		numbered(4, "/thing/downlink/reply/message", now), // a duplicate
		numbered(5, "/user/ack", now.Add(-time.Hour)),
		numbered(6, "/thing/lifecycle", now.Add(time.Hour)),
		{ID: "7", Topic: "/as/mqtt/status/" + meter.String(), Generated: now.Add(time.Hour)},
		{ID: "8", Topic: "nonsense", Generated: now.Add(time.Hour)},
	}}
	box := inbox(t, verify.InboxConfig{Receiver: q, Keep: func(m iot.Message) bool { return strings.HasSuffix(m.Topic, "/ack") }})
	if diff := cmp.Diff([]string{"2", "4", "5"}, topics(t, box, meter, dev(meters, "meter-0002"))); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if len(q.unsettled) > 0 {
		t.Errorf("%d messages were not settled", len(q.unsettled))
	}
	if diff := cmp.Diff([]string{"2", "4", "5"}, topics(t, box, meter)); diff != "" {
		t.Errorf("a second look (-want +got):\n%s", diff)
	}
}

func TestInboxIsBounded(t *testing.T) {
	q := new(queue)
	for i := range 1000 {
		q.waiting = append(q.waiting, numbered(i, "/thing/downlink/reply/message", now))
	}
	box := inbox(t, verify.InboxConfig{Receiver: q, MaxMessages: 250})
	if diff := cmp.Diff([]string{"242", "243", "244", "245", "246", "247", "248", "249"}, topics(t, box, meter)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if len(q.waiting) != 750 {
		t.Errorf("%d messages are left, want 750", len(q.waiting))
	}
}

func TestInboxFindsItsGroupLate(t *testing.T) {
	target := newSite(targetID)
	q := &queue{waiting: []iot.Message{numbered(1, "/user/update", now)}}
	box := inbox(t, verify.InboxConfig{Receiver: q, Group: verify.GroupNamed(target, "verify")})
	for _, err := range box.Latest(t.Context(), []iot.DeviceID{meter}) {
		if !errors.Is(err, iot.NotFound) {
			t.Errorf("before the group is there: %v", err)
		}
	}
	target.groups = []iot.ConsumerGroup{{ID: "g1", Name: "other"}, {ID: "g2", Name: "verify"}}
	if got := topics(t, box, meter); len(got) != 1 {
		t.Errorf("got the messages %v", got)
	}
	topics(t, box, meter)
	if target.count("Groups") != 2 || q.asked[0] != "g2" {
		t.Errorf("the groups were listed %d times, and %q was read", target.count("Groups"), q.asked[0])
	}
	target.fails["Groups"] = fault(iot.Denied)
	if _, err := verify.GroupNamed(target, "verify2")(t.Context()); !errors.Is(err, iot.Denied) {
		t.Errorf("got %v", err)
	}
}

func TestInboxYieldsWhatItKnowsBeforeAnError(t *testing.T) {
	q := &queue{waiting: []iot.Message{numbered(1, "/user/update", now)}}
	box := inbox(t, verify.InboxConfig{Receiver: q})
	topics(t, box, meter)
	q.err = fault(iot.Transient)
	var got []string
	var last error
	for m, err := range box.Latest(t.Context(), []iot.DeviceID{meter}) {
		got, last = append(got, m.ID), err
	}
	if diff := cmp.Diff([]string{"1", ""}, got); diff != "" || !errors.Is(last, iot.Transient) {
		t.Errorf("error %v, messages (-want +got):\n%s", last, diff)
	}
}

func TestInboxObeysTheContextWhileAnotherLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := inbox(t, verify.InboxConfig{Receiver: &queue{slow: time.Minute}})
		var done sync.WaitGroup
		done.Go(func() { topics(t, box, meter) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		for _, err := range box.Latest(ctx, []iot.DeviceID{meter}) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		done.Wait()
	})
}

func TestInboxForMany(t *testing.T) {
	q := new(queue)
	for i := range 5000 {
		q.waiting = append(q.waiting, message(dev(meters, fmt.Sprintf("meter-%05d", i%100)), now.Add(time.Duration(i)), targetID))
	}
	box := inbox(t, verify.InboxConfig{Receiver: q})
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			if got := topics(t, box, many(100)...); len(got) != 100 {
				t.Errorf("got %d messages", len(got))
			}
		})
	}
	readers.Wait()
}

func TestNewInboxRefuses(t *testing.T) {
	group := verify.GroupID("g")
	for _, c := range []verify.InboxConfig{
		{Group: group}, {Receiver: new(queue)}, {Receiver: new(queue), Group: group, MaxMessages: -1},
	} {
		if _, err := verify.NewInbox(c); !errors.Is(err, iot.Invalid) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
