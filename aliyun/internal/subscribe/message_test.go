package subscribe

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
)

func TestRead(t *testing.T) {
	at := time.UnixMilli(1700000000123).UTC()
	body := [][]byte{[]byte("{}")}
	full := iot.Message{ID: "42", Topic: "/a/b", Generated: at, Payload: []byte("{}"), Instance: "iot-1"}
	of := func(id, topic, generated any) *amqp.Message {
		return &amqp.Message{Data: body, ApplicationProperties: map[string]any{"messageId": id, "topic": topic, "generateTime": generated}}
	}
	tests := map[string]struct {
		message *amqp.Message
		want    iot.Message
	}{
		"as documented":    {of("42", "/a/b", int64(1700000000123)), full},
		"numbers as text":  {of("42", "/a/b", "1700000000123"), full},
		"text as numbers":  {of(int64(42), "/a/b", uint64(1700000000123)), full},
		"an AMQP time":     {of(uint32(42), []byte("/a/b"), at.In(time.FixedZone("", 3600))), full},
		"nothing":          {&amqp.Message{}, iot.Message{Payload: []byte{}, Instance: "iot-1"}},
		"of another world": {of(nil, nil, "yesterday"), iot.Message{Payload: []byte("{}"), Instance: "iot-1"}},
		"before 1970":      {of("42", "/a/b", int64(-1)), iot.Message{ID: "42", Topic: "/a/b", Payload: []byte("{}"), Instance: "iot-1"}},
		"body in parts":    {&amqp.Message{Data: [][]byte{{1}, nil, {2, 3}}}, iot.Message{Payload: []byte{1, 2, 3}, Instance: "iot-1"}},
		"body as a value":  {&amqp.Message{Value: "{}"}, iot.Message{Payload: []byte("{}"), Instance: "iot-1"}},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, read(test.message, "iot-1")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
