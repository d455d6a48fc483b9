package amqp

import (
	"fmt"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/iot"
)

// encode returns a message as its client gets it.
func encode(m iot.Message) ([]byte, error) {
	message := amqp.Message{
		ApplicationProperties: map[string]any{
			"topic": m.Topic, "messageId": m.ID, "generateTime": m.Generated.UnixMilli(),
		},
		Data: [][]byte{m.Payload},
	}
	b, err := message.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("message %s: %w", m.ID, err)
	}
	return b, nil
}
