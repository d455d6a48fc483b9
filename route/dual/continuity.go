package dual

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Config says what a [Continuity] measures. Devices is needed, and From and To must differ.
type Config struct {
	// From and To are the IDs of the instances that the devices move from and to; empty is the legacy public one. For the way
	// back begin another Continuity.
	From, To string
	// Devices are those of the batch. Messages of all others are left out.
	Devices []iot.DeviceID
	// Counts and Sequence are called for each message, from several goroutines.
	//
	// Counts tells which messages are measured; nil is all of them. Messages that the platform generates about a device, such as
	// its status, say nothing about what the device sends: leave them out.
	Counts func(iot.Message) bool
	// Sequence returns the number by which a device counts its messages, up by one with each and never again from its beginning. Nil, or
	// false, is for messages without one: of these nobody can tell whether some are lost.
	Sequence func(iot.Message) (uint64, bool)
}

// A Continuity measures for a batch of devices what was between the last message at the one instance and the first at the other,
// and what was lost and came twice. It needs some 600 bytes for each device of the batch, and 2.6 KB for one that has lost a great many
// messages. It is safe for concurrent use. Make one with [New], before the batch moves.
type Continuity struct {
	config Config
	seed   maphash.Seed

	tracks map[iot.DeviceID]*track // the map does not change

	mu sync.Mutex // of what a track holds
}

// New returns a measurement that has seen nothing. Its error is [iot.Invalid].
func New(c Config) (*Continuity, error) {
	switch {
	case c.From == c.To:
		return nil, invalid("Config.From and To are the same instance %q", c.To)
	case len(c.Devices) == 0:
		return nil, invalid("Config.Devices is empty: say which devices move")
	}
	all := &Continuity{config: c, seed: maphash.MakeSeed(), tracks: make(map[iot.DeviceID]*track, len(c.Devices))}
	for _, id := range c.Devices {
		if err := id.Check(); err != nil {
			return nil, err
		}
		all.tracks[id] = &track{}
	}
	all.config.Devices = slices.SortedFunc(slices.Values(c.Devices), iot.DeviceID.Compare)
	all.config.Devices = slices.Compact(all.config.Devices)
	return all, nil
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "measure continuity", Message: fmt.Sprintf(format, args...)}
}

// Saw takes a message that one of the instances delivered. Order does not matter for a device that moves once. One that is returned and
// moved again is measured by its last move: what comes late by a whole stay can make its gap longer, and never shorter. A message that
// is delivered again counts as one that came twice: call Saw with what was not dropped before, to learn what handlers get twice.
func (c *Continuity) Saw(m iot.Message) {
	id, ok := m.Device()
	if !ok || m.Instance != c.config.From && m.Instance != c.config.To || c.config.Counts != nil && !c.config.Counts(m) {
		return
	}
	t := c.tracks[id]
	if t == nil {
		return
	}
	number, counted := uint64(0), false
	if c.config.Sequence != nil {
		number, counted = c.config.Sequence(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.messages++
	if m.ID != "" && t.again(maphash.String(c.seed, m.ID)) {
		t.duplicates++
		return
	}
	t.seen(m.Generated, m.Instance == c.config.To)
	if counted && !t.numbers.add(number) {
		t.duplicates++
	}
}

// A Device is how one device came over.
type Device struct {
	ID iot.DeviceID `json:"device"`
	// LastFrom and FirstTo are the times, as the messages tell them, of its last message at the one instance and its first at the
	// other since then; zero if there was none.
	LastFrom time.Time `json:"lastFrom,omitzero"`
	FirstTo  time.Time `json:"firstTo,omitzero"`
	Messages int       `json:"messages"`             // deliveries, duplicates among them
	Twice    int       `json:"duplicates,omitempty"` // deliveries of what had come before, by ID or by number
	Lost     uint64    `json:"lost,omitempty"`       // numbers that are missing between the lowest and the highest
}

// Gap returns the time between the last message at the one instance and the first at the other, and false as long as one
// of them is missing.
func (d Device) Gap() (time.Duration, bool) {
	if d.LastFrom.IsZero() || d.FirstTo.IsZero() {
		return 0, false
	}
	return d.FirstTo.Sub(d.LastFrom), true
}

// Device returns how a device came over, and false if it is not of the batch.
func (c *Continuity) Device(id iot.DeviceID) (Device, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.device(id)
}

func (c *Continuity) device(id iot.DeviceID) (Device, bool) {
	t := c.tracks[id]
	if t == nil {
		return Device{}, false
	}
	return Device{
		ID: id, LastFrom: t.lastFrom, FirstTo: t.firstTo, Messages: t.messages, Twice: t.duplicates, Lost: t.numbers.missing(),
	}, true
}

// Gap returns what a device's move has cost so far: see [Device.Gap] and Device.Lost. It is how a verifier asks.
func (c *Continuity) Gap(id iot.DeviceID) (gap time.Duration, lost uint64, ok bool) {
	d, _ := c.Device(id)
	gap, ok = d.Gap()
	return gap, d.Lost, ok
}

// A Report is how a batch came over. In JSON, durations are nanoseconds.
type Report struct {
	Devices  []Device      `json:"devices"`  // by product key and name
	Measured int           `json:"measured"` // devices that have a gap
	Silent   int           `json:"silent"`   // devices that sent at the one instance, and not at the other since
	P50      time.Duration `json:"p50"`      // of the gaps, by nearest rank
	P95      time.Duration `json:"p95"`
	Max      time.Duration `json:"max"`
	Lost     uint64        `json:"lost"`
	Twice    int           `json:"duplicates"`
}

// Report returns what was seen so far. Late messages can still make gaps smaller and lost ones fewer.
func (c *Continuity) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	var r Report
	var gaps []time.Duration
	for _, id := range c.config.Devices {
		d, _ := c.device(id)
		r.Devices = append(r.Devices, d)
		r.Lost = max(r.Lost, r.Lost+d.Lost) // it does not begin again at zero
		r.Twice += d.Twice
		if gap, ok := d.Gap(); ok {
			gaps = append(gaps, gap)
		} else if !d.LastFrom.IsZero() {
			r.Silent++
		}
	}
	r.Measured = len(gaps)
	slices.Sort(gaps)
	r.P50, r.P95, r.Max = rank(gaps, 50), rank(gaps, 95), rank(gaps, 100)
	return r
}

// rank returns the smallest gap that so many percent do not exceed.
func rank(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*percent+99)/100-1]
}

// String returns the report in one line, for logs and screens.
func (r Report) String() string {
	return fmt.Sprintf("%d of %d devices measured, %d silent: gap p50 %v, p95 %v, max %v; %d lost, %d twice",
		r.Measured, len(r.Devices), r.Silent, r.P50, r.P95, r.Max, r.Lost, r.Twice)
}
