package chaos

import (
	"context"
	"encoding/json"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/verify"
)

// A stormyMover says of devices that they were refused: of some that were, and of some that were not.
type stormyMover struct {
	iot.Mover
	world *world
}

func (m stormyMover) Move(ctx context.Context, product string, names []string) ([]iot.MoveResult, error) {
	w := m.world
	r := w.weather.roll("answer of a move", product, strings.Join(names, ","))
	results, err := m.Mover.Move(ctx, product, names)
	if !w.weather.bad() {
		return results, err
	}
	if iot.KindOf(err) == iot.Denied {
		w.hitLane(product, "the credentials had expired")
	}
	for i := range results {
		if n := results[i].DeviceName; r("seen refused "+n) < w.weather.rates.Refused+w.weather.rates.AcceptedUnseen {
			results[i] = iot.MoveResult{DeviceName: n, Code: 500, Message: "系统错误"}
		}
		id := iot.DeviceID{ProductKey: product, DeviceName: results[i].DeviceName}
		if owner, _ := w.cloud.Owner(id); owner == "" && results[i].Accepted {
			w.hitFamily(id, "the platform said that it moved, and it did not")
		}
	}
	return results, err
}

// A staleReader answers now and then what it answered a little before.
type staleReader struct {
	iot.StateReader
	weather *weather
	checker *checker
	at      string

	mu  *sync.Mutex
	old map[string]staleAnswer
}

type staleAnswer struct {
	at     time.Time
	states []iot.DeviceState
}

// maxStale is how old an answer may be: less than the delay within which the platform is trusted to show an effect.
const maxStale = 15 * time.Second

func (s staleReader) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	r := s.weather.roll("stale", s.at, product, strings.Join(names, ","))
	now := s.weather.now()
	key := product + strings.Join(names, ",")
	s.mu.Lock()
	old, ok := s.old[key]
	s.mu.Unlock()
	if ok && s.weather.bad() && now.Sub(old.at) < maxStale && r("stale") < s.weather.rates.Stale {
		s.checker.saw(s.at, product, names, old.states)
		return old.states, nil
	}
	states, err := s.StateReader.States(ctx, product, names)
	if err == nil {
		s.checker.saw(s.at, product, names, states)
		s.mu.Lock()
		s.old[key] = staleAnswer{now, slices.Clone(states)}
		s.mu.Unlock()
	}
	return states, err
}

// A witness sees what devices really answer.
type witness struct {
	iot.Commander
	checker *checker
}

func (w witness) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	answer, err := w.Commander.Call(ctx, id, payload, timeout)
	if err == nil {
		w.checker.answers(id)
	}
	return answer, err
}

func (w witness) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	reply, err := w.Commander.Invoke(ctx, id, service, args)
	if err == nil && reply.Result != nil {
		w.checker.answers(id)
	}
	return reply, err
}

// A stormySink repeats messages, mixes them up and loses some: a gap is a message that does not come this time.
type stormySink struct {
	verify.Sink
	weather *weather
}

func (s stormySink) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		var list []iot.Message
		var failed error
		for m, err := range s.Sink.Latest(ctx, ids) {
			if err != nil {
				failed = err
				break
			}
			list = append(list, m)
		}
		for _, m := range s.weather.disturb(list) {
			if !yield(m, nil) {
				return
			}
		}
		if failed != nil {
			yield(iot.Message{}, failed)
		}
	}
}

// A stormyReceiver does the same to a consumer group. What it loses is gone.
type stormyReceiver struct {
	iot.Receiver
	weather *weather
}

func (r stormyReceiver) Receive(ctx context.Context, group string, limit int) ([]iot.Message, error) {
	list, err := r.Receiver.Receive(ctx, group, limit)
	return r.weather.disturb(list), err
}

func (w *weather) disturb(list []iot.Message) []iot.Message {
	if !w.bad() || len(list) == 0 {
		return list
	}
	r := w.roll("messages", list[0].Topic)
	var out []iot.Message
	for i, m := range list {
		which := m.Topic + m.Generated.String() // IDs are given out in the order in which goroutines come
		if u := r("gap" + which); u < w.rates.Gap && len(list) > 1 {
			continue
		}
		out = append(out, m)
		if r("duplicate"+which) < w.rates.Duplicate {
			out = append(out, list[i/2], m)
		}
	}
	if r("shuffle") < w.rates.Shuffle {
		rng := rand.New(rand.NewPCG(w.seed, uint64(len(out))))
		rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}
