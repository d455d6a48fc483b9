package tslsync

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// catalog is what the devices of one product report, in the order of the thing model.
type catalog struct {
	index                        *Index
	properties, events, services []string
	rows                         map[string]int64 // of each property, on the devices compared so far
}

func newCatalog(m *Model) *catalog {
	c := &catalog{index: NewIndex(m), rows: map[string]int64{}}
	c.add("", m.Features)
	for _, b := range m.Blocks {
		c.add(b.Identifier+":", b.Features)
	}
	return c
}

// add lists the features of a block. The event and the services that stand for the properties themselves are left out.
func (c *catalog) add(prefix string, f Features) {
	for _, p := range f.Properties {
		c.properties = append(c.properties, prefix+p.Identifier)
	}
	for _, e := range f.Events {
		if !ofProperties(e.Method) {
			c.events = append(c.events, prefix+e.Identifier)
		}
	}
	for _, s := range f.Services {
		if !ofProperties(s.Method) {
			c.services = append(c.services, prefix+s.Identifier)
		}
	}
}

// ofProperties recognises thing.event.property.post, thing.service.property.set and thing.service.property.get.
func ofProperties(method string) bool {
	switch method {
	case "thing.event.property.post", "thing.service.property.set", "thing.service.property.get":
		return true
	}
	return false
}

// streams returns what is read of a device. A call reaches as far as the property with the most rows, so that the
// fewest calls are made when those that report most, on the devices seen so far, share a call.
func (c *catalog) streams(from time.Time) []Stream {
	properties := slices.Clone(c.properties)
	slices.SortStableFunc(properties, func(a, b string) int { return cmp.Compare(c.rows[b], c.rows[a]) })
	var out []Stream
	for group := range slices.Chunk(properties, iot.MaxHistoryProperties) {
		out = append(out, Stream{Report: PropertyReport, Identifiers: slices.Clip(group), At: from})
	}
	for _, identifier := range c.events {
		out = append(out, Stream{Report: EventReport, Identifiers: []string{identifier}, At: from})
	}
	for _, identifier := range c.services {
		out = append(out, Stream{Report: ServiceReport, Identifiers: []string{identifier}, At: from})
	}
	return out
}

// learn remembers how many rows the properties of a device had.
func (c *catalog) learn(s *stream) {
	if s.Report != PropertyReport {
		return
	}
	for i, identifier := range s.Identifiers {
		c.rows[identifier] += s.read[i]
	}
}

// equality compares rows by the data types of the model. What the model does not have is compared as JSON.
func (c *catalog) equality(report Report, identifier string) equality {
	var input, value DataType
	switch report {
	case PropertyReport:
		value, _ = c.index.Property(identifier)
	case EventReport:
		value, _ = c.index.Event(identifier)
	case ServiceReport:
		input, _ = c.index.ServiceInput(identifier)
		value, _ = c.index.ServiceOutput(identifier)
	}
	return func(a, b *iot.HistoryRow) bool {
		return sameValue(value, a.Value, b.Value) && sameValue(input, a.Input, b.Input)
	}
}

// sameValue is EqualValue without its call for what is the same text, as nearly all is.
func sameValue(t DataType, a, b []byte) bool {
	return bytes.Equal(a, b) || EqualValue(t, a, b)
}
