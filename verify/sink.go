package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A Sink is where messages of devices arrive: a queue, a table or a server that the caller owns, or an
// [Inbox]. It must be safe for concurrent use.
type Sink interface {
	// Latest yields what the sink knows of the devices now: for each of them at least its newest message,
	// if there is one. Older ones may come as well, in any order; a device without a message is left out.
	// It does not wait for more. On an error it yields the zero message and the error once, and ends.
	// It is asked about 1,000 devices at most.
	//
	// Of each message it sets ID as far as known, Topic, Generated, Payload and Instance, the ID of the
	// instance that forwarded it. A message whose Instance is not the target's proves nothing: a sink that
	// the target alone feeds sets the target's ID.
	Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error]
}

// SinkFunc makes a [Sink] of a function.
type SinkFunc func(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error]

// Latest calls f.
func (f SinkFunc) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return f(ctx, ids)
}

// Sinks returns one sink over several, for a fleet whose products are forwarded in different ways. It yields the messages
// of all of them, in their order, and at last the errors of those that could not be asked, joined.
func Sinks(sinks ...Sink) Sink {
	return SinkFunc(func(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return func(yield func(iot.Message, error) bool) {
			var errs []error
			for _, sink := range sinks {
				for m, err := range sink.Latest(ctx, ids) {
					if err != nil {
						errs = append(errs, err)
					} else if !yield(m, nil) {
						return
					}
				}
			}
			if err := errors.Join(errs...); err != nil {
				yield(iot.Message{}, err)
			}
		}
	})
}

// maxLatest is how many devices a sink is asked about at once: see [Sink].
const maxLatest = 1000

// IsReport reports whether a device published m to report data: on a custom topic, or by the thing model
// (see [IsAlinkPost]), or as raw data that a script of the product parses. Status, lifecycle and topology
// messages are the platform's own; answers to services are no reports either.
func IsReport(m iot.Message) bool {
	path := below(m)
	return strings.HasPrefix(path, "user/") || path == "thing/model/up_raw" || IsAlinkPost(m)
}

// IsAlinkPost reports whether m is a property or event post of the thing model, a batch or the history of them.
func IsAlinkPost(m iot.Message) bool {
	path := below(m)
	return strings.HasPrefix(path, "thing/event/") || path == "thing/property/batch/post"
}

// IsReply reports whether m is a device's answer to an asynchronous service or to a property setting.
func IsReply(m iot.Message) bool { return below(m) == "thing/downlink/reply/message" }

// below returns the part of the topic below the device, or nothing if the topic is no device's own.
func below(m iot.Message) string {
	id, ok := m.Device()
	if !ok {
		return ""
	}
	path, ok := strings.CutPrefix(strings.TrimPrefix(m.Topic, "/sys"), "/"+id.String()+"/")
	if !ok {
		return ""
	}
	return path
}

// latest asks a sink and sorts its messages by device. What it yields of other devices is dropped.
func latest(ctx context.Context, sink Sink, devices []migrate.SubjectDevice) (map[iot.DeviceID][]iot.Message, error) {
	asked := make(map[iot.DeviceID][]iot.Message, len(devices))
	for _, d := range devices {
		asked[d.ID] = nil
	}
	for m, err := range sink.Latest(ctx, idsOf(devices)) {
		if err != nil {
			return asked, fmt.Errorf("verify: ask the sink: %w", err)
		}
		id, _ := m.Device()
		if known, ok := asked[id]; ok {
			asked[id] = append(known, m)
		}
	}
	return asked, nil
}
