package fleet

import "github.com/iotferry/iotferry/iot"

func (w *walker) forwardings(dst *[]Forwarding) reader {
	var f Forwarding
	var event iot.Event
	readEvent := word(w, &event, iot.DeviceData, iot.StatusChange, iot.Lifecycle, iot.TopologyChange)
	members := []member{
		{"type", false, word(w, &f.Type, Rule, AMQP, MNS)},
		{"name", true, w.text(&f.Name)},
		{"topic", true, w.topic(&f.Topic)},
		{"actions", true, w.texts(&f.Actions)},
		{"consumerGroup", true, w.text(&f.ConsumerGroup)},
		{"queue", true, w.text(&f.Queue)},
		{"events", true, func() error {
			return w.list(func() error {
				err := readEvent()
				f.Events = append(f.Events, event)
				return err
			})
		}},
	}
	return rows(w, dst, &f, Forwarding{}, members, func() error { return w.forwardingFields(f) })
}

// forwardingFields checks that f has the fields of its type and no other. It comes last, because the type
// may stand behind them. None of the fields can be there and empty.
func (w *walker) forwardingFields(f Forwarding) error {
	for _, field := range []struct {
		name           string
		there, belongs bool
	}{
		{"name", f.Name != "", f.Type == Rule},
		{"topic", f.Topic != "", f.Type == Rule},
		{"actions", f.Actions != nil, f.Type == Rule},
		{"consumerGroup", f.ConsumerGroup != "", f.Type == AMQP},
		{"queue", f.Queue != "", f.Type == MNS},
		{"events", f.Events != nil, f.Type != Rule},
	} {
		if field.there && !field.belongs {
			return w.faultIn([]string{field.name}, "unknown field: forwarding of type %s has none", f.Type)
		}
		if field.belongs && !field.there {
			return w.missing(field.name)
		}
	}
	return nil
}

func (w *walker) topic(dst *string) reader {
	read := w.text(dst)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		if (*dst)[0] != '/' {
			return w.fault("%q does not start with /", clip(*dst))
		}
		return nil
	}
}
