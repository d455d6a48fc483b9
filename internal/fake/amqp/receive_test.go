package amqp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goamqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// TestMessage checks what a client gets: the body as it is, and three properties of the types that the vendor's samples
// read.
func TestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, nil)
		b.clock.Advance(time.Minute)
		c, r := b.receiver(nil)
		got := b.receive(r, 1)[0]
		_ = c.Close() // it comes again
		synctest.Wait()
		consumer, err := b.cloud.Consume("", group, "another")
		if err != nil {
			t.Fatal(err)
		}
		list, err := consumer.Receive(1)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		want := list[0].Message
		properties := map[string]any{"topic": want.Topic, "messageId": want.ID, "generateTime": want.Generated.UnixMilli()}
		if diff := cmp.Diff(properties, got.ApplicationProperties); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([][]byte{want.Payload}, got.Data); diff != "" || !json.Valid(want.Payload) {
			t.Errorf("(-want +got)\n%s", diff)
		}
		if got.Value != nil || got.Properties != nil || got.Header != nil {
			t.Errorf("more than a body and its properties: %+v", got)
		}
	})
}

// TestSettling checks which deliveries come again when the client has gone.
func TestSettling(t *testing.T) {
	first, second, settled := goamqp.ReceiverSettleModeFirst, goamqp.ReceiverSettleModeSecond, goamqp.SenderSettleModeSettled
	type act = func(*testing.T, *goamqp.Receiver, *goamqp.Message) error
	accept := func(t *testing.T, r *goamqp.Receiver, m *goamqp.Message) error {
		return r.AcceptMessage(t.Context(), m)
	}
	release := func(t *testing.T, r *goamqp.Receiver, m *goamqp.Message) error {
		return r.ReleaseMessage(t.Context(), m)
	}
	reject := func(t *testing.T, r *goamqp.Receiver, m *goamqp.Message) error {
		return r.RejectMessage(t.Context(), m, nil)
	}
	modify := func(t *testing.T, r *goamqp.Receiver, m *goamqp.Message) error {
		return r.ModifyMessage(t.Context(), m, &goamqp.ModifyMessageOptions{UndeliverableHere: true})
	}
	tests := []struct {
		name    string
		options goamqp.ReceiverOptions
		act     act
		again   int // of 3
	}{
		{"nothing said", goamqp.ReceiverOptions{}, nil, 3},
		{"accepted", goamqp.ReceiverOptions{SettlementMode: &first}, accept, 0},
		{"accepted, the server settles first", goamqp.ReceiverOptions{SettlementMode: &second}, accept, 0},
		{"released", goamqp.ReceiverOptions{}, release, 3},
		{"rejected", goamqp.ReceiverOptions{}, reject, 3},
		{"modified", goamqp.ReceiverOptions{}, modify, 3},
		{"released, the server settles first", goamqp.ReceiverOptions{SettlementMode: &second}, release, 3},
		{"sent settled", goamqp.ReceiverOptions{RequestedSenderSettleMode: &settled}, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 3, nil)
				b.clock.Advance(time.Minute)
				tt.options.Credit = 10
				c, r := b.receiver(&tt.options)
				for _, m := range b.receive(r, 3) {
					if tt.act == nil {
						continue
					}
					if err := tt.act(t, r, m); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if n := b.backlog(); n != 0 {
					t.Errorf("%d messages come again at once", n)
				}
				_ = c.Close() // its error is about the end of the pipe
				synctest.Wait()
				if n := b.backlog(); n != tt.again {
					t.Errorf("%d messages come again when the client has gone, want %d", n, tt.again)
				}
			})
		})
	}
}

// TestRedelivery checks that what was not accepted comes again after a minute of the platform's time, on the same link, and
// what was does not.
func TestRedelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, nil)
		b.clock.Advance(time.Minute)
		_, r := b.receiver(&goamqp.ReceiverOptions{Credit: 10})
		got := b.receive(r, 3)
		if err := r.AcceptMessage(t.Context(), got[1]); err != nil {
			t.Fatal(err)
		}
		if err := r.ReleaseMessage(t.Context(), got[2]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.clock.Advance(time.Minute)
		var again []string
		for _, m := range b.receive(r, 5) { // with the next three reports
			again = append(again, idOf(m))
		}
		if !slices.Contains(again, idOf(got[0])) || slices.Contains(again, idOf(got[1])) || !slices.Contains(again, idOf(got[2])) {
			t.Errorf("%s came, of which the second was accepted; then came %s", []string{idOf(got[0]), idOf(got[1]), idOf(got[2])}, again)
		}
	})
}

