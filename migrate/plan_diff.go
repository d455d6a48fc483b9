package migrate

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// diffLines is how many families of a lane Diff lists for each way in which they differ.
const diffLines = 10

// Diff says for people in what way b is not a: a line for each difference, in a fixed order; none if the
// plans have the same hash. Of many families that differ in the same way it lists the first ten and counts
// the rest.
func Diff(a, b *Plan) []string {
	var d differ
	d.value("version", a.Version, b.Version)
	d.value("account", a.Account, b.Account)
	d.value("source", a.Source, b.Source)
	d.value("target", a.Target, b.Target)
	d.value("limits", a.Limits, b.Limits)
	d.value("deadlines", a.Deadlines, b.Deadlines)
	d.value("follows", a.Follows, b.Follows)
	pair(a.Issues, b.Issues, Issue.title, d.issue)
	pair(a.Lanes, b.Lanes, func(l LanePlan) string { return "lane " + l.Lane.ID }, d.lane)
	return d.lines
}

type differ struct{ lines []string }

func (d *differ) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// value compares two values of one type; of structs, field by field.
func (d *differ) value(what string, a, b any) {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Kind() == reflect.Struct {
		for i := range va.NumField() {
			name, _ := tagOf(va.Type().Field(i))
			d.value(what+"."+name, va.Field(i).Interface(), vb.Field(i).Interface())
		}
		return
	}
	if was, is := shown(va), shown(vb); was != is {
		d.add("%s: %s -> %s", what, was, is)
	}
}

func shown(v reflect.Value) string {
	if d, ok := v.Interface().(time.Duration); ok {
		return d.String()
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return "[]"
	}
	return written(v.Interface())
}

func written(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// pair calls f for every name that a or b has: first those of a in their order, then those that only b has.
func pair[T any](a, b []T, name func(T) string, f func(name string, a, b *T)) {
	rest := make(map[string]*T, len(b))
	for i := range b {
		rest[name(b[i])] = &b[i]
	}
	for i := range a {
		n := name(a[i])
		f(n, &a[i], rest[n])
		delete(rest, n)
	}
	for i := range b {
		if n := name(b[i]); rest[n] != nil {
			f(n, nil, &b[i])
		}
	}
}

// title names an issue by its code and subject, which no other issue of a plan has.
func (i Issue) title() string {
	switch {
	case i.Instance != "":
		return fmt.Sprintf("%s %s of instance %s", i.Severity, i.Code, i.Instance)
	case i.ProductKey != "":
		return fmt.Sprintf("%s %s of product %s", i.Severity, i.Code, i.ProductKey)
	}
	return fmt.Sprintf("%s %s of family %s", i.Severity, i.Code, i.family())
}

func (d *differ) issue(name string, a, b *Issue) {
	switch {
	case b == nil:
		d.add("%s: gone", name)
	case a == nil:
		d.add("%s: new", name)
	case !slices.Equal(a.Devices, b.Devices):
		d.add("%s: %d devices -> %d devices%s", name, len(a.Devices), len(b.Devices), change(a.Devices, b.Devices))
	case written(a) != written(b):
		d.add("%s: other words", name)
	}
}

func (d *differ) lane(name string, a, b *LanePlan) {
	switch {
	case b == nil:
		d.add("%s: gone, with %d devices", name, a.Lane.Devices)
		return
	case a == nil:
		d.add("%s: new, with %d devices by strategy %s", name, b.Lane.Devices, b.Strategy)
		return
	}
	before := len(d.lines)
	d.value(name+": strategy", a.Strategy, b.Strategy)
	d.value(name+": why", a.Why, b.Why)
	pair(a.Lane.Products, b.Lane.Products, func(p Product) string { return name + ": product " + p.Key }, d.product)
	d.families(name, a.Families, b.Families)
	d.value(name+": followers", a.Followers, b.Followers)
	d.value(name+": order of stages", stageNames(a.Stages), stageNames(b.Stages))
	pair(a.Stages, b.Stages, func(s StagePlan) string { return name + ": stage " + s.Name }, d.stage)
	d.value(name+": forecast", a.Forecast, b.Forecast)
	if before == len(d.lines) && !slices.EqualFunc(a.Families, b.Families, sameFamily) {
		d.add("%s: its families move in another order", name)
	}
}

func (d *differ) product(name string, a, b *Product) {
	switch {
	case b == nil:
		d.add("%s: gone", name)
	case a == nil:
		d.add("%s: new", name)
	default:
		d.value(name, *a, *b)
	}
}

func stageNames(stages []StagePlan) []string {
	names := make([]string, 0, len(stages))
	for _, s := range stages {
		names = append(names, s.Name)
	}
	return names
}

func (d *differ) stage(name string, a, b *StagePlan) {
	if a == nil || b == nil {
		return // the order of stages shows it
	}
	was, is := *a, *b
	if !slices.Equal(a.Waves, b.Waves) {
		d.add("%s: %s -> %s", name, waves(a.Waves), waves(b.Waves))
	}
	was.Waves, is.Waves = nil, nil
	d.value(name, was, is)
}

func waves(ws []topology.Wave) string {
	sizes := make([]string, 0, len(ws))
	for i, w := range ws {
		if i == diffLines {
			sizes = append(sizes, "...")
			break
		}
		sizes = append(sizes, fmt.Sprint(w.Devices))
	}
	noun := "waves"
	if len(ws) == 1 {
		noun = "wave"
	}
	return fmt.Sprintf("%d %s of %s devices", len(ws), noun, strings.Join(sizes, ", "))
}

// families compares what the families are, not their order.
func (d *differ) families(lane string, a, b []topology.Family) {
	var gone, added, changed []string
	rest := make(map[iot.DeviceID]topology.Family, len(b))
	for _, f := range b {
		rest[f.ID()] = f
	}
	for _, f := range a {
		is, ok := rest[f.ID()]
		delete(rest, f.ID())
		switch {
		case !ok:
			gone = append(gone, fmt.Sprintf("%s: gone, with %d devices", f.ID(), f.Len()))
		case !sameFamily(f, is):
			changed = append(changed, fmt.Sprintf("%s: %d devices -> %d devices%s",
				f.ID(), f.Len(), is.Len(), change(f.Devices, is.Devices)))
		}
	}
	for id, f := range rest {
		added = append(added, fmt.Sprintf("%s: new, with %d devices", id, f.Len()))
	}
	d.list(lane, "gone", gone)
	d.list(lane, "new", added)
	d.list(lane, "changed", changed)
}

// list adds the lines about the first families in the order of their IDs.
func (d *differ) list(lane, how string, families []string) {
	slices.Sort(families)
	for i, text := range families {
		if i == diffLines {
			d.add("%s: %d more families are %s", lane, len(families)-diffLines, how)
			return
		}
		d.add("%s: family %s", lane, text)
	}
}

func sameFamily(a, b topology.Family) bool {
	return a.Gateway == b.Gateway && slices.Equal(a.Devices, b.Devices)
}

// change lists the devices that only b has, and those that only a has.
func change(a, b []iot.DeviceID) string {
	only := func(these, others []iot.DeviceID, sign string) (text string) {
		set := make(map[iot.DeviceID]bool, len(these))
		for _, id := range these {
			set[id] = true
		}
		for _, id := range others {
			delete(set, id)
		}
		for i, id := range slices.SortedFunc(maps.Keys(set), iot.DeviceID.Compare) {
			if i == diffLines {
				return text + " " + sign + "..."
			}
			text += " " + sign + id.String()
		}
		return text
	}
	return only(b, a, "+") + only(a, b, "-")
}
