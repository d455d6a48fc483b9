package configdiff_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Every seeded difference is found, and nothing else, whatever the combination.
func TestSeededDifferences(t *testing.T) {
	for _, wire := range []bool{false, true} {
		seeds := 40
		if wire {
			seeds = 4
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("sockets=%v/seed=%d", wire, seed), func(t *testing.T) {
				w := newWorld(t, wire)
				w.move(t)
				w.carried(t)
				if _, found := w.after(t, configdiff.Options{}); len(found) > 0 {
					t.Fatalf("nothing was seeded, and found is: %q", found)
				}
				s := w.read(t)
				want := seedDifferences(rand.New(rand.NewPCG(7, uint64(seed))), s)
				if err := w.cloud.SetupTarget(s.Setup); err != nil {
					t.Fatal(err)
				}
				slices.Sort(want)
				if _, found := w.after(t, configdiff.Options{}); cmp.Diff(want, found) != "" {
					t.Errorf("seeded and found (-seeded +found):\n%s", cmp.Diff(want, found))
				}
			})
		}
	}
}

// Each kind of seed is found by itself as well, so that none hides behind another one.
func TestEachSeed(t *testing.T) {
	for i, seed := range allSeeds() {
		w := newWorld(t, false)
		w.move(t)
		w.carried(t)
		s := w.read(t)
		want := seed(rand.New(rand.NewPCG(1, 2)), s)
		if err := w.cloud.SetupTarget(s.Setup); err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		if _, found := w.after(t, configdiff.Options{}); cmp.Diff(want, found) != "" {
			t.Errorf("seed %d (-seeded +found):\n%s", i, cmp.Diff(want, found))
		}
	}
}

// A target is the target's configuration, to be changed, and what has been touched already.
type target struct {
	migratetest.Setup
	groups  map[string]string // IDs of consumer groups by name
	touched map[string]bool
}

