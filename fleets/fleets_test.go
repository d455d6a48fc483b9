package fleets_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake/fleet"
)

// counts is what a fleet file holds.
type counts struct {
	Products, Devices, SubDevices, Models, Histories, Forwarding, Groups int
	Labelled, Distributed, NoReconnect                                   int
}

func TestGood(t *testing.T) {
	for name, want := range map[string]counts{
		"demo.json": {Products: 11, Devices: 505, SubDevices: 133, Models: 1, Histories: 1, Forwarding: 12, Groups: 1},
		"mixed.json": {
			Products: 38, Devices: 156, SubDevices: 60, Models: 4, Histories: 2, Forwarding: 23, Groups: 2,
			Labelled: 2, Distributed: 3, NoReconnect: 2,
		},
		"s1-direct.json":        {Products: 1, Devices: 500, Forwarding: 3, Labelled: 100},
		"s2-gateway.json":       {Products: 3, Devices: 1968, SubDevices: 1928, Forwarding: 3},
		"s3-preregistered.json": {Products: 1, Devices: 300, Forwarding: 2, Groups: 2},
		"s4-tsl.json":           {Products: 1, Devices: 200, Models: 1, Histories: 1, Forwarding: 2},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := fleets.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			f, err := fleet.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, count(f)); diff != "" {
				t.Error("-want +got:\n" + diff)
			}
			if target, ok := f.Target(); !ok || target.ID != "iot-060a0001" {
				t.Errorf("got target %v, %v", target, ok)
			}
		})
	}
}

func count(f *fleet.Fleet) counts {
	c := counts{Products: len(f.Products), Devices: len(f.Devices), Groups: len(f.ConsumerGroups)}
	add := func(n *int, ok bool) {
		if ok {
			*n++
		}
	}
	for _, p := range f.Products {
		c.Forwarding += len(p.Forwarding)
		add(&c.Models, p.TSL != nil)
		add(&c.Histories, p.History != nil)
	}
	for _, d := range f.Devices {
		add(&c.SubDevices, !d.Gateway.IsZero())
		add(&c.Labelled, d.Labels != nil)
		add(&c.Distributed, d.Distributed)
		add(&c.NoReconnect, !d.Reconnects)
	}
	return c
}

// A row of EXPECTED.md: | `file` | `path` or (text) | gist |.
var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (?:`([^`]+)`|\\(text\\)) \\| (.+) \\|$")

func TestBad(t *testing.T) {
	table, err := os.ReadFile("bad/EXPECTED.md")
	if err != nil {
		t.Fatal(err)
	}
	told := []string{"EXPECTED.md"}
	for _, m := range row.FindAllStringSubmatch(string(table), -1) {
		name, path, gist := m[1], m[2], m[3]
		told = append(told, name)
		t.Run(name, func(t *testing.T) { refuse(t, "bad/"+name, path, gist) })
	}
	slices.Sort(told)
	if diff := cmp.Diff(list(t, os.DirFS("bad")), told); diff != "" {
		t.Error("files of bad (-) and of its table (+):\n" + diff)
	}
}

// refuse checks that a file is refused at the path, or with the line if it has none, and that the error has
// the names and numbers of the gist. Its other words are free.
func refuse(t *testing.T, name, path, gist string) {
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, err = fleet.Read(file)
	e, ok := errors.AsType[*fleet.Error](err)
	if !ok || e.Path != path || (path == "") != (e.Line > 0) || !strings.HasPrefix(err.Error(), path) {
		t.Fatalf("got %v, want an error at %q", err, path)
	}
	for word := range strings.FieldsSeq(gist) {
		if word = strings.Trim(word, ","); strings.ContainsAny(word, "0123456789_/") && !strings.Contains(e.Message, word) {
			t.Errorf("got %q, which does not tell %s of %q", e.Message, word, gist)
		}
	}
}

func list(t *testing.T, dir fs.FS) []string {
	t.Helper()
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestDemo(t *testing.T) {
	want, err := os.ReadFile("demo.json")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := io.ReadAll(fleets.Demo()); err != nil || string(got) != string(want) {
			t.Errorf("got %d bytes and error %v, want the %d of demo.json", len(got), err, len(want))
		}
	}
}

func TestOpen(t *testing.T) {
	for _, name := range []string{"demo.expected.json", "mixed.expected.json"} {
		file, err := fleets.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var expected struct{ Lanes []json.RawMessage }
		if err := json.NewDecoder(file).Decode(&expected); err != nil || len(expected.Lanes) == 0 {
			t.Errorf("%s: got %d lanes and error %v", name, len(expected.Lanes), err)
		}
	}
	if _, err := fleets.Open("bad/empty.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is no such file", err)
	}
}