// TestBatches checks that many deliveries can be settled at once, in any order, and more than there are.
func TestBatches(t *testing.T) {
	for name, list := range map[string][]frame.Disposition{
		"all":               {{First: 0, Last: frame.Some[uint32](9)}},
		"backwards":         {{First: 5, Last: frame.Some[uint32](9)}, {First: 0, Last: frame.Some[uint32](4)}},
		"overlapping":       {{First: 3, Last: frame.Some[uint32](9)}, {First: 0, Last: frame.Some[uint32](8)}},
		"more than all":     {{First: 1<<32 - 5, Last: frame.Some[uint32](1000)}},
		"settled, no state": {{First: 0, Last: frame.Some[uint32](9), State: frame.NoState}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 10, nil)
				b.clock.Advance(time.Minute)
				p := b.peer()
				p.open(1<<16, 100)
				p.attach(10)
				for range 10 {
					expect[*frame.Transfer](p)
				}
				for i := range list {
					d := &list[i]
					d.Role, d.Settled = frame.Receiver, true
					if !strings.Contains(name, "no state") {
						d.State = frame.Accepted
					}
					p.send(0, d)
				}
				p.send(0, &frame.Close{})
				expect[*frame.Close](p)
				_ = p.nc.Close()
				synctest.Wait()
				if n := b.backlog(); n != 0 {
					t.Errorf("%d messages come again", n)
				}
			})
		})
	}
}

// TestCredit checks that a client gets as many deliveries as it has given credit for, counted from what it has
// seen, and the answers to flows that ask for one.
func TestCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 20, nil)
		b.clock.Advance(time.Minute)
		p := b.peer()
		p.open(1<<16, 1000)
		p.attach(0)
		if !p.silent() {
			t.Error("messages without credit")
		}
		p.send(0, flow(0, 5, 1000))
		for i := range uint32(5) {
			if id := expect[*frame.Transfer](p).DeliveryID; id != frame.Some(i) {
				t.Errorf("delivery %d has ID %+v", i, id)
			}
		}
		p.send(0, flow(3, 3, 1000)) // two were on their way then
		expect[*frame.Transfer](p)
		if !p.silent() {
			t.Error("more messages than credit")
		}
		ask := flow(6, 0, 1000)
		ask.Echo = true
		p.send(0, ask)
		want := &frame.Flow{
			NextIncomingID: frame.Some[uint32](0), IncomingWindow: 2048, NextOutgoingID: 6, OutgoingWindow: 1<<31 - 1,
			Handle: frame.Some[uint32](0), DeliveryCount: frame.Some[uint32](6), LinkCredit: frame.Some[uint32](0), Available: frame.Some[uint32](0),
		}
		if diff := cmp.Diff(want, expect[*frame.Flow](p)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		p.send(0, &frame.Flow{NextIncomingID: frame.Some[uint32](6), IncomingWindow: 1000, Echo: true})
		if f := expect[*frame.Flow](p); f.Handle.Set || f.NextOutgoingID != 6 {
			t.Errorf("a flow about the session: %+v", f)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, nil)
		b.clock.Advance(time.Minute)
		_, r := b.receiver(&goamqp.ReceiverOptions{Credit: -1})
		for round, credit := range []uint32{10, 3} { // more than there is, and as much
			if err := r.IssueCredit(credit); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // else go-amqp forgets the credit
			if err := r.DrainCredit(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				m := r.Prefetched()
				if m == nil {
					t.Fatalf("round %d: a message is missing", round)
				}
				if err := r.AcceptMessage(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			b.clock.Advance(time.Minute)
			time.Sleep(time.Second)
			if m := r.Prefetched(); m != nil {
				t.Errorf("round %d: a message without credit", round)
			}
		}
	})
}

