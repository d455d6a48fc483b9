package frame_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// What a terminus says of its place is no field of it.
var comparer = cmpopts.IgnoreUnexported(frame.Terminus{})

// unhex reads hexadecimal numbers. Those in brackets have their size in front, in one byte for [] and in four for {}.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	outer := [][]byte{nil}
	top := func() *[]byte { return &outer[len(outer)-1] }
	for s = strings.ReplaceAll(s, " ", ""); s != ""; {
		switch s[0] {
		case '[', '{':
			outer = append(outer, nil)
			s = s[1:]
		case ']', '}':
			inner := *top()
			outer = outer[:len(outer)-1]
			if s[0] == '}' {
				*top() = append(*top(), 0, 0, byte(len(inner)>>8))
			}
			*top() = append(append(*top(), byte(len(inner))), inner...)
			s = s[1:]
		default:
			b, err := hex.DecodeString(s[:2])
			if err != nil {
				t.Fatal(err)
			}
			*top() = append(*top(), b...)
			s = s[2:]
		}
	}
	return *top()
}

// TestFrames compares frames with their bytes, which were taken from the standard by hand.
func TestFrames(t *testing.T) {
	tests := []struct {
		name    string
		kind    uint8
		channel uint16
		body    frame.Body
		payload string
		want    string // in hexadecimal
	}{
		{"empty", frame.AMQP, 0, nil, "", "00000008 02 00 0000"},
		{"open", frame.AMQP, 0, &frame.Open{ContainerID: "c", MaxFrameSize: 65536, ChannelMax: 7, IdleTimeout: 30000}, "",
			"00000025 02 00 0000 00 53 10 d0 {00000005 a1[63] 40 70 00010000 60 0007 70 00007530}"},
		{"open with nothing but a name", frame.AMQP, 0, &frame.Open{MaxFrameSize: frame.NoLimit, ChannelMax: 65535}, "",
			"00000016 02 00 0000 00 53 10 d0 {00000001 a1[]}"},
		{"begin", frame.AMQP, 3, &frame.Begin{RemoteChannel: frame.Some[uint16](3), IncomingWindow: 5, OutgoingWindow: 256, HandleMax: 1}, "",
			"00000021 02 00 0003 00 53 11 d0 {00000005 60 0003 43 52 05 70 00000100 52 01}"},
		{"attach", frame.AMQP, 1, &frame.Attach{
			Name: "l", Role: frame.Receiver, SenderSettles: frame.Unsettled, ReceiverSettles: frame.Second,
			Source: &frame.Terminus{Address: "q"}, Target: &frame.Terminus{},
		}, "", "00000030 02 00 0001 00 53 12 d0 {00000007 a1[6c] 43 41 50 00 50 01" +
			"00 53 28 d0 {00000001 a1[71]} 00 53 29 45}"},
		{"flow", frame.AMQP, 0, &frame.Flow{
			NextIncomingID: frame.Some[uint32](0), IncomingWindow: 1, NextOutgoingID: 2, OutgoingWindow: 3,
			Handle: frame.Some[uint32](0), LinkCredit: frame.Some[uint32](9), Drain: true,
		}, "", "00000021 02 00 0000 00 53 13 d0 {00000009 43 52 01 52 02 52 03 43 40 52 09 40 41}"},
		{"transfer", frame.AMQP, 0, &frame.Transfer{
			Handle: 1, DeliveryID: frame.Some[uint32](7), DeliveryTag: []byte{7}, MessageFormat: frame.Some[uint32](0), More: true,
		}, "payload", "00000025 02 00 0000 00 53 14 d0 {00000006 52 01 52 07 a0[07] 43 40 41}" + hex.EncodeToString([]byte("payload"))},
		{"disposition", frame.AMQP, 0, &frame.Disposition{
			Role: frame.Receiver, First: 1, Last: frame.Some[uint32](2), Settled: true, State: frame.Accepted,
		}, "", "0000001e 02 00 0000 00 53 15 d0 {00000005 41 52 01 52 02 41 00 53 24 45}"},
		{"detach", frame.AMQP, 0, &frame.Detach{Closed: true, Error: &frame.Error{Condition: "amqp:not-found"}}, "",
			"00000032 02 00 0000 00 53 16 d0 {00000003 43 41 00 53 1d d0 {00000001 a3[" + hex.EncodeToString([]byte("amqp:not-found")) + "]}}"},
		{"end", frame.AMQP, 0, &frame.End{}, "", "0000000c 02 00 0000 00 53 17 45"},
		{"close", frame.AMQP, 0, &frame.Close{}, "", "0000000c 02 00 0000 00 53 18 45"},
		{"mechanisms", frame.SASL, 0, &frame.Mechanisms{Names: []string{"PLAIN"}}, "",
			"00000027 02 01 0000 00 53 40 d0 {00000001 f0 {00000001 b3 {504c41494e}}}"},
		{"init", frame.SASL, 0, &frame.Init{Mechanism: "PLAIN", Response: []byte("\x00u\x00p")}, "",
			"00000021 02 01 0000 00 53 41 d0 {00000002 a3[504c41494e] a0[00750070]}"},
		{"outcome", frame.SASL, 0, &frame.Outcome{Code: frame.LoginDenied}, "",
			"00000016 02 01 0000 00 53 44 d0 {00000001 50 01}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := frame.Append([]byte("before"), tt.kind, tt.channel, tt.body, []byte(tt.payload))
			want := append([]byte("before"), unhex(t, tt.want)...)
			if diff := cmp.Diff(hex.Dump(want), hex.Dump(got)); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
			f, err := frame.NewReader(bytes.NewReader(got[6:]), 512).Next()
			if err != nil || f.Type != tt.kind || f.Channel != tt.channel {
				t.Fatalf("frame %+v, %v", f, err)
			}
			body, payload, err := frame.Decode(f.Body)
			if err != nil || string(payload) != tt.payload {
				t.Fatalf("payload %q, %v", payload, err)
			}
			if diff := cmp.Diff(tt.body, body, comparer); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestOtherEncodings reads what other implementations write: lists of each form, zero and full numbers, long texts, arrays
// or single symbols, descriptors by name, and fields with anything in them.
func TestOtherEncodings(t *testing.T) {
	sym := func(s string) string { return hex.EncodeToString([]byte(s)) }
	tests := []struct {
		name, body string
		want       frame.Body
	}{
		{"an empty list", "00 53 17 45", &frame.End{}},
		{"a short empty list", "00 53 17 c0 [00]", &frame.End{}},
		{"a long empty list", "00 53 17 d0 {00000000}", &frame.End{}},
		{"a long descriptor", "00 80 0000000000000018 45", &frame.Close{}},
		{"a descriptor by name", "00 a3[" + sym("amqp:open:list") + "] c0 [01 a1[63]]",
			&frame.Open{ContainerID: "c", MaxFrameSize: frame.NoLimit, ChannelMax: 65535}},
		{"a descriptor by long name", "00 b3{" + sym("amqp:close:list") + "} 45", &frame.Close{}},
		{"full numbers and nulls", "00 53 11 c0 [05 40 70 00000000 70 00000001 70 ffffffff 40]",
			&frame.Begin{IncomingWindow: 1, OutgoingWindow: 1<<32 - 1, HandleMax: frame.NoLimit}},
		{"zero and small numbers", "00 53 11 c0 [04 40 43 52 01 52 ff]",
			&frame.Begin{IncomingWindow: 1, OutgoingWindow: 255, HandleMax: frame.NoLimit}},
		{"truth in a byte", "00 53 15 c0 [04 56 01 43 40 56 01]", &frame.Disposition{Role: frame.Receiver, Settled: true}},
		{"falsehood in a byte", "00 53 15 c0 [02 56 00 43]", &frame.Disposition{}},
		{"long texts", "00 53 10 c0 [02 b1{63} b1{}]",
			&frame.Open{ContainerID: "c", MaxFrameSize: frame.NoLimit, ChannelMax: 65535}},
		{"capabilities, locales and properties of an open",
			"00 53 10 c0 [0a a1[] 40 70 00010000 60 00ff 70 0000ea60" +
				"a3[656e]" + // one locale
				"e0[02 a3 [656e] [6465]]" + // two of them
				"40 f0{00000000 a3}" + // no capability
				"c1[02 a3[70] a1[76]]]", // properties
			&frame.Open{MaxFrameSize: 65536, ChannelMax: 255, IdleTimeout: 60000}},
		{"one mechanism", "00 53 40 c0 [01 a3[504c41494e]]", &frame.Mechanisms{Names: []string{"PLAIN"}}},
		{"two mechanisms", "00 53 40 c0 [01 e0[02 a3 [41] [4243]]]", &frame.Mechanisms{Names: []string{"A", "BC"}}},
		{"a source with all its fields, and more of an attach than is known",
			"00 53 12 d0 {0000000f a1[6c] 43 41 40 40" +
				"00 53 28 c0 [0b a1[71] 52 02 a3[] 43 42 c1[00] a3[]" +
				"c1[00] 00 53 24 45 40 e0[00 a3]]" +
				"00 53 29 45 c1[00] 42 43 44 40 40 c1[00] 00 53 18 a1[]}",
			&frame.Attach{Name: "l", Role: frame.Receiver, SenderSettles: frame.Mixed, InitialDeliveryCount: frame.Some[uint32](0),
				Source: &frame.Terminus{Address: "q"}, Target: &frame.Terminus{}}},
		{"a coordinator in place of a target", "00 53 12 c0 [07 a1[6c] 43 42 40 40 40 00 53 30 c0 [01 e0[00 a3]]]",
			&frame.Attach{Name: "l", SenderSettles: frame.Mixed, Target: &frame.Terminus{}}},
		{"an outcome with fields", "00 53 15 c0 [05 41 43 40 41 00 53 27 c0 [03 41 42 c1[02 43 45]]]",
			&frame.Disposition{Role: frame.Receiver, Settled: true, State: frame.Modified}},
		{"an outcome by name", "00 53 15 c0 [05 41 43 40 41 00 a3[" + sym("amqp:accepted:list") + "] 45]",
			&frame.Disposition{Role: frame.Receiver, Settled: true, State: frame.Accepted}},
		{"an outcome of a transaction", "00 53 15 c0 [05 41 43 40 41 00 53 34 c0 [00]]",
			&frame.Disposition{Role: frame.Receiver, Settled: true, State: frame.OtherState}},
		{"an error with a map", "00 53 18 c0 [01 00 53 1d c0 [03 a3[61] 40 c1[02 a1[] 45]]]",
			&frame.Close{Error: &frame.Error{Condition: "a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := frame.Decode(unhex(t, tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, comparer); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"no descriptor", "45", "described value is missing"},
		{"half a descriptor", "00", "value is missing"},
		{"a descriptor that is a text", "00 a1[61] 45", "descriptor has type 0xa1"},
		{"a described descriptor", "00 00 53 10 45 45", "there is no type 0x00"},
		{"an unknown performative", "00 53 99 45", "no performative 0x99"},
		{"an unknown performative by name", "00 a3[61] 45", "no performative 0x0"},
		{"no list", "00 53 10", "value is missing"},
		{"a map in place of a list", "00 53 10 c1[00]", "type 0xc1 in place of a list"},
		{"a list without a length", "00 53 10 c0 []", "length of a list is cut off"},
		{"more values than bytes", "00 53 10 d0 {ffffffff a1[63] 40}", "4294967295 values"},
		{"a field fewer than the list claims", "00 53 10 c0 [02 a1[63]]", "a field is missing"},
		{"a size beyond the end", "00 53 10 d0 ffffffff 00000001 a1", "4294967295 bytes is cut off"},
		{"half a size", "00 53 10 d0 0000", "size of a value is cut off"},
		{"half a number", "00 53 11 c0 [02 40 70 0001]", "4 bytes is cut off"},
		{"a type that does not exist", "00 53 10 c0 [01 10]", "no type 0x10"},
		{"a field that is needed is null", "00 53 10 c0 [01 40]", "needed is absent"},
		{"a field that is needed is left out", "00 53 14 45", "needed is absent"},
		{"a role that is left out", "00 53 15 45", "needed is absent"},
		{"another type", "00 53 10 c0 [01 43]", "field has type 0x43"},
		{"no UTF-8", "00 53 10 c0 [01 a1[ff]]", "not UTF-8"},
		{"a symbol in place of an array of them", "00 53 40 c0 [01 e0[00 43]]", "array of type 0x43"},
		{"an array without a type", "00 53 40 c0 [01 e0[00]]", "array is cut off"},
		{"more symbols than bytes", "00 53 40 d0 {00000001 f0{ffffffff a3 00}}", "symbol of an array is cut off"},
		{"something else in place of an error", "00 53 18 c0 [01 00 53 24 45]", "0x24 in place of an error"},
		{"an error that has no condition", "00 53 18 c0 [01 00 53 1d 45]", "needed is absent"},
		{"a value that is only described", "00 53 15 c0 [05 41 43 40 41 00 53 24 00 44 00 44]", "value is missing"},
		{"a payload that is not a transfer's", "00 53 18 45 00", "1 bytes follow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, _, err := frame.Decode(unhex(t, tt.body))
			e, ok := errors.AsType[*frame.Error](err)
			if !ok || body != nil || e.Condition != frame.CondDecode || !strings.Contains(e.Description, tt.want) {
				t.Errorf("got %+v, %v; want %q", body, err, tt.want)
			}
		})
	}
}

func TestReader(t *testing.T) {
	var stream []byte
	stream = frame.AppendHeader(stream, frame.ProtocolSASL)
	stream = frame.Append(stream, frame.SASL, 0, &frame.Outcome{}, nil)
	stream = frame.AppendHeader(stream, frame.ProtocolAMQP)
	stream = frame.Append(stream, frame.AMQP, 1, &frame.End{}, nil)
	stream = append(stream, unhex(t, "00000010 03 00 0002 ffffffff 00 53 18 45")...) // with more of a header than is known
	r := frame.NewReader(iotest.OneByteReader(bytes.NewReader(stream)), 512)
	if p, ok, err := r.Header(); p != frame.ProtocolSASL || !ok || err != nil {
		t.Fatal(p, ok, err)
	}
	if f, err := r.Next(); err != nil || f.Type != frame.SASL {
		t.Fatal(f, err)
	}
	if p, ok, err := r.Header(); p != frame.ProtocolAMQP || !ok || err != nil {
		t.Fatal(p, ok, err)
	}
	for channel := range uint16(2) {
		f, err := r.Next()
		if err != nil || f.Channel != channel+1 {
			t.Fatal(f, err)
		}
		if _, _, err := frame.Decode(f.Body); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
}

func TestReaderRefuses(t *testing.T) {
	for name, stream := range map[string]string{
		"too large":                    "00000201 02 00 0000",
		"larger than memory":           "ffffffff 02 00 0000",
		"smaller than its header":      "00000007 02 00 0000",
		"body within the header":       "00000008 01 00 0000",
		"body beyond the frame":        "00000008 03 00 0000",
		"a protocol header as a frame": hex.EncodeToString(frame.AppendHeader(nil, frame.ProtocolAMQP)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := frame.NewReader(bytes.NewReader(unhex(t, stream)), 512).Next()
			if e, ok := errors.AsType[*frame.Error](err); !ok || e.Condition != frame.CondFraming {
				t.Error(err)
			}
		})
	}
	for name, stream := range map[string]string{
		"half a header": "0000 0010", "half a frame": "00000010 02 00 0000 0053",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := frame.NewReader(bytes.NewReader(unhex(t, stream)), 512).Next(); err != io.EOF && err != io.ErrUnexpectedEOF {
				t.Error(err)
			}
		})
	}
	for _, header := range []string{"AMQP\x00\x00\x09\x01", "GET / HT", "AMQP\x00\x01\x00\x01"} {
		if _, ok, err := frame.NewReader(strings.NewReader(header), 512).Header(); ok || err != nil {
			t.Errorf("%q: %v, %v", header, ok, err)
		}
	}
}

// TestReady checks that a reader knows whether it has a whole frame, and does not wait to find out.
func TestReady(t *testing.T) {
	one := frame.Append(nil, frame.AMQP, 0, &frame.End{}, nil)
	at := 2*len(one) + 9 // the first two and a part of the third come at once
	three := slices.Concat(one, one, one)
	r := frame.NewReader(io.MultiReader(bytes.NewReader(three[:at]), bytes.NewReader(three[at:])), 512)
	if r.Ready() {
		t.Error("ready before anything was read")
	}
	for i, want := range []bool{true, false, false} {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got := r.Ready(); got != want {
			t.Errorf("after frame %d: %v", i+1, got)
		}
	}
}

// TestRoundTrip writes random performatives and reads them back.
func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		want := randomBody(rnd)
		f, err := frame.NewReader(bytes.NewReader(frame.Append(nil, frame.AMQP, 9, want, nil)), 1<<20).Next()
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := frame.Decode(f.Body)
		if err != nil {
			t.Fatalf("seed %d: %v of %+v", seed, err, want)
		}
		if diff := cmp.Diff(want, got, comparer, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d (-want +got)\n%s", seed, diff)
		}
	}
}

// randomBody fills a performative with what the fields' types allow.
func randomBody(rnd *rand.Rand) frame.Body {
	bodies := []frame.Body{
		&frame.Open{}, &frame.Begin{}, &frame.Attach{}, &frame.Flow{}, &frame.Transfer{}, &frame.Disposition{}, &frame.Detach{},
		&frame.End{}, &frame.Close{}, &frame.Mechanisms{}, &frame.Init{}, &frame.Outcome{},
	}
	body := bodies[rnd.IntN(len(bodies))]
	fill(rnd, reflect.ValueOf(body).Elem())
	if d, ok := body.(*frame.Disposition); ok {
		d.State = []frame.State{frame.NoState, frame.Received, frame.Accepted, frame.Modified, frame.OtherState}[rnd.IntN(5)]
	}
	return body
}

func fill(rnd *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(rnd, v.Field(i))
			}
		}
		if set := v.FieldByName("Set"); set.IsValid() && !set.Bool() {
			v.SetZero()
		}
	case reflect.Pointer:
		if rnd.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rnd, v.Elem())
		}
	case reflect.Slice:
		if n := rnd.IntN(4) * 10; n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(rnd, v.Index(i))
			}
		}
	case reflect.String:
		v.SetString(strings.Repeat("é", rnd.IntN(300)))
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	default:
		v.SetUint(rnd.Uint64() >> rnd.IntN(64) & (1<<v.Type().Bits() - 1))
	}
}
