package tslsync

import "time"

// A Difference is what a comparison found in all: the sum of its steps. The zero value is that of no steps. It is a value to keep in a
// journal while the comparison goes on: add each step once.
type Difference struct {
	Counts
	Devices      int       `json:"devices"`               // compared to their end
	Differing    int       `json:"differing,omitzero"`    // of these, with rows that are missing, extra or different
	AbsentSource int       `json:"absentSource,omitzero"` // the source does not have them, as when they have moved; not in Devices
	AbsentTarget int       `json:"absentTarget,omitzero"` // the target does not have them; not in Devices or AbsentSource
	Calls        int       `json:"calls"`
	From         time.Time `json:"from,omitzero"`  // what is later than it, up to Until, is compared of every device
	Until        time.Time `json:"until,omitzero"` // not included
	// Newest is the last hour with a row that both sides have: how far data synchronisation has come at least.
	Newest time.Time `json:"newest,omitzero"`
	// Differs tells that the device under way differs already.
	Differs bool `json:"differs,omitzero"`
}

// Add adds the next step of a comparison. The steps of one device must not be mixed with those of another.
func (d *Difference) Add(s Step) {
	d.Calls += s.Calls
	for _, h := range s.Hours {
		d.add(h.Counts)
		d.Differs = d.Differs || !h.Agree()
		if h.Equal > 0 && h.Start.After(d.Newest) {
			d.Newest = h.Start
		}
	}
	if s.Cursor.Done {
		d.finish(s)
	}
}

func (d *Difference) finish(s Step) {
	differs := d.Differs
	d.Differs = false
	for _, side := range s.Absent {
		if side == Source {
			d.AbsentSource++
			return
		}
	}
	if len(s.Absent) > 0 {
		d.AbsentTarget++
		return
	}
	d.Devices++
	if differs {
		d.Differing++
	}
	if s.Cursor.From.After(d.From) {
		d.From = s.Cursor.From
	}
	if d.Until.IsZero() || s.Cursor.To.Before(d.Until) {
		d.Until = s.Cursor.To
	}
}

// Empty reports whether the target has all that the source still holds of the devices compared. Rows that only the target has
// do not count against it: a device that has moved reports there.
func (d Difference) Empty() bool { return d.Missing == 0 && d.Different == 0 && d.AbsentTarget == 0 }
