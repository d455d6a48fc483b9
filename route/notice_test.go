package route_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

func notice(status, instance string, at time.Time, names ...string) iot.Message {
	text, _ := json.Marshal(map[string]any{"status": status, "targetInstance": instance, "successDevices": []iot.DeviceID(set(names...))})
	return iot.Message{Payload: text, Generated: at}
}

func TestNotices(t *testing.T) {
	for name, test := range map[string]struct {
		message iot.Message
		want    route.Place
	}{
		"gray":                    {notice("GRAY_EXECUTING", target, after(10), "meter-0001"), route.Target},
		"full":                    {notice("ALL_EXECUTING", target, after(10), "meter-0001"), route.Target},
		"late":                    {notice("ALL_EXECUTING", target, after(4), "meter-0001"), route.Moving},
		"rollback, configured":    {notice("ROLLED_BACK", target, after(10), "meter-0001"), route.Source},
		"a status nobody knows":   {notice("ROLLBACK_EXECUTING", target, after(10), "meter-0001"), route.Unsure},
		"another instance":        {notice("GRAY_EXECUTING", "iot-other", after(10), "meter-0001"), route.Unsure},
		"no time":                 {notice("GRAY_EXECUTING", target, time.Time{}, "meter-0001"), route.Unsure},
		"devices that cannot be":  {notice("GRAY_EXECUTING", target, after(10), "", "a b", "meter-0001"), route.Target},
		"about others":            {notice("GRAY_EXECUTING", target, after(10), "meter-0002"), route.Moving},
		"a time out of the world": {notice("GRAY_EXECUTING", target, begin.AddDate(5000, 0, 0), "meter-0001"), route.Moving},
	} {
		r := newRouter(t, newPlatform(), func(c *route.Config) { c.Returned = []string{"ROLLED_BACK"} })
		learn(t, r.Table(), route.Fact{Device: device("meter-0001"), Place: route.Moving, At: after(5)})
		for range 2 { // messages come twice
			if !r.Notice(test.message) {
				t.Errorf("%s: it is no notice", name)
			}
			expectPlace(t, name, r.Table().Lookup(device("meter-0001")), test.want)
			expectPlace(t, name+": a device that it does not name", r.Table().Lookup(device("meter-9999")), route.Source)
		}
	}
	r := newRouter(t, newPlatform())
	if r.Notice(iot.Message{Topic: "/a1Meter0001/meter-0001/user/update", Payload: []byte(`{"temperature":21}`), Generated: begin}) {
		t.Error("a report of a device is taken for a notice")
	}
}

// A device cannot move others by what it sends, nor fill the table.
func TestNoticesOfDevices(t *testing.T) {
	r := newRouter(t, newPlatform())
	m := notice("GRAY_EXECUTING", target, after(10), "meter-0001", "meter-0002")
	m.Topic = "/" + device("meter-0003").String() + "/user/update"
	if r.Notice(m) || r.Table().Len() != 0 {
		t.Errorf("a device tells of moves: %d devices are in the table", r.Table().Len())
	}
	m.Topic = "/instance/migration"
	if !r.Notice(m) || r.Table().Len() != 2 {
		t.Errorf("the platform tells of moves: %d devices are in the table", r.Table().Len())
	}
}

// Messages of a move and of its rollback may come in any order, and twice.
func TestNoticesInAnyOrder(t *testing.T) {
	messages := []iot.Message{
		notice("GRAY_EXECUTING", target, after(10), "meter-0001"),
		notice("ROLLED_BACK", target, after(20), "meter-0001"),
		notice("ALL_EXECUTING", target, after(30), "meter-0001"),
	}
	for i := range 27 {
		r := newRouter(t, newPlatform(), func(c *route.Config) { c.Returned = []string{"ROLLED_BACK"} })
		order := []int{i % 3, i / 3 % 3, i / 9}
		last := 0
		for _, n := range order {
			r.Notice(messages[n])
			last = max(last, n)
		}
		want := []route.Place{route.Target, route.Source, route.Target}[last]
		expectPlace(t, fmt.Sprint("order ", order), r.Table().Lookup(device("meter-0001")), want)
	}
}

// Whatever a message says: only devices that can be get into the table, and none is where it does not say.
func FuzzNotice(f *testing.F) {
	f.Add(notice("GRAY_EXECUTING", target, begin, "meter-0001").Payload, int64(1))
	f.Add(notice("ROLLED_BACK", target, begin, "meter-0001").Payload, int64(0))
	f.Add([]byte(`{"targetInstance":"iot-060a0001","successDevices":[{},{"productKey":"a1Meter0001"},null]}`), int64(5))
	f.Fuzz(func(t *testing.T, payload []byte, at int64) {
		p := newPlatform()
		r := newRouter(t, p, func(c *route.Config) { c.Returned = []string{"ROLLED_BACK"} })
		m := iot.Message{Payload: payload, Generated: time.Unix(0, at)}
		n, ok := m.Notice()
		if r.Notice(m) != ok {
			t.Errorf("%q: is it a notice?", payload)
		}
		if got := r.Table().Len(); got > len(n.Devices) {
			t.Errorf("%q: %d devices", payload, got)
		}
		for _, id := range n.Devices {
			if got := r.Table().Lookup(id); id.Check() != nil && got != route.Source {
				t.Errorf("%q: %s is %v", payload, id, got)
			}
		}
	})
}
