package mqtt

import (
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A window limits how many events any period of its span holds. One that is refused does not count. The zero
// window has no limit.
type window struct {
	span  time.Duration
	times []time.Time
	next  int // the oldest
}

func newWindow(limit int, span time.Duration) window {
	return window{span: span, times: make([]time.Time, limit)}
}

func (w *window) fits(now time.Time) bool {
	if len(w.times) == 0 {
		return true
	}
	oldest := w.times[w.next]
	return oldest.IsZero() || now.Sub(oldest) >= w.span
}

func (w *window) use(now time.Time) {
	if len(w.times) > 0 {
		w.times[w.next] = now
		w.next = (w.next + 1) % len(w.times)
	}
}

func (w *window) take(now time.Time) bool {
	if !w.fits(now) {
		return false
	}
	w.use(now)
	return true
}

// A door keeps the limits on attempts to connect: those of the account and those of each device. It is safe
// for concurrent use.
type door struct {
	clock     iot.Clock
	perDevice int // per minute

	mu      sync.Mutex
	account window
	devices map[iot.DeviceID]*window // those that exist and have tried
}

func newDoor(clock iot.Clock, l *Limits) *door {
	return &door{
		clock: clock, perDevice: l.ConnectsPerDevice,
		account: newWindow(l.ConnectsPerAccount, time.Second), devices: map[iot.DeviceID]*window{},
	}
}

// admit counts an attempt of the account.
func (d *door) admit() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.account.take(d.clock.Now()) {
		return &refusal{code: refusedServer, reason: "the account connects too often"}
	}
	return nil
}

// admitDevice counts an attempt of a device that exists.
func (d *door) admitDevice(id iot.DeviceID) error {
	if d.perDevice == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.devices[id]
	if w == nil {
		fresh := newWindow(d.perDevice, time.Minute)
		w = &fresh
		d.devices[id] = w
	}
	if !w.take(d.clock.Now()) {
		return &refusal{code: refusedServer, reason: "the device connects too often"}
	}
	return nil
}
