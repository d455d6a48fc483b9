package fake

import "slices"

// A copying is a time during which the history of a product's devices was copied to another instance.
type copying struct {
	from, to     *instance
	since, until stamp // until is forever while it lasts
}

// switchSync begins or ends the copying of a product's history.
func (c *Cloud) switchSync(t *task, on bool) {
	p := t.product
	if on {
		p.copyings = append(p.copyings, copying{t.source, t.target, c.at, forever})
		return
	}
	for i := range p.copyings {
		if s := &p.copyings[i]; s.to == t.target && s.until == forever {
			s.until = c.at
		}
	}
}

// forgetSync ends copying, and what was copied for devices that did not move is gone.
func (t *task) forgetSync() {
	t.product.copyings = slices.DeleteFunc(t.product.copyings, func(s copying) bool { return s.to == t.target })
}

// historyAt returns a device whose history an instance shows: it lives there, or synchronisation copies its history there.
func (c *Cloud) historyAt(in *instance, d *device) bool {
	return d.home == in || !c.quirks.SyncHidesUnmoved && slices.ContainsFunc(d.product.copyings, func(s copying) bool {
		return s.to == in && s.from == d.home
	})
}

// shownSince tells since when an instance shows a row that exists. A device that moves leaves its history behind, and the
// record with it: what it reported there is shown where it lives now as far as it was copied before.
func (c *Cloud) shownSince(d *device, in *instance, r row) (since stamp, copied, ok bool) {
	switch {
	case d.home == in && r.in == in:
		return r.got, false, r.got >= d.here || c.quirks.HistoryMoves
	case d.home == in && c.quirks.HistoryMoves:
		return r.got, true, true
	case d.home == in:
		since, ok = c.copiedAt(d.product, in, r, d.here)
		return since, true, ok && r.got >= d.earlier
	case r.in == d.home:
		since, ok = c.copiedAt(d.product, in, r, c.at)
		return since, true, ok && r.got >= d.here
	}
	return 0, false, false
}

// copiedAt tells when a row arrived at an instance, if it was taken before a time: copying began with what had been
// reported SyncBack before the switch, went forward at SyncPace, and then kept up.
func (c *Cloud) copiedAt(p *product, to *instance, r row, before stamp) (stamp, bool) {
	pace := float64(c.quirks.SyncPace) / 1e9 // time of history in a time
	if pace == 0 {
		return 0, false
	}
	for _, s := range p.copyings {
		begin := s.since - int64(c.quirks.SyncBack)
		if s.to != to || s.from != r.in || r.got < begin {
			continue
		}
		reached := max(r.got, s.since+int64(float64(r.got-begin)/pace))
		if reached <= min(s.until, before) {
			return reached + int64(c.quirks.SyncLag), true
		}
	}
	return 0, false
}
