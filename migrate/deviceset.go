package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

func marshalDeviceSet(set DeviceSet) ([]byte, error) {
	var products []string // few, so that looking through them is faster than a map
	var lists [][]byte
	last := -1
	for _, id := range set {
		if last < 0 || products[last] != id.ProductKey {
			if last = slices.Index(products, id.ProductKey); last < 0 {
				last = len(products)
				products = append(products, id.ProductKey)
				list := make([]byte, 0, len(id.ProductKey)+len(set)*(len(id.DeviceName)+4)+4)
				lists = append(lists, append(quote(list, id.ProductKey), ':', '['))
			}
		}
		list := lists[last]
		if list[len(list)-1] != '[' {
			list = append(list, ',')
		}
		lists[last] = quote(list, id.DeviceName)
	}
	out := []byte{'{'}
	for i, list := range lists {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, list...), ']')
	}
	return append(out, '}'), nil
}

// quote appends a JSON string. Names that can exist need no escapes.
func quote(out []byte, s string) []byte {
	if !strings.ContainsFunc(s, escaped) {
		return append(append(append(out, '"'), s...), '"')
	}
	text, _ := json.Marshal(s) // a string always marshals
	return append(out, text...)
}

// escaped reports whether package json may write a character in another way.
func escaped(r rune) bool {
	return r < ' ' || r > '~' || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&'
}

// unmarshalDeviceSet reads the form that MarshalJSON writes in one pass, as a resumed campaign reads millions of names.
// Every other form, that of an error included, goes the long way.
func unmarshalDeviceSet(data []byte, set *DeviceSet) error {
	if out, ok := scanDeviceSet(string(data)); ok {
		*set = out
		return nil
	}
	return decodeDeviceSet(data, set)
}

// scanDeviceSet reads {"productKey":["name",...],...} without blanks and escapes; the names and keys that it returns are
// parts of data. It returns false for anything else, and for devices that could not exist.
func scanDeviceSet(data string) (DeviceSet, bool) {
	rest, ok := strings.CutPrefix(data, "{")
	if !ok {
		return nil, false
	}
	var out DeviceSet
	for rest != "}" {
		if len(out) > 0 {
			if rest, ok = strings.CutPrefix(rest, ","); !ok {
				return nil, false
			}
		}
		key, list, _ := cutString(rest) // no list follows where there is no text
		if rest, ok = strings.CutPrefix(list, ":["); !ok || iot.CheckProductKey(key) != nil {
			return nil, false
		}
		if out, rest, ok = scanNames(out, key, rest); !ok {
			return nil, false
		}
	}
	return out, true
}

// scanNames appends the devices of one product, and returns what follows the list's end.
func scanNames(out DeviceSet, key, text string) (_ DeviceSet, rest string, ok bool) {
	for {
		name, rest, ok := cutString(text)
		if !ok || rest == "" || iot.CheckDeviceName(name) != nil {
			return nil, "", false
		}
		out = append(out, iot.DeviceID{ProductKey: key, DeviceName: name})
		switch text = rest[1:]; rest[0] {
		case ',':
		case ']':
			return out, text, true
		default:
			return nil, "", false
		}
	}
}

// cutString returns the text between quotes that s begins with, and what follows.
func cutString(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", "", false
	}
	return strings.Cut(s[1:], `"`)
}

// decodeDeviceSet walks the tokens, so that the order of the products stays.
func decodeDeviceSet(data []byte, set *DeviceSet) error {
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
