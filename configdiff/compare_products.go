package configdiff

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

// A publication is what a product has one of, or none.
type publication struct {
	kind                    Kind
	what, gone, changed, do string
}

// publication compares what a product has on both sides. Before a migration, nothing is missing yet.
func (c *comparison) publication(p publication, product string, hasFrom, hasTo bool, fields func() []Field) {
	d := Difference{Kind: p.kind, Product: product, Change: Changed, Severity: Loss}
	switch {
	case !hasFrom && !hasTo, c.before() && !hasTo:
		return
	case !hasTo:
		d.Change = Missing
		d.Why = fmt.Sprintf("the %s of product %s is not at the target: %s", p.what, product, p.gone)
		d.Do = "Publish it at the target."
	case !hasFrom:
		d.Change, d.Severity = Extra, Note
		d.Why = fmt.Sprintf("product %s has a %s at the target alone.", product, p.what)
	default:
		if d.Fields = fields(); len(d.Fields) == 0 {
			return
		}
		d.Why = fmt.Sprintf("the %s of product %s %s", p.what, product, p.changed)
		d.Do = p.do
	}
	c.add(d)
}

func (c *comparison) models() {
	for _, product := range c.source.Products {
		from, hasFrom := c.source.Models[product]
		to, hasTo := c.target.Models[product]
		c.publication(publication{
			kind: ThingModel, what: "thing model", gone: "what its devices report is refused.",
			changed: "is not the same at the target: what devices report, or servers call, may be refused.",
			do:      "Publish the source's model at the target, or decide that the target is right.",
		}, product, hasFrom, hasTo, func() []Field { return modelFields(from, to) })
	}
}

// modelFields compares two models by their meaning, or, if one of them cannot be read, by their JSON.
func modelFields(from, to []byte) []Field {
	a, errA := tslsync.Parse(from)
	b, errB := tslsync.Parse(to)
	if errA != nil || errB != nil {
		source, target := flat{}, flat{}
		source.json("model", from, asItIs)
		target.json("model", to, asItIs)
		return difference(source, target)
	}
	var out []Field
	for _, x := range tslsync.Diff(a, b) {
		if x.Path != "version" { // each instance numbers its own
			out = append(out, Field{x.Path, x.From, x.To})
		}
	}
	return out
}

func (c *comparison) scripts() {
	for _, product := range c.source.Products {
		from, hasFrom := c.source.Scripts[product]
		to, hasTo := c.target.Scripts[product]
		c.publication(publication{
			kind: Script, what: "data-parsing script", gone: "its devices' raw data is not understood there.",
			changed: "is of another language at the target.", do: "Publish the source's script at the target.",
		}, product, hasFrom, hasTo, func() []Field {
			return difference(flat{"language": from.Language}, flat{"language": to.Language})
		})
	}
}

// deviceGroups compares groups by their names; a parent counts by its name as well.
func (c *comparison) deviceGroups() {
	list := func(groups []iot.DeviceGroup) (out []thing) {
		names := map[string]string{}
		for _, g := range groups {
			names[g.ID] = g.Name
		}
		for _, g := range groups {
			f := flat{}
			f.put("description", g.Description)
			f.put("parent", names[g.Parent])
			out = append(out, thing{name: g.Name, id: g.ID, values: f})
		}
		return out
	}
	c.compareStaying(DeviceGroup, "device group", "Create it at the target and put the devices into it, by hand or by the stage that carries; then delete the old one: operations on devices that have moved raise errors there.",
		list(c.source.DeviceGroups), list(c.target.DeviceGroups))
}

func (c *comparison) jobs() {
	list := func(jobs []iot.Job) (out []work) {
		for _, j := range jobs {
			out = append(out, work{thing{name: j.Name, id: j.ID, values: flat{"type": j.Type}}, j.InFlight()})
		}
		return out
	}
	c.compareWork(Job, "device job", "Let it end first, or create it again at the target.", list(c.source.Jobs), list(c.target.Jobs))
}

func (c *comparison) updates() {
	list := func(updates []UpdateBatch) (out []work) {
		for _, u := range updates {
			out = append(out, work{thing{product: u.ProductKey, name: u.Firmware + " " + u.Version, id: u.ID, values: flat{"type": u.Type}}, u.InFlight()})
		}
		return out
	}
	n := len(c.out)
	c.compareWork(Update, "OTA update to", "Let it end first, or upload the package and create the batch again at the target.",
		list(c.source.Updates), list(c.target.Updates))
	for i := range c.out[n:] {
		c.waiting(&c.out[n+i])
	}
}

// waiting adds the devices that wait for an update batch which is missing.
func (c *comparison) waiting(d *Difference) {
	for _, u := range c.source.Updates {
		if d.Change == Missing && u.ID == d.SourceID && u.Unfinished > 0 {
			d.Devices, d.Count = u.Devices, u.Unfinished
			d.Why += fmt.Sprintf(" It has not updated %s yet.", counted(u.Unfinished, "device"))
		}
	}
}

// A work is a thing that ends by itself.
type work struct {
	thing
	inFlight bool
}

// compareWork looks for what is in flight at the source. At the target it may have ended already; what else has ended there is nobody's concern.
func (c *comparison) compareWork(k Kind, what, do string, source, target []work) {
	var from, to []thing
	wanted := map[string]bool{}
	for _, w := range source {
		if w.inFlight {
			from = append(from, w.thing)
			wanted[w.product+"/"+w.name] = true
		}
	}
	for _, w := range target {
		if w.inFlight || wanted[w.product+"/"+w.name] {
			to = append(to, w.thing)
		}
	}
	c.compareStaying(k, what, do, from, to)
}

func (c *comparison) scenes() {
	list := func(scenes []iot.Scene) (out []thing) {
		for _, s := range scenes {
			out = append(out, thing{name: s.Name, id: s.ID, values: flat{"running": fmt.Sprint(s.Running)}})
		}
		return out
	}
	c.compareStaying(Scene, "scene", "Create it again at the target.", list(c.source.Scenes), list(c.target.Scenes))
}
