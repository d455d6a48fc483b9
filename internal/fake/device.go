package fake

import (
	"encoding/json"
	"math"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A device is a device of the account, wherever it is.
type device struct {
	product *product
	name    string
	secret  iot.Secret
	gateway *device
	subs    []*device
	labels  map[*instance]map[string]string // they stay where they were given
	shadow  json.RawMessage                 // it goes with the device
	groups  []*deviceGroup                  // of all instances
	home    *instance                       // where it lives
	origin  *instance                       // where it was created
	stay    stay                            // the newest
	past    []stay                          // those before, oldest first
	client  *client                         // nil if it was never more than simulated

	seed          uint64 // for all that varies between devices
	shown         uint64 // a bit per instance whose registry shows it
	created       stamp
	changed       stamp // when its status changed last...
	lastOnline    stamp
	here          stamp // when it came to where it lives, and to where it lived before; 0 for since ever
	earlier       stamp
	reportedUntil stamp // before the Cloud began; 0 for a device that did not
	ordinal       int32 // its place in the order of creation in its product
	try           uint32
	moves         int32
	returns       int32
	kicks         int32
	was           iot.Status // ...and what it was before

	activated, disabled, powered, reconnects, distributed bool
}

// A stay is a time during which a device was connected to an instance.
type stay struct {
	from, to stamp
	in       *instance
	dead     bool // shown as online, while no device is behind it
	mute     bool // no reports are made of it: it is dead, or a client is behind it, which publishes by itself
}

const (
	forever  = math.MaxInt64
	maxStays = 256 // that are remembered of a device: what it reported before them is no history any more
)

func (d *device) id() iot.DeviceID {
	return iot.DeviceID{ProductKey: d.product.key, DeviceName: d.name}
}

func (d *device) shownOn(in *instance) bool { return d.shown&in.bit() != 0 }

// connected reports whether the platform takes the device for online.
func (d *device) connected() bool { return d.stay.to == forever }

// alive reports whether there is a device behind the connection.
func (d *device) alive() bool { return d.connected() && !d.stay.dead }

// simulated reports whether the simulated firmware is behind the connection.
func (d *device) simulated() bool { return d.connected() && !d.stay.mute }

// statusOn returns the status that the registry of an instance shows.
func (d *device) statusOn(in *instance) iot.Status {
	switch {
	case d.disabled:
		return iot.Disabled
	case !d.activated:
		return iot.Unactive
	case d.connected() && d.home == in:
		return iot.Online
	}
	return iot.Offline
}

// indexedOn is statusOn for the index of QueryDeviceByStatus, which is late. It also returns when the
// answer will change by itself, or forever.
func (c *Cloud) indexedOn(d *device, in *instance) (iot.Status, stamp) {
	if d.home == in && d.changed != 0 {
		if seen := d.changed + d.jitter(saltIndex, c.quirks.StatusLag); seen > c.at {
			return d.was, seen
		}
	}
	return d.statusOn(in), forever
}

// What a delay is for: each device has its own of every kind.
const (
	saltIndex = iota + 1
	saltShow
	saltHide
	saltReconnect
	saltLogin
	saltReport
	saltPast
)

// jitter returns the device's own delay of a kind, from 0 to most.
func (d *device) jitter(salt uint64, most time.Duration) int64 {
	return int64(mix(d.seed, salt) % uint64(most+1))
}

// between returns the device's own delay of a kind, from least to most. It differs from try to try.
func (d *device) between(salt uint64, least, most time.Duration) time.Duration {
	return least + time.Duration(mix(d.seed, salt<<32|uint64(d.try))%uint64(most-least+1))
}

// change runs f, which changes a device, and keeps what is counted about it.
func (c *Cloud) change(d *device, f func()) {
	before := d.statusOn(d.home)
	c.count(d, -1)
	f()
	c.count(d, 1)
	if after := d.statusOn(d.home); after != before {
		d.was, d.changed = before, c.at
	}
}

func (c *Cloud) count(d *device, delta int) {
	for _, in := range c.instances {
		if d.shownOn(in) {
			in.views[d.product.key].count(d, delta)
		}
	}
}

// show brings the registry of an instance up to date with where the device is.
func (c *Cloud) show(d *device, in *instance) {
	v := in.views[d.product.key]
	if v == nil || d.shownOn(in) == (d.home == in) {
		return
	}
	c.count(d, -1)
	d.shown ^= in.bit()
	c.count(d, 1)
}

// mix spreads a seed and a salt over 64 bits (SplitMix64).
func mix(seed, salt uint64) uint64 {
	z := seed + (salt+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// seedOf returns the number that everything of a device which varies is made from (FNV-1a).
func seedOf(productKey, name string) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, part := range [...]string{productKey, "/", name} {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
	}
	return mix(h, 0)
}
