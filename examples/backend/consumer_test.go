package main

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route/dual"
)

// A queue is the consumer group of one instance.
type queue struct {
	iot.ForwardingReader

	mu      sync.Mutex
	waiting []iot.Message
}

func (q *queue) put(m iot.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, m)
}

func (q *queue) Groups(context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	return func(yield func(iot.ConsumerGroup, error) bool) { yield(iot.ConsumerGroup{ID: group}, nil) }
}

func (q *queue) Receive(context.Context, string, int) ([]iot.Message, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.waiting
	q.waiting = nil
	return out, nil
}

// While a message waits for older ones these are read: the last one of the source comes a second later than the first of the target.
func TestConsumerReadsWhileMessagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		merge, err := dual.NewMerge(dual.MergeConfig{Handle: func(_ context.Context, m iot.Message) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, m.ID)
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		source, target := &queue{}, &queue{}
		c := &consumer{clock: iot.SystemClock(), handle: merge.Handle, log: slog.New(slog.DiscardHandler), instances: []*readInstance{
			{groups: source, receiver: source, served: true}, {id: "iot-060a0001", groups: target, receiver: target, served: true},
		}}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.run(ctx) })
		now := time.Now()
		target.put(iot.Message{ID: "younger", Topic: "/a1Meter0001/meter-0001/user/update", Generated: now, Instance: "iot-060a0001"})
		<-time.After(time.Second)
		source.put(iot.Message{ID: "older", Topic: "/a1Meter0001/meter-0001/user/update", Generated: now.Add(-time.Second)})
		<-time.After(time.Second)
		target.put(iot.Message{ID: "last", Topic: "/a1Meter0001/meter-0001/user/update", Generated: now.Add(time.Second), Instance: "iot-060a0001"})
		<-time.After(500 * time.Millisecond)
		cancel()
		running.Wait() // what waits is handled
		if want := []string{"older", "younger", "last"}; !slices.Equal(got, want) {
			t.Errorf("handled %v, want %v", got, want)
		}
	})
}
