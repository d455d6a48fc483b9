package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

func marshalDeviceSet(set DeviceSet) ([]byte, error) {
	var products []string
	lists := make(map[string][]byte)
	for _, id := range set {
		list, ok := lists[id.ProductKey]
		if !ok {
			products = append(products, id.ProductKey)
			list = append(quote(nil, id.ProductKey), ':', '[')
		} else {
			list = append(list, ',')
		}
		lists[id.ProductKey] = quote(list, id.DeviceName)
	}
	out := []byte{'{'}
	for i, product := range products {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, lists[product]...), ']')
	}
	return append(out, '}'), nil
}

func quote(out []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always marshals
	return append(out, text...)
}

// unmarshalDeviceSet walks the tokens, so that the order of the products stays.
func unmarshalDeviceSet(data []byte, set *DeviceSet) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("devices: want an object of lists by product key")
	}
	*set = nil
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fmt.Errorf("devices: %w", err)
		}
		var names []string
		if err := dec.Decode(&names); err != nil {
			return fmt.Errorf("devices of %v: %w", key, err)
		}
		for _, name := range names {
			id := iot.DeviceID{ProductKey: key.(string), DeviceName: name}
			if err := id.Check(); err != nil {
				return fmt.Errorf("devices: %w", err)
			}
			*set = append(*set, id)
		}
	}
	return nil
}
