package tslsync

import (
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Report is a kind of what devices report.
type Report string

// The kinds of reports. Each is kept, and read, by itself.
const (
	PropertyReport Report = "property"
	EventReport    Report = "event"
	ServiceReport  Report = "service" // a call of a service, with its input and its output
)

// A Side is one of the two instances of a comparison.
type Side string

// The two sides.
const (
	Source Side = "source"
	Target Side = "target"
)

// Counts say how many rows two instances have in common. A row is what has one identifier and one time in milliseconds:
// what an instance keeps twice counts once. Every row counts in one field.
type Counts struct {
	Equal     int64 `json:"equal,omitzero"`     // the same value on both sides
	Missing   int64 `json:"missing,omitzero"`   // the source has it, the target does not
	Extra     int64 `json:"extra,omitzero"`     // the target has it, the source does not
	Different int64 `json:"different,omitzero"` // both have it, no value is the same
	// Expired rows are on one side only, and older than the other side kept when it was read. So they are neither missing
	// nor extra.
	Expired int64 `json:"expired,omitzero"`
}

// Rows returns how many rows there are in all.
func (c Counts) Rows() int64 { return c.Equal + c.Missing + c.Extra + c.Different + c.Expired }

// Agree reports whether no row is missing, extra or different.
func (c Counts) Agree() bool { return c.Missing == 0 && c.Extra == 0 && c.Different == 0 }

func (c *Counts) add(d Counts) {
	c.Equal += d.Equal
	c.Missing += d.Missing
	c.Extra += d.Extra
	c.Different += d.Different
	c.Expired += d.Expired
}

// An Hour is the result of one comparison for one identifier of one device in one hour. Hours without a row on either
// side have no result. Written with encoding/json, one Hour is one line of JSON Lines.
type Hour struct {
	Device     iot.DeviceID `json:"device,omitzero"`
	Report     Report       `json:"report,omitzero"`
	Identifier string       `json:"identifier"`
	Start      time.Time    `json:"hour"` // UTC, a whole hour
	Counts
	// First is the time of the first row that is missing, extra or different; zero if there is none.
	First time.Time `json:"first,omitzero"`
}

// Cursor returns where to begin to compare this hour once more: alone, and from its start to its end. What the target lacked may
// have arrived, and a late row may have come between the reading of the two sides.
func (h Hour) Cursor() Cursor {
	c := NewCursor(h.Device, h.Start, h.Start.Add(time.Hour))
	c.Streams = []Stream{{Report: h.Report, Identifiers: []string{h.Identifier}, At: c.From}}
	return c
}

// A Cursor says how far the comparison of one device has come. It is plain data: store it, as JSON or otherwise, and give it
// back to [Compare] to go on from there.
type Cursor struct {
	Device iot.DeviceID `json:"device"`
	From   time.Time    `json:"from"` // a whole hour, UTC
	To     time.Time    `json:"to"`   // not included; UTC, in whole milliseconds
	// Streams are what is not yet compared, once it has begun. Before, they are empty, and Compare fills them in from the
	// thing model.
	Streams []Stream `json:"streams,omitempty"`
	Done    bool     `json:"done,omitzero"` // nothing is left to compare
}

// A Stream is what is read from both sides by the same calls: up to [iot.MaxHistoryProperties] properties, or one event or
// service.
type Stream struct {
	Report      Report    `json:"report"`
	Identifiers []string  `json:"identifiers"`
	At          time.Time `json:"at"` // all rows before it are compared
	// Open are the hours that have begun and whose result is not given yet, without device and report.
	Open []Hour `json:"open,omitempty"`
}

// NewCursor returns where to begin to compare a device: from the whole hour at or before from, up to and without to. What is
// older than the instances keep is expired where only one has it, and cannot be seen where none has. Choose a to that gives
// data synchronisation the time it takes: what is on its way is missing.
func NewCursor(device iot.DeviceID, from, to time.Time) Cursor {
	return Cursor{
		Device: device,
		From:   from.UTC().Truncate(time.Hour),
		To:     to.UTC().Truncate(time.Millisecond),
	}
}

// Newer returns where to begin to compare what is newer than this comparison of the device, up to and without to. It goes back by
// late, for rows that arrive so much later than their time, and further to a whole hour. An [Hour] of the newer comparison
// replaces the one of the same identifier and start of this one.
func (c Cursor) Newer(to time.Time, late time.Duration) Cursor {
	from := c.To.Add(-late)
	if from.Before(c.From) {
		from = c.From
	}
	return NewCursor(c.Device, from, to)
}

// Position returns the time up to which everything is compared.
func (c Cursor) Position() time.Time {
	if c.Done {
		return c.To
	}
	if len(c.Streams) == 0 {
		return c.From
	}
	return slices.MinFunc(c.Streams, func(a, b Stream) int { return a.At.Compare(b.At) }).At
}

// SortByAge puts first what ages out first: the cursors with the oldest rows not yet compared. Those of the same age
// keep their order.
func SortByAge(cursors []Cursor) {
	slices.SortStableFunc(cursors, func(a, b Cursor) int { return a.Position().Compare(b.Position()) })
}

func (c Cursor) check() error {
	if err := c.Device.Check(); err != nil {
		return err
	}
	if !c.From.Before(c.To) {
		return refuse("the history of %s is to be compared from %s to %s: the end is not after the beginning",
			c.Device, stamp(c.From), stamp(c.To))
	}
	for _, s := range c.Streams {
		if err := s.check(c); err != nil {
			return err
		}
	}
	return nil
}

func (s Stream) check(c Cursor) error {
	most := 1
	if s.Report == PropertyReport {
		most = iot.MaxHistoryProperties
	}
	if s.api() == "" {
		return refuse("the cursor of %s has a stream of kind %q: it is none of property, event and service", c.Device, s.Report)
	}
	if n := len(s.Identifiers); n == 0 || n > most {
		return refuse("the cursor of %s has a %s stream of %d identifiers: 1 to %d are read at once", c.Device, s.Report, n, most)
	}
	if s.At.Before(c.From) || !s.At.Before(c.To) {
		return refuse("the cursor of %s has a %s stream at %s: it is outside of %s to %s",
			c.Device, s.Report, stamp(s.At), stamp(c.From), stamp(c.To))
	}
	return nil
}

// api returns the platform's name of the call that reads s, empty for a kind of reports that there is not.
func (s Stream) api() string {
	switch s.Report {
	case PropertyReport:
		return apiProperties
	case EventReport:
		return apiEvents
	case ServiceReport:
		return apiServices
	}
	return ""
}
