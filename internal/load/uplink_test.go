package load_test

import (
	"context"
	"sync"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
	"github.com/iotferry/iotferry/route/dual"
)

// An uplink is the backend's subscriber: it reads both instances, tells the router of moves, notes where devices were heard, and
// measures what their moves do to their messages.
type uplink struct {
	router     *route.Router
	continuity *dual.Continuity

	mu      sync.Mutex
	notices int
	heard   map[iot.DeviceID]*heard
}

// heard counts the messages of a device, by the instance that delivered them.
type heard struct{ source, target int }

func newUplink(r *route.Router, c *dual.Continuity) *uplink {
	return &uplink{router: r, continuity: c, heard: map[iot.DeviceID]*heard{}}
}

func (u *uplink) handle(_ context.Context, m iot.Message) error {
	notice := u.router.Notice(m)
	u.continuity.Saw(m)
	id, ok := m.Device()
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case notice:
		u.notices++
	case ok:
		h := u.heard[id]
		if h == nil {
			h = &heard{}
			u.heard[id] = h
		}
		if m.Instance == "" {
			h.source++
		} else {
			h.target++
		}
	}
	return nil
}

// silent returns how many of these devices were not heard at the target.
func (u *uplink) silent(ids []iot.DeviceID) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for _, id := range ids {
		if h := u.heard[id]; h == nil || h.target == 0 {
			n++
		}
	}
	return n
}

// counts returns how many messages came from each instance, and how many told of moves.
func (u *uplink) counts() (source, target, notices int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, h := range u.heard {
		source += h.source
		target += h.target
	}
	return source, target, u.notices
}
