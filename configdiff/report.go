package configdiff

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A Report is a comparison of two instances. It can be written as text, as Markdown, and as JSON.
type Report struct {
	Moment      Moment           `json:"moment"`
	Source      iot.InstanceInfo `json:"source"`
	Target      iot.InstanceInfo `json:"target"`
	Products    []string         `json:"products"` // that were compared
	Differences []Difference     `json:"differences"`
	Coverage    []Coverage       `json:"coverage,omitempty"`
	Unread      []Unread         `json:"unread,omitempty"` // what was not compared, and why
}

// A Coverage says how much of what is read by device was read. Where Read is less than Devices, an even sample was.
type Coverage struct {
	Kind    Kind `json:"kind"`
	Devices int  `json:"devices"`          // there are, or were kept
	Read    int  `json:"read"`             // were read
	Absent  int  `json:"absent,omitempty"` // of those, are not at the target, and so were not compared
}

// Count returns how many differences there are of a severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, d := range r.Differences {
		if d.Severity == s {
			n++
		}
	}
	return n
}

// Before foretells what a migration will not bring along, and what it will change. It reads both instances. A list of devices that fails in its
// midst ends it, with the list's error: package carry keeps what devices have, and goes on where it was.
func Before(ctx context.Context, source, target iot.View, o Options) (*Report, error) {
	r, err := newRun(ctx, BeforeMove, source, target, o)
	if err != nil {
		return nil, err
	}
	if err := r.foretell(); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// After tells what a migration did not bring along. It reads both instances; what devices had at the source has to be given, see Options.Kept.
func After(ctx context.Context, source, target iot.View, o Options) (*Report, error) {
	r, err := newRun(ctx, AfterMove, source, target, o)
	if err != nil {
		return nil, err
	}
	if err := r.compareKept(); err != nil {
		return nil, err
	}
	if err := r.members(); err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// A run is the work of one comparison.
type run struct {
	ctx            context.Context
	source, target iot.View
	o              Options
	from, to       *Config
	report         *Report
	byDevice       tally
}

func newRun(ctx context.Context, m Moment, source, target iot.View, o Options) (*run, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	o.Groups = false // they are compared as wholes
	from := o.Source
	if from == nil || m == BeforeMove {
		var err error
		if from, err = Read(ctx, source, o); err != nil {
			return nil, err
		}
	}
	if o.Products != nil {
		from = from.only(o.Products)
	}
	at := o
	at.Products = from.Products
	if at.Products == nil {
		at.Products = []string{} // none, not all
	}
	to, err := Read(ctx, target, at)
	if err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, source: source, target: target, o: o, from: from, to: to, byDevice: tally{most: o.examples()}}
	r.report = &Report{
		Moment: m, Source: source.Info, Target: target.Info, Products: from.Products,
		Differences: Compare(m, from, to), Unread: append(slices.Clone(from.Unread), to.Unread...),
	}
	return r, nil
}

func (r *run) finish() *Report {
	r.report.Differences = append(r.report.Differences, r.byDevice.differences(r.report.Moment)...)
	sortDifferences(r.report.Differences)
	return r.report
}

func (r *run) unread(k Kind, at iot.View, why string) {
	r.report.Unread = append(r.report.Unread, Unread{k, at.Info.String(), why})
}

// Why something was not read.
const (
	noMeans    = "the driver has no means to read it"
	notAllowed = "the credentials do not allow it"
)

// foretell reads the labels of devices at the source: none of them comes along.
func (r *run) foretell() error {
	if r.source.Config.Labels == nil {
		r.unread(Label, r.source, noMeans)
		if r.o.Keep == nil {
			return nil
		}
	}
	at := r.source
	if r.o.Keep == nil {
		at.Config.Shadows = nil // they go with the devices
	}
	cover := Coverage{Kind: Label}
	r.byDevice.step = 1
	if r.o.Keep == nil {
		total, err := r.count(r.source)
		if err != nil {
			return err
		}
		r.byDevice.step = r.o.step(total)
	}
	ids := sampled(r.devices(), r.byDevice.step, func(id iot.DeviceID) iot.DeviceID { return id }, &cover.Devices)
	for d, err := range ReadDevices(r.ctx, at, ids, r.o) {
		if err != nil {
			return r.denied(err)
		}
		cover.Read++
		if len(d.Labels) > 0 {
			r.byDevice.add(Label, Missing, d.Device.ProductKey, "", d.Device)
		}
		if r.o.Keep != nil {
			if err := r.o.Keep(d); err != nil {
				return fmt.Errorf("configdiff: keep device %s: %w", d.Device, err)
			}
		}
	}
	if r.byDevice.step == 1 { // what left meanwhile is not one of them
		cover.Devices = cover.Read
	}
	r.report.Coverage = append(r.report.Coverage, cover)
	return nil
}

// denied lets labels be unread that the credentials do not allow. What has to be kept must be read.
func (r *run) denied(err error) error {
	if !errors.Is(err, iot.Denied) || r.o.Keep != nil {
		return err
	}
	r.unread(Label, r.source, notAllowed)
	return nil
}

// devices yields the devices of the source's products.
func (r *run) devices() iter.Seq2[iot.DeviceID, error] {
	return func(yield func(iot.DeviceID, error) bool) {
		for _, key := range r.from.Products {
			for d, err := range r.source.Devices(r.ctx, key) {
				if err != nil {
					yield(iot.DeviceID{}, fmt.Errorf("configdiff: read the devices of %s: %w", key, err))
					return
				}
				if !yield(d.ID, nil) {
					return
				}
			}
		}
	}
}

// count returns how many devices of the products instances have.
func (r *run) count(instances ...iot.View) (int, error) {
	total := 0
	for _, at := range instances {
		for _, key := range r.from.Products {
			p, err := patiently(r.ctx, r.o.Clock, func() (iot.Product, error) { return at.Product(r.ctx, key) })
			if err != nil && !errors.Is(err, iot.NotFound) {
				return 0, fmt.Errorf("configdiff: read product %s of %s: %w", key, at.Info, err)
			}
			total += p.Devices
		}
	}
	return total, nil
}

// compareKept compares labels and shadows at the target with what was kept.
func (r *run) compareKept() error {
	if r.o.Kept == nil {
		for _, k := range []Kind{Label, Shadow} {
			r.unread(k, r.source, "what devices had was not kept before they moved")
		}
		return nil
	}
	total, err := r.count(r.source, r.target) // about as many as were kept
	if err != nil {
		return err
	}
	reader, err := newDeviceReader(r.ctx, r.target, r.o)
	if err != nil {
		return err
	}
	reader.denied = map[Kind]bool{}
	var cover Coverage
	r.byDevice.step = r.o.step(total)
	kept := sampled(r.kept(), r.byDevice.step, func(d DeviceConfig) iot.DeviceID { return d.Device }, &cover.Devices)
	for p, err := range beside(reader, kept) {
		if err != nil {
			return err
		}
		cover.Read++
		if p.now == nil {
			cover.Absent++
			continue
		}
		for _, d := range reader.compare(p) {
			r.byDevice.add(d.Kind, d.Change, d.Device.ProductKey, "", d.Device)
		}
	}
	r.cover(reader, cover)
	return nil
}

// cover says how much of each kind was compared with what was kept.
func (r *run) cover(reader *deviceReader, c Coverage) {
	for _, k := range []Kind{Label, Shadow} {
		switch {
		case reader.denied[k]:
			r.unread(k, r.target, notAllowed)
		case !reader.reads(k):
			r.unread(k, r.target, noMeans)
		default:
			c.Kind = k
			r.report.Coverage = append(r.report.Coverage, c)
		}
	}
}

// kept yields what was kept of the products that are compared.
func (r *run) kept() iter.Seq2[DeviceConfig, error] {
	return func(yield func(DeviceConfig, error) bool) {
		for d, err := range r.o.Kept {
			if err != nil {
				yield(DeviceConfig{}, fmt.Errorf("configdiff: read what was kept: %w", err))
				return
			}
			if slices.Contains(r.from.Products, d.Device.ProductKey) && !yield(d, nil) {
				return
			}
		}
	}
}