// TestDrainGivesBack checks the flow that answers a drain.
func TestDrainGivesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, nil)
		b.clock.Advance(time.Minute)
		p := b.peer()
		p.open(512, 100)
		p.attach(0)
		drain := flow(0, 10, 100)
		drain.Drain = true
		p.send(0, drain)
		for range 3 {
			expect[*frame.Transfer](p)
		}
		f := expect[*frame.Flow](p)
		if f.DeliveryCount != frame.Some[uint32](10) || f.LinkCredit != frame.Some[uint32](0) || !f.Drain || f.NextOutgoingID != 3 {
			t.Errorf("the credit is given back with %+v", f)
		}
	})
}

// TestLinkAgain checks that a link that was detached leaves its message to the next one, where it has a new ID.
func TestLinkAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, nil)
		b.clock.Advance(time.Minute)
		p := b.peer()
		p.open(512, 100)
		for id := range uint32(3) {
			p.attach(1)
			if got := expect[*frame.Transfer](p).DeliveryID; got != frame.Some(id) {
				t.Errorf("on link %d the delivery's ID is %+v", id, got)
			}
			p.send(0, &frame.Detach{Closed: id > 0})
			if d := expect[*frame.Detach](p); d.Closed != (id > 0) || d.Error != nil {
				t.Errorf("detached with %+v", d)
			}
		}
		p.attach(1)
		expect[*frame.Transfer](p)
		p.send(0, &frame.Disposition{Role: frame.Receiver, First: 3, Settled: true, State: frame.Accepted}, &frame.Detach{})
		expect[*frame.Detach](p)
		if n := b.backlog(); n != 0 {
			t.Errorf("%d messages come again", n)
		}
	})
}

// TestFramesAndWindow checks that a message larger than a frame comes in parts that fit, no faster than
// the session's window allows, and whole.
func TestFramesAndWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, newWideFleet(), nil)
		b.clock.Advance(time.Minute)
		p := b.peer()
		p.open(512, 3)
		p.send(0, receiverLink(0))
		expect[*frame.Attach](p)
		p.send(0, flow(0, 1, 3))
		message, parts := []byte(nil), uint32(0)
		for more := true; more; parts++ {
			if parts > 0 && parts%3 == 0 {
				if !p.silent() {
					t.Fatal("a transfer beyond the window")
				}
				p.send(0, &frame.Flow{NextIncomingID: frame.Some(parts), IncomingWindow: 3})
			}
			f, err := p.r.Next()
			if err != nil {
				t.Fatal(err)
			}
			body, payload, err := frame.Decode(f.Body)
			tr, ok := body.(*frame.Transfer)
			if !ok || err != nil || len(f.Body) > 512-8 || tr.DeliveryID.Set != (parts == 0) {
				t.Fatalf("part %d: %+v of %d bytes, %v", parts, body, len(f.Body)+8, err)
			}
			message, more = append(message, payload...), tr.More
		}
		var m goamqp.Message
		if err := m.UnmarshalBinary(message); err != nil || !json.Valid(m.GetData()) || parts < 6 {
			t.Errorf("%d parts: %v, %q", parts, err, m.GetData())
		}
		if !p.silent() {
			t.Error("more than the credit")
		}
	})
}

// TestOneLink checks that a connection has one receiver link at a time, and none that sends.
func TestOneLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, nil)
		c, r := b.receiver(nil)
		s, err := c.NewSession(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.NewReceiver(t.Context(), "q", nil); conditionOf(err) != frame.CondNotAllowed {
			t.Errorf("a second link: %v", err)
		}
		if _, err := s.NewSender(t.Context(), "q", nil); conditionOf(err) != frame.CondNotAllowed {
			t.Errorf("a sender: %v", err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		r, err = s.NewReceiver(t.Context(), "q", nil)
		if err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Minute)
		b.receive(r, 1)
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := b.backlog(); n != 1 {
			t.Errorf("the session has ended: %d messages come again, want 1", n)
		}
	})
}

// TestInstances checks that a login chooses the instance, by an ID or none.
func TestInstances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, nil)
		b.clock.Advance(time.Minute)
		p, err := b.cloud.Platform(target, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := options()
		o.SASLType = goamqp.SASLTypePlain(userName(target, group), password())
		b.attach(b.dial(o), nil)
		atSource, err := p.Source.GroupStatus(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		atTarget, err := p.Target.GroupStatus(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		if atSource.Clients != 0 || atTarget.Clients != 1 {
			t.Errorf("clients: %d at the source, %d at the target", atSource.Clients, atTarget.Clients)
		}
	})
}
