package configdiff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Before the move of every fleet file, what is foretold is what the file says: labels, MNS queues, rules and consumer groups.
func TestFleets(t *testing.T) {
	for _, name := range []string{
		"demo.json", "mixed.json", "s1-direct.json", "s2-gateway.json", "s3-preregistered.json", "s4-tsl.json",
	} {
		t.Run(name, func(t *testing.T) {
			file, err := fleets.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := fleet.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if file, err = fleets.Open(name); err != nil {
				t.Fatal(err)
			}
			clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
			cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, NoQuotas: true})
			if err != nil {
				t.Fatal(err)
			}
			p := cloud.Platform()
			r, err := configdiff.Before(t.Context(), p.Source.View, p.Target.View, configdiff.Options{Clock: clock})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range r.Differences {
				line := fmt.Sprintf("%s %s %s %s %s", d.Severity, d.Kind, d.Change, d.Product, d.Name)
				if d.Count > 0 {
					line += fmt.Sprint(d.Count)
				}
				got = append(got, line)
			}
			slices.Sort(got)
			if diff := cmp.Diff(foretold(f), got); diff != "" {
				t.Errorf("-file +foretold:\n%s", diff)
			}
		})
	}
}

// foretold is what a fleet file says of its source.
func foretold(f *fleet.Fleet) (out []string) {
	source := map[string]bool{}
	groups := map[string]bool{}
	for _, p := range f.Products {
		if p.Instance != "" {
			continue
		}
		source[p.Key] = true
		amqp := map[iot.Event]bool{}
		for _, x := range p.Forwarding {
			if x.Type == fleet.AMQP {
				groups[x.ConsumerGroup] = true
				for _, e := range x.Events {
					amqp[e] = true
				}
			}
		}
		for _, x := range p.Forwarding {
			switch x.Type {
			case fleet.Rule:
				out = append(out, fmt.Sprintf("note rule new-id %s %s", p.Key, x.Name))
			case fleet.MNS:
				severity := "work"
				if slices.ContainsFunc(x.Events, func(e iot.Event) bool { return !amqp[e] }) {
					severity = "loss"
				}
				out = append(out, fmt.Sprintf("%s subscription unsupported %s mns", severity, p.Key))
			}
		}
	}
	for _, g := range f.ConsumerGroups { // a group of the same ID exists at the target already
		there := slices.ContainsFunc(f.ConsumerGroups, func(x fleet.ConsumerGroup) bool { return x.Instance != "" && x.ID == g.ID })
		if g.Instance == "" && groups[g.ID] && g.ID != "DEFAULT_GROUP" && !there {
			out = append(out, fmt.Sprintf("note consumer group new-id  %s", g.Name))
		}
	}
	labelled := map[string]int{}
	for _, d := range f.Devices {
		if len(d.Labels) > 0 && source[d.ID.ProductKey] {
			labelled[d.ID.ProductKey]++
		}
	}
	for key, n := range labelled {
		out = append(out, fmt.Sprintf("work label missing %s %d", key, n))
	}
	slices.SortFunc(out, strings.Compare)
	return out
}
