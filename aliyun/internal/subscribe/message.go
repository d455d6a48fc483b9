package subscribe

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/iot"
)

// read returns an AMQP message in the platform's words. Nothing is refused: what is missing or of another type than
// expected is empty.
func read(m *amqp.Message, instance string) iot.Message {
	properties := m.ApplicationProperties
	return iot.Message{
		ID:        text(properties["messageId"]),
		Topic:     text(properties["topic"]),
		Generated: moment(properties["generateTime"]),
		Payload:   payload(m),
		Instance:  instance,
	}
}

// payload returns the body: binary, as documented, or a value that holds text.
func payload(m *amqp.Message) []byte {
	switch {
	case len(m.Data) == 1:
		return m.Data[0]
	case len(m.Data) > 1:
		return bytes.Join(m.Data, nil)
	}
	return []byte(text(m.Value))
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

// moment reads milliseconds since 1970 in any of the types that can hold them, in UTC.
func moment(v any) time.Time {
	var ms int64
	switch v := v.(type) {
	case int64:
		ms = v
	case time.Time:
		return v.UTC()
	default:
		if n, err := strconv.ParseInt(text(v), 10, 64); err == nil {
			ms = n
		}
	}
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
