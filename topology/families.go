package topology

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// DefaultMaxSubDevices is how many sub-devices a gateway may have. The platform's documents disagree
// (1,500 and 2,000): this is the smaller number, and [Families] takes another.
const DefaultMaxSubDevices = 1500

// Families reads all devices, then all relations, and puts every device into exactly one family.
// Families come in the order of their IDs, whatever the order of the streams.
//
// A gateway may have maxSubDevices sub-devices at most; 0 or less means [DefaultMaxSubDevices]. A relation
// that is repeated counts once. The first fault ends the reading: it is an [*Error] that says why and
// which device, and errors.Is finds its [Reason]. A stream's own error is wrapped once.
//
// It allocates about 100 bytes per device, of which the result keeps 32, and 56 per family, besides the texts of
// the IDs. The Devices of all families lie in one array: who keeps a few families of a large fleet
// should clone theirs. Appending to the Devices of one family does not touch another.
func Families(devices iter.Seq2[Member, error], relations iter.Seq2[Relation, error], maxSubDevices int) ([]Family, error) {
	if maxSubDevices <= 0 {
		maxSubDevices = DefaultMaxSubDevices
	}
	r := newRegistry()
	for m, err := range devices {
		if err != nil {
			return nil, fmt.Errorf("topology: read devices: %w", err)
		}
		if err := r.add(m); err != nil {
			return nil, err
		}
	}
	if err := r.index(); err != nil {
		return nil, err
	}
	if err := r.relateAll(relations, maxSubDevices); err != nil {
		return nil, err
	}
	return r.families()
}

// relateAll reads the relations and works on as many at a time as fill a batch.
func (r *registry) relateAll(relations iter.Seq2[Relation, error], limit int) error {
	b := &batch{ids: make([]iot.DeviceID, 0, batchLen)}
	pending := make([]Relation, 0, batchLen/2)
	for rel, err := range relations {
		if err != nil {
			return cmp.Or(r.relateBatch(b, pending, limit), fmt.Errorf("topology: read relations: %w", err))
		}
		pending = append(pending, rel)
		if len(pending) == cap(pending) {
			if err := r.relateBatch(b, pending, limit); err != nil {
				return err
			}
			pending = pending[:0]
		}
	}
	return r.relateBatch(b, pending, limit)
}

// relateBatch finds both ends of relations, of which there are at most half as many as a batch can hold, and joins them.
func (r *registry) relateBatch(b *batch, relations []Relation, limit int) error {
	b.ids = b.ids[:0]
	for i, rel := range relations {
		if i == 0 || rel.Gateway != relations[i-1].Gateway { // they often come gateway by gateway
			b.ids = append(b.ids, rel.Gateway)
		}
		b.ids = append(b.ids, rel.Sub)
	}
	r.find(b)
	found, gateway := b.found[:], none
	for i, rel := range relations {
		if i == 0 || rel.Gateway != relations[i-1].Gateway {
			gateway, found = found[0], found[1:]
		}
		if err := r.relate(rel, gateway, found[0], limit); err != nil {
			return err
		}
		found = found[1:]
	}
	return nil
}

// relate makes rel.Sub a sub-device of rel.Gateway; g and s are their numbers.
func (r *registry) relate(rel Relation, g, s int32, limit int) error {
	switch {
	case g == none:
		return &Error{Reason: UnknownDevice, Device: rel.Gateway}
	case s == none:
		return &Error{Reason: UnknownDevice, Device: rel.Sub, Gateway: rel.Gateway}
	}
	gateway, sub := r.at(g), r.at(s)
	if reason := misfit(gateway, sub); reason != "" {
		return &Error{Reason: reason, Device: rel.Sub, Gateway: rel.Gateway}
	}
	switch {
	case sub.gateway == g:
		return nil
	case sub.gateway != none:
		return &Error{Reason: TwoGateways, Device: rel.Sub, Gateway: rel.Gateway, Other: r.id(r.at(sub.gateway))}
	case int(gateway.count) == limit:
		return &Error{Reason: TooManyChildren, Device: rel.Sub, Gateway: rel.Gateway, Limit: limit}
	}
	gateway.count++
	sub.gateway = g
	return nil
}

// misfit returns why two devices cannot be gateway and sub-device, whoever else they are related to.
func misfit(gateway, sub *node) Reason {
	switch {
	case gateway == sub, sub.kind == isGateway:
		return NestedGateway
	case gateway.kind != isGateway:
		return NotGateway
	case sub.kind != isSub:
		return NotSubDevice
	}
	return ""
}

// families lays all devices out in one array, family by family.
func (r *registry) families() ([]Family, error) {
	heads, err := r.sortedHeads()
	if err != nil {
		return nil, err
	}
	all := make([]iot.DeviceID, r.len)
	families := make([]Family, len(heads))
	start := int32(0)
	for i, h := range heads {
		n := r.at(h.node)
		end := start + n.count
		all[end] = h.id
		families[i].Devices = all[start : end+1 : end+1]
		if n.kind == isGateway {
			families[i].Gateway = h.id
		}
		n.place = start
		start = end + 1
	}
	r.placeSubDevices(all)
	for _, f := range families {
		slices.SortFunc(f.children(), iot.DeviceID.Compare)
	}
	return families, nil
}

// placeSubDevices puts every sub-device where its family has room for it.
func (r *registry) placeSubDevices(all []iot.DeviceID) {
	for _, chunk := range r.chunks {
		for i := range chunk {
			if chunk[i].kind == isSub {
				gateway := r.at(chunk[i].gateway)
				all[gateway.place] = r.id(&chunk[i])
				gateway.place++
			}
		}
	}
}

// A head is the device that names a family.
type head struct {
	id   iot.DeviceID
	node int32
}

// sortedHeads returns the heads of all families, in order.
func (r *registry) sortedHeads() ([]head, error) {
	heads := make([]head, 0, r.heads)
	for i := range int32(r.len) {
		switch n := r.at(i); {
		case n.kind != isSub:
			heads = append(heads, head{r.id(n), i})
		case n.gateway == none:
			return nil, &Error{Reason: NoGateway, Device: r.id(n)}
		}
	}
	slices.SortFunc(heads, func(a, b head) int { return a.id.Compare(b.id) })
	return heads, nil
}
