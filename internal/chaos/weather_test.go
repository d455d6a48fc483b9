package chaos

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// rates say how often each kind of fault happens, 0 to 1. All are drawn from the seed.
type rates struct {
	Throttle, ServerError, Lost, NoEffect, DropName, Refused, AcceptedUnseen float64 // of moves
	Read, ReadThrottle, Stale, Missing                                       float64 // of reads
	Answer, PubLost, CommandLost                                             float64 // of devices and commands
	Duplicate, Shuffle, Gap                                                  float64 // of messages
	Slow                                                                     time.Duration
}

func (d dice) rates() rates {
	r := rates{
		Throttle: d.rate(0.3), ServerError: d.rate(0.1), Lost: d.rate(0.3), NoEffect: d.rate(0.08), DropName: d.rate(0.2),
		Refused: d.rate(0.06), AcceptedUnseen: d.rate(0.2),
		Read: d.rate(0.03), ReadThrottle: d.rate(0.03), Stale: d.rate(0.2), Missing: d.rate(0.05),
		Answer: d.rate(0.2), PubLost: d.rate(0.2), CommandLost: d.rate(0.2),
		Duplicate: d.rate(0.5), Shuffle: d.rate(0.8), Gap: d.rate(0.3),
	}
	if d.chance(0.5) {
		r.Slow = d.span(0, 20*time.Second)
	}
	return r
}

// weather decides what goes wrong. Whether it hits an operation depends on the seed, on what the operation is about and on at how many
// moments that was tried before, never on the order in which goroutines come: a seed is the same campaign each time.
type weather struct {
	seed  uint64
	rates rates
	now   func() time.Time // by the platform's clock

	mu        sync.Mutex
	over      bool
	tries     map[string]moments
	throttled time.Time               // until then all moves are
	denied    time.Time               // until then the credentials do not count
	gone      map[iot.DeviceID]string // devices that do not connect once they have moved, or are only shown to
	hurt      map[iot.DeviceID]string // why a device may fail
	missed    map[string]miss         // devices that the last answers left out
}

// moments are those at which something was tried: twice at the same one is once.
type moments struct {
	n    int
	last time.Time
}

// A miss is whether the answers of a moment left a device out.
type miss struct {
	missed bool
	at     time.Time
}

func newWeather(seed uint64, r rates, now func() time.Time) *weather {
	return &weather{
		seed: seed, rates: r, now: now, tries: map[string]moments{}, gone: map[iot.DeviceID]string{},
		hurt: map[iot.DeviceID]string{}, missed: map[string]miss{},
	}
}

// A roll is a number from 0 to 1 for one kind of fault of one operation.
type roll func(kind string) float64

// roll counts the operation, and returns its rolls.
func (w *weather) roll(about ...string) roll {
	key := strings.Join(about, "\x00")
	now := w.now()
	w.mu.Lock()
	tried := w.tries[key]
	if n := tried.n; n == 0 || !now.Equal(tried.last) {
		tried = moments{n + 1, now}
		w.tries[key] = tried
	}
	n := tried.n
	w.mu.Unlock()
	return func(kind string) float64 { return unit(w.seed, fmt.Sprint(key, "\x00", n, "\x00", kind)) }
}

// unit spreads a text over 0 to 1 (FNV-1a, SplitMix64).
func unit(seed uint64, text string) float64 {
	h := seed ^ 14695981039346656037
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return float64((h^h>>31)>>11) / (1 << 53)
}

// clear ends all of it.
func (w *weather) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	clear(w.gone)
}

func (w *weather) bad() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.over
}

// hits keeps why devices may fail: that the platform or their firmware kept them from working.
func (w *weather) hits(why string, ids ...iot.DeviceID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if w.hurt[id] == "" {
			w.hurt[id] = why
		}
	}
}

func (w *weather) why(id iot.DeviceID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hurt[id]
}

func (w *weather) storm(now time.Time) (throttled, denied bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return now.Before(w.throttled), now.Before(w.denied)
}

// op decides about an operation of the API.
func (w *weather) op(op migratetest.Op) migratetest.Fault {
	if !w.bad() {
		return migratetest.Fault{}
	}
	throttled, denied := w.storm(op.At)
	if denied {
		return migratetest.Fault{Refuse: iot.Denied}
	}
	r := w.roll(op.Name, op.Instance, op.ProductKey, strings.Join(op.Devices, ","))
	switch op.Name {
	case "BatchGrayMigrationDevice":
		if throttled {
			return migratetest.Fault{Refuse: iot.Throttled}
		}
		return w.move(r)
	case "Pub":
		if r("lost") < w.rates.PubLost {
			return migratetest.Fault{Lie: migratetest.Always}
		}
	case "RRpc", "InvokeThingService":
		if r("lost") < w.rates.CommandLost {
			return migratetest.Fault{Lost: true}
		}
	}
	f := migratetest.Fault{}
	switch {
	case strings.HasSuffix(op.Name, "Data"): // a comparison of weeks of history begins anew after each error
	case r("error") < w.rates.Read:
		f.Refuse = iot.Transient
	case r("throttle") < w.rates.ReadThrottle:
		f.Refuse = iot.Throttled
	case op.Name == "BatchGetDeviceState" && w.rates.Missing > 0:
		f.Drop = func(name string) bool { return w.misses(op.Instance, op.ProductKey, name) }
	}
	return f
}

// misses reports whether an answer leaves a device out. None does so twice in a row: that would be a device that is gone.
func (w *weather) misses(about ...string) bool {
	roll := w.roll(append(about, "missing")...)("missing")
	id := strings.Join(about, "\x00")
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if last, ok := w.missed[id]; !ok || !now.Equal(last.at) {
		w.missed[id] = miss{!last.missed && roll < w.rates.Missing, now}
	}
	return w.missed[id].missed
}

func (w *weather) move(r roll) migratetest.Fault {
	f := migratetest.Fault{Delay: time.Duration(r("slow") * float64(w.rates.Slow))}
	switch {
	case r("throttle") < w.rates.Throttle:
		f.Refuse = iot.Throttled
	case r("error") < w.rates.ServerError:
		f.Refuse = iot.Transient
	case r("lost") < w.rates.Lost:
		f.Lost = true
	}
	f.Lie = func(name string) bool {
		return r("refused "+name) < w.rates.Refused || r("no effect "+name) < w.rates.NoEffect
	}
	f.Drop = func(name string) bool { return r("drop "+name) < w.rates.DropName }
	return f
}

// device decides about what a device does.
func (w *weather) device(op migratetest.Op, target string) migratetest.Fault {
	id := iot.DeviceID{ProductKey: op.ProductKey, DeviceName: op.Devices[0]}
	w.mu.Lock()
	gone, over := w.gone[id], w.over
	w.mu.Unlock()
	switch {
	case over:
	case op.Name == "Connect" && op.Instance == target && gone == "silent":
		return migratetest.Fault{Lie: migratetest.Always}
	case op.Name == "Connect" && op.Instance == target && gone != "":
		return migratetest.Fault{Refuse: iot.Denied}
	case op.Name == "Answer":
		if w.roll("answer", id.String())("lost") < w.rates.Answer {
			return migratetest.Fault{Refuse: iot.NotConnected}
		}
	}
	return migratetest.Fault{}
}
