package route

import (
	"context"
	"maps"
	"math"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// Where returns where a device is: what the table knows, or else what a look at both instances shows. It is [Unsure] for
// a device that is on both instances or on none, as it may be in the middle of its move.
//
// Looks are shared: whoever asks about devices of a product while one is under way is in the next one, up to 50 devices at once.
// What a look shows is learned for good where nothing moves the device. While it is on its way, the answer counts for Config.Remember only.
//
// Its errors are those of the readers, and the context's; [iot.Invalid] for a name that cannot be and after Close.
func (r *Router) Where(ctx context.Context, id iot.DeviceID) (Place, error) {
	return r.where(ctx, id, math.MaxInt)
}

// where is Where for a caller that does not wait if that many looks are due for others of the product.
func (r *Router) where(ctx context.Context, id iot.DeviceID, before int) (Place, error) {
	for {
		if p := r.config.Table.Lookup(id); p.Known() {
			return p, nil
		}
		if p, ok := r.remembered(id); ok {
			return p, nil
		}
		room, err := r.want(id, before)
		if err != nil {
			return Unsure, err
		}
		flight := r.flights.DoChan(id.ProductKey, func() (any, error) { return r.look(id.ProductKey) })
		if !room { // the look is for those before, as all who asked for them may have left
			return Unsure, &iot.Error{Kind: iot.Throttled, Op: "look for " + id.String(), Message: "too many others of its product wait"}
		}
		select {
		case <-ctx.Done():
			return Unsure, &iot.Error{Kind: iot.Transient, Op: "look for " + id.String(), Err: ctx.Err()}
		case result := <-flight:
			if result.Err != nil {
				return Unsure, result.Err
			}
			if p, ok := result.Val.(map[iot.DeviceID]Place)[id]; ok {
				return p, nil
			} // else it came too late for this look
		}
	}
}

// want puts a device among those that the next looks are about, if there is room: not where as many looks as before are due for others of
// its product.
func (r *Router) want(id iot.DeviceID, before int) (room bool, err error) {
	if err := id.Check(); err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, closed()
	}
	if _, ok := r.wanted[id]; ok {
		return true, nil
	}
	if len(r.waiting[id.ProductKey])/iot.MaxStates >= before {
		return false, nil
	}
	r.wanted[id] = struct{}{}
	r.waiting[id.ProductKey] = append(r.waiting[id.ProductKey], id.DeviceName)
	return true, nil
}

// wantAll lets the next looks be about all of these devices, of which somebody will ask one after another.
func (r *Router) wantAll(ids []iot.DeviceID) {
	for _, id := range ids {
		if r.config.Table.Lookup(id).Known() {
			continue
		}
		if _, ok := r.remembered(id); !ok {
			_, _ = r.want(id, crowd) // who asks gets the error
		}
	}
}

// look reads both instances about devices of a product that somebody waits for. It is for all who wait, so the context of none ends it.
func (r *Router) look(productKey string) (map[iot.DeviceID]Place, error) {
	if !r.begin() {
		return nil, closed()
	}
	defer r.looks.Done()
	if err := r.turn(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.base, r.config.LookTimeout)
	defer cancel()
	names := r.take(productKey)
	defer r.looked(productKey, names)
	began := r.config.Clock.Now()
	// The source first: a device that moves between the two reads is then seen on both, and not on none.
	atSource, err := present(ctx, r.config.Source, productKey, names)
	if err != nil {
		return nil, err
	}
	atTarget, err := present(ctx, r.config.Target, productKey, names)
	if err != nil {
		return nil, err
	}
	out := make(map[iot.DeviceID]Place, len(names))
	for _, name := range names {
		p := Unsure
		switch s, t := atSource[name], atTarget[name]; {
		case s && !t:
			p = Source
		case t && !s:
			p = Target
		}
		id := iot.DeviceID{ProductKey: productKey, DeviceName: name}
		out[id] = p
		r.saw(id, p, began)
	}
	return out, nil
}

// begin reports whether a look may begin.
func (r *Router) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.looks.Add(1)
	return true
}

// turn waits until the next look may begin.
func (r *Router) turn() error {
	r.mu.Lock()
	at := r.config.Clock.Now()
	if r.next.After(at) {
		at = r.next
	}
	r.next = at.Add(r.config.LookEvery)
	r.mu.Unlock()
	return r.config.Clock.WaitUntil(r.base, at)
}

// take returns the names of the up to 50 devices that have waited longest, and who is not among them waits on.
func (r *Router) take(productKey string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := r.waiting[productKey]
	if len(names) <= iot.MaxStates {
		delete(r.waiting, productKey)
		return names
	}
	r.waiting[productKey] = names[iot.MaxStates:]
	return names[:iot.MaxStates:iot.MaxStates]
}

// looked tells that these devices are not looked at any more.
func (r *Router) looked(productKey string, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		delete(r.wanted, iot.DeviceID{ProductKey: productKey, DeviceName: name})
	}
}

// present returns which devices an instance has.
func present(ctx context.Context, reader iot.StateReader, productKey string, names []string) (map[string]bool, error) {
	if len(names) == 0 {
		return nil, nil
	}
	states, err := reader.States(ctx, productKey, names)
	if err != nil {
		return nil, err
	}
	out := make(map[string]bool, len(states))
	for _, s := range states {
		out[s.ID.DeviceName] = s.ID.ProductKey == productKey
	}
	return out, nil
}

// saw keeps what a look has shown.
func (r *Router) saw(id iot.DeviceID, p Place, began time.Time) {
	known := r.config.Table.state(id)
	if p.Known() && known.place == Unsure {
		r.learn(id, p, began)
	}
	counts := between
	if p.Known() {
		counts = max(r.config.Remember, min(began.Sub(known.since)/10, rememberMax))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen.keep(id, p, began, began.Add(counts))
}

func (r *Router) remembered(id iot.DeviceID) (Place, bool) {
	now := r.config.Clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.seen[id]
	return s.place, ok && now.Before(s.until)
}

// A memory holds what was seen of devices that are on their way, for a short time.
type memory map[iot.DeviceID]sight

type sight struct {
	place Place
	until time.Time
}

// memorySize bounds a memory: about 1 MB.
const memorySize = 10_000

// keep remembers where a device was. Who is forgotten is looked at again.
func (m memory) keep(id iot.DeviceID, p Place, now, until time.Time) {
	if _, ok := m[id]; !ok && len(m) >= memorySize {
		maps.DeleteFunc(m, func(_ iot.DeviceID, s sight) bool { return !now.Before(s.until) })
		if len(m) >= memorySize {
			clear(m)
		}
	}
	m[id] = sight{place: p, until: until}
}