// read takes the target's configuration.
func (w *world) read(t *testing.T) *target {
	t.Helper()
	p := w.platform
	c, err := configdiff.Read(t.Context(), p.Target.View, configdiff.Options{Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	s := &target{groups: map[string]string{}, touched: map[string]bool{}}
	for _, g := range c.Groups {
		s.groups[g.Name] = g.ID
	}
	s.Rules, s.Parsers, s.Groups, s.Subscriptions = c.Rules, c.Parsers, c.Groups, c.Subscriptions
	s.DeviceGroups, s.Jobs, s.Scenes = c.DeviceGroups, c.Jobs, c.Scenes
	for _, u := range c.Updates {
		s.OTAJobs = append(s.OTAJobs, u.OTAJob)
	}
	s.Members = map[string][]iot.DeviceID{}
	for _, g := range s.DeviceGroups {
		s.Members[g.ID] = w.members(t.Context(), t, g.ID)
	}
	s.Models, s.Scripts = c.Models, map[string]string{}
	s.Labels, s.Shadows = map[iot.DeviceID]map[string]string{}, map[iot.DeviceID]json.RawMessage{}
	return s
}

func (w *world) members(ctx context.Context, t *testing.T, group string) (out []iot.DeviceID) {
	t.Helper()
	for id, err := range w.platform.Target.Config.DeviceGroups.GroupDevices(ctx, group) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

// A seedFunc changes the target and returns the lines that have to be found.
type seedFunc func(*rand.Rand, *target) []string

func seedDifferences(r *rand.Rand, s *target) (want []string) {
	seeds := allSeeds()
	for range 1 + r.IntN(12) {
		want = append(want, seeds[r.IntN(len(seeds))](r, s)...)
	}
	return want
}

// once picks one of n things of a kind that nothing has touched; false if there is none left.
func (s *target) once(r *rand.Rand, kind string, n int) (int, bool) {
	for _, i := range r.Perm(n) {
		key := fmt.Sprint(kind, i)
		if !s.touched[key] {
			s.touched[key] = true
			return i, true
		}
	}
	return 0, false
}

// on makes a seed that changes one thing of a list, found by its name: things that are deleted do not shift the others.
func on(kind string, names []string, change func(s *target, name string) string) seedFunc {
	return func(r *rand.Rand, s *target) []string {
		i, ok := s.once(r, kind, len(names))
		if !ok {
			return nil
		}
		return []string{change(s, names[i])}
	}
}

func numbered(word string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s_%d", word, i))
	}
	return out
}

func allSeeds() []seedFunc {
	return slices.Concat(ruleSeeds(), parserSeeds(), subscriptionSeeds(), productSeeds(), deviceSeeds(), groupSeeds(), workSeeds())
}

func ruleSeeds() []seedFunc {
	const product = migratetest.DirectProduct
	names := numbered("to_table", 6)
	changed := func(change func(*iot.RuleDetail)) seedFunc {
		return on("rule", names, func(s *target, name string) string {
			i := slices.IndexFunc(s.Rules, func(x iot.RuleDetail) bool { return x.Name == name })
			s.Rules[i].Outputs = slices.Clone(s.Rules[i].Outputs)
			change(&s.Rules[i])
			return "rule changed " + product + name
		})
	}
	return []seedFunc{
		on("rule", names, func(s *target, name string) string {
			s.Rules = slices.DeleteFunc(s.Rules, func(x iot.RuleDetail) bool { return x.Name == name })
			return "rule missing " + product + name
		}),
		on("new rule", numbered("extra", 3), func(s *target, name string) string {
			s.Rules = append(s.Rules, iot.RuleDetail{Rule: iot.Rule{Name: name, ProductKey: product, Topic: "/+/user/x", Running: true}, DataType: "JSON", Select: "*"})
			return "rule extra " + product + name
		}),
		changed(func(x *iot.RuleDetail) { x.Running = false }),
		changed(func(x *iot.RuleDetail) { x.Where = "a > 2" }),
		changed(func(x *iot.RuleDetail) { x.Topic = "/+/user/elsewhere" }),
		changed(func(x *iot.RuleDetail) { x.Outputs = x.Outputs[:1] }),
		changed(func(x *iot.RuleDetail) { x.Outputs[0].OnError = !x.Outputs[0].OnError }),
		changed(func(x *iot.RuleDetail) { x.Outputs[0].Configuration = json.RawMessage(`{"n":2}`) }),
		changed(func(x *iot.RuleDetail) { // the form of JSON and the order of actions do not count
			x.Outputs[0].Configuration = json.RawMessage(`{ "n" : 1.0e0, "tableName":"t" }`)
			slices.Reverse(x.Outputs)
		}).quiet(),
	}
}

func parserSeeds() []seedFunc {
	names := numbered("parser", 6)
	changed := func(change func(*iot.Parser)) seedFunc {
		return on("parser", names, func(s *target, name string) string {
			i := slices.IndexFunc(s.Parsers, func(x iot.Parser) bool { return x.Name == name })
			change(&s.Parsers[i])
			return "parser changed " + name
		})
	}
	return []seedFunc{
		on("parser", names, func(s *target, name string) string {
			s.Parsers = slices.DeleteFunc(s.Parsers, func(x iot.Parser) bool { return x.Name == name })
			return "parser missing " + name
		}),
		on("new parser", numbered("new", 2), func(s *target, name string) string {
			s.Parsers = append(s.Parsers, iot.Parser{Name: name})
			return "parser extra " + name
		}),
		changed(func(x *iot.Parser) { x.Script = "c()" }),
		changed(func(x *iot.Parser) { x.Running = false }),
		changed(func(x *iot.Parser) {
			x.Sources = append(x.Sources, iot.ParserSource{Topic: "/+/user/b", ProductKey: migratetest.DirectProduct})
		}),
		changed(func(x *iot.Parser) { x.Destinations = nil }),
	}
}

func subscriptionSeeds() []seedFunc {
	change := func(product, kind string, change func(*target, *iot.Subscription)) seedFunc {
		return on("subscription "+product, []string{product}, func(s *target, product string) string {
			i := slices.IndexFunc(s.Subscriptions, func(x iot.Subscription) bool { return x.ProductKey == product })
			change(s, &s.Subscriptions[i])
			return "subscription " + kind + " " + product + "amqp"
		})
	}
	const a, b = migratetest.DirectProduct, migratetest.PreRegisteredProduct
	return []seedFunc{
		on("subscription "+a, []string{a}, func(s *target, product string) string {
			s.Subscriptions = slices.DeleteFunc(s.Subscriptions, func(x iot.Subscription) bool { return x.ProductKey == product })
			return "subscription missing " + product + "amqp"
		}),
		change(a, "changed", func(_ *target, x *iot.Subscription) { x.Events = x.Events[:1] }),
		change(b, "changed", func(_ *target, x *iot.Subscription) { x.Events = append(x.Events, iot.TopologyChange) }),
		change(b, "changed", func(_ *target, x *iot.Subscription) { x.Events = append(x.Events, iot.OTAJobStatus) }),
		change(b, "changed", func(s *target, x *iot.Subscription) { x.Groups = []string{s.groups["alarms"]} }),
		on("group", []string{"default"}, func(s *target, _ string) string { // a group that nobody uses is nobody's concern
			s.Groups = append(s.Groups, iot.ConsumerGroup{ID: "unused0001", Name: "unused"})
			return ""
		}).quiet(),
	}
}

// quiet makes a seed that must not be found.
func (f seedFunc) quiet() seedFunc {
	return func(r *rand.Rand, s *target) []string {
		f(r, s)
		return nil
	}
}

func productSeeds() []seedFunc {
	model := func(old, replacement, kind string) seedFunc {
		return on("model", []string{migratetest.ThingModelProduct}, func(s *target, product string) string {
			s.Models[product] = json.RawMessage(strings.Replace(string(s.Models[product]), old, replacement, 1))
			return "thing model " + kind + " " + product
		})
	}
	return []seedFunc{
		model(`"max": "100"`, `"max": "99"`, "changed"),
		model(`"identifier": "Offset"`, `"identifier": "Shift"`, "changed"),
		model("\n", "\n\n", "").quiet(), // the form of JSON does not count
		on("script", []string{migratetest.DirectProduct, migratetest.GatewayProduct}, func(s *target, product string) string {
			s.Scripts[product] = ""
			return "script missing " + product
		}),
		on("script", []string{migratetest.DirectProduct, migratetest.GatewayProduct}, func(s *target, product string) string {
			s.Scripts[product] = "Python_27"
			return "script changed " + product
		}),
		on("new script", []string{migratetest.PreRegisteredProduct}, func(s *target, product string) string {
			s.Scripts[product] = "Python_27"
			return "script extra " + product
		}),
	}
}

func deviceSeeds() []seedFunc {
	label := func(kind string, change func(map[string]string)) seedFunc {
		return func(r *rand.Rand, s *target) []string {
			n, ok := s.once(r, "labels", devices)
			if !ok {
				return nil
			}
			labels := maps.Clone(sourceSetup().Labels[direct(n)])
			change(labels)
			s.Labels[direct(n)] = labels
			return []string{"label " + kind + " " + migratetest.DirectProduct + " " + direct(n).DeviceName}
		}
	}
	shadow := func(kind, text string) seedFunc {
		return func(r *rand.Rand, s *target) []string {
			n, ok := s.once(r, "shadow", devices)
			if !ok {
				return nil
			}
			s.Shadows[direct(n)] = json.RawMessage(text)
			return []string{"shadow " + kind + " " + migratetest.DirectProduct + " " + direct(n).DeviceName}
		}
	}
	return []seedFunc{
		label("missing", func(m map[string]string) { delete(m, "site") }),
		label("missing", func(m map[string]string) { clear(m) }),
		label("changed", func(m map[string]string) { m["owner"] = "somebody else" }),
		label("extra", func(m map[string]string) { m["more"] = "" }),
		shadow("changed", `{"state":{"desired":{"on":false,"n":5}}}`),
		shadow("missing", `{"state":{"reported":{"on":true}}}`),
		shadow("extra", `{"state":{"desired":{"n":5,"on":true,"more":1}}}`),
		shadow("", `{"version":9,"state":{"reported":{},"desired":{"n":5,"on":true}}}`).quiet(), // what the device reports is its own business
	}
}

func groupSeeds() []seedFunc {
	group := func(s *target, name string) *iot.DeviceGroup {
		return &s.DeviceGroups[slices.IndexFunc(s.DeviceGroups, func(g iot.DeviceGroup) bool { return g.Name == name })]
	}
	return []seedFunc{
		on("device group", []string{"other_1"}, func(s *target, name string) string {
			s.DeviceGroups = slices.DeleteFunc(s.DeviceGroups, func(g iot.DeviceGroup) bool { return g.Name == name })
			return "device group missing " + name
		}),
		on("device group", []string{"other_1"}, func(s *target, name string) string {
			group(s, name).Parent = "newsite0001"
			return "device group changed " + name
		}),
		on("new device group", []string{"new_1", "new_2"}, func(s *target, name string) string {
			s.DeviceGroups = append(s.DeviceGroups, iot.DeviceGroup{Name: name})
			return "device group extra " + name
		}),
		func(r *rand.Rand, s *target) []string {
			n, ok := s.once(r, "member", 5)
			if !ok {
				return nil
			}
			id := group(s, "floor_1").ID
			s.Members[id] = slices.DeleteFunc(s.Members[id], func(d iot.DeviceID) bool { return d == direct(n) })
			return []string{"group member missing floor_1 " + direct(n).DeviceName}
		},
		func(r *rand.Rand, s *target) []string {
			n, ok := s.once(r, "new member", devices-5)
			if !ok {
				return nil
			}
			id := group(s, "floor_1").ID
			s.Members[id] = append(s.Members[id], direct(5+n))
			return []string{"group member extra floor_1 " + direct(5+n).DeviceName}
		},
	}
}

func workSeeds() []seedFunc {
	return []seedFunc{
		on("job", []string{"Reboot"}, func(s *target, name string) string {
			s.Jobs = slices.DeleteFunc(s.Jobs, func(j iot.Job) bool { return j.Name == name })
			return "job missing " + name
		}),
		on("new job", []string{"Fresh"}, func(s *target, name string) string {
			s.Jobs = append(s.Jobs, iot.Job{ID: "j7", Name: name, Status: "SOMETHING_NEW"})
			return "job extra " + name
		}),
		on("old job", []string{"Ended"}, func(s *target, name string) string {
			s.Jobs = append(s.Jobs, iot.Job{ID: "j8", Name: name, Status: "COMPLETED"})
			return ""
		}).quiet(),
		on("update", []string{"Meter 2.0"}, func(s *target, name string) string {
			s.OTAJobs = slices.DeleteFunc(s.OTAJobs, func(j iot.OTAJob) bool { return j.Version == "2.0" })
			return "update missing " + migratetest.DirectProduct + name
		}),
		on("scene", []string{"Lights", "Doors"}, func(s *target, name string) string {
			s.Scenes = slices.DeleteFunc(s.Scenes, func(x iot.Scene) bool { return x.Name == name })
			return "scene missing " + name
		}),
		on("scene", []string{"Lights", "Doors"}, func(s *target, name string) string {
			i := slices.IndexFunc(s.Scenes, func(x iot.Scene) bool { return x.Name == name })
			s.Scenes[i].Running = !s.Scenes[i].Running
			return "scene changed " + name
		}),
		on("new scene", []string{"Party"}, func(s *target, name string) string {
			s.Scenes = append(s.Scenes, iot.Scene{ID: "s9", Name: name})
			return "scene extra " + name
		}),
	}
}
