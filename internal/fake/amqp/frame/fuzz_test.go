package frame_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// FuzzReader cuts any stream into frames and reads their bodies: it never panics, its errors are as promised, and what it
// understands it can write in a way that it understands the same.
func FuzzReader(f *testing.F) {
	for _, body := range []frame.Body{
		nil,
		&frame.Open{ContainerID: "c", Hostname: "h", IdleTimeout: 1},
		&frame.Begin{RemoteChannel: frame.Some[uint16](3)},
		&frame.Attach{Name: "l", Source: &frame.Terminus{Address: "a", Dynamic: true}, Target: &frame.Terminus{}},
		&frame.Flow{Handle: frame.Some[uint32](1), Echo: true},
		&frame.Transfer{DeliveryTag: []byte("tag"), More: true},
		&frame.Disposition{State: frame.Rejected},
		&frame.Detach{Error: &frame.Error{Condition: "c", Description: "d"}},
		&frame.Mechanisms{Names: []string{"PLAIN", "ANONYMOUS"}},
		&frame.Init{Mechanism: "PLAIN", Response: []byte("\x00u\x00p")},
	} {
		f.Add(frame.Append(nil, frame.AMQP, 1, body, nil))
	}
	f.Add(unhex(f, "0000001a 02 00 0000 00 a3[616d71703a656e643a6c697374] 45"))
	f.Add(unhex(f, "0000001f 02 00 0000 00 53 40 d0 {00000001 f0{ffffffff a3 00}}"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := frame.NewReader(bytes.NewReader(stream), 4096)
		for {
			ready := r.Ready()
			in, err := r.Next()
			if _, malformed := errors.AsType[*frame.Error](err); err != nil {
				if ready && !malformed {
					t.Fatalf("a frame that was ready cannot be read: %v", err)
				}
				return
			}
			body, payload, err := frame.Decode(in.Body)
			if _, malformed := errors.AsType[*frame.Error](err); err != nil {
				if !malformed {
					t.Fatalf("unexpected error %v", err)
				}
				continue
			}
			again(t, in.Channel, body, payload)
		}
	})
}

// again writes what was read, and reads it.
func again(t *testing.T, channel uint16, body frame.Body, payload []byte) {
	out := frame.Append(nil, frame.AMQP, channel, body, payload)
	in, err := frame.NewReader(bytes.NewReader(out), 1<<16).Next()
	if err != nil || in.Channel != channel {
		t.Fatalf("%+v is written as %x: %v", body, out, err)
	}
	got, rest, err := frame.Decode(in.Body)
	if err != nil || !bytes.Equal(rest, payload) {
		t.Fatalf("%+v is written as %x: %v, payload %x", body, out, err, rest)
	}
	if diff := cmp.Diff(body, got, comparer, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("(-read +read again)\n%s", diff)
	}
}
