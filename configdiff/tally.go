package configdiff

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// A tally gathers differences of devices: one for each kind, change and subject, however many devices there are.
type tally struct {
	most  int    // how many devices of each are named
	step  uint64 // one of so many devices was read; members of groups are all read
	found map[tallyKey]*Difference
	order []tallyKey
}

type tallyKey struct {
	kind          Kind
	change        Change
	product, name string
}

func (t *tally) add(k Kind, c Change, product, name string, id iot.DeviceID) {
	key := tallyKey{k, c, product, name}
	d := t.found[key]
	if d == nil {
		if t.found == nil {
			t.found = map[tallyKey]*Difference{}
		}
		d = &Difference{Kind: k, Change: c, Product: product, Name: name}
		t.found[key] = d
		t.order = append(t.order, key)
	}
	if d.Count++; d.Count <= t.most {
		d.Devices = append(d.Devices, id)
	}
}

func (t *tally) differences(m Moment) []Difference {
	out := make([]Difference, 0, len(t.order))
	for _, key := range t.order {
		d := *t.found[key]
		n := counted(d.Count, "device")
		if t.step > 1 && d.Kind != Member {
			n += " of the sample"
		}
		d.Severity, d.Why, d.Do = explain(d, m, n)
		out = append(out, d)
	}
	return out
}

// explain says what a difference of n devices means.
func explain(d Difference, m Moment, n string) (s Severity, why, do string) {
	const right = "Make them what they were at the source, or decide that the target is right."
	switch {
	case d.Kind == Label && d.Change == Missing && m == BeforeMove:
		return Work, fmt.Sprintf("%s of product %s: the platform does not migrate labels.", n, d.Product),
			"Keep the labels before the devices move, and carry them: afterwards the source cannot tell them any more."
	case d.Kind == Label && d.Change == Missing:
		return Work, fmt.Sprintf("%s of product %s: labels that they had at the source are missing.", n, d.Product), "Carry them, or add them by hand."
	case d.Kind == Label && d.Change == Changed:
		return Work, fmt.Sprintf("%s of product %s: labels have another value than at the source.", n, d.Product), right
	case d.Kind == Label:
		return Note, fmt.Sprintf("%s of product %s: labels exist at the target alone.", n, d.Product), ""
	case d.Kind == Member && d.Change == Missing:
		return Work, fmt.Sprintf("%s moved and not in group %s at the target.", n, quoted(d.Name)), "Carry them, or add them by hand."
	case d.Kind == Member:
		return Note, fmt.Sprintf("%s in group %s at the target alone.", n, quoted(d.Name)), ""
	case d.Change == Extra:
		return Note, fmt.Sprintf("%s of product %s: the shadow wants something at the target alone.", n, d.Product), ""
	case d.Change == Missing:
		return Loss, fmt.Sprintf("%s of product %s: what the shadow wanted at the source is missing.", n, d.Product), "Update the shadows at the target."
	}
	return Work, fmt.Sprintf("%s of product %s: the shadow wants something else than at the source.", n, d.Product), right
}
