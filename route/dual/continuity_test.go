package dual_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route/dual"
)

const (
	product = "a1Meter0001"
	target  = "iot-060a0001"
)

var begin = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func device(n int) iot.DeviceID {
	return iot.DeviceID{ProductKey: product, DeviceName: fmt.Sprintf("meter-%04d", n)}
}

// message is the n-th of a device.
func message(id iot.DeviceID, n int, at time.Time, instance string) iot.Message {
	return iot.Message{
		ID: fmt.Sprint(id, n), Topic: "/" + id.String() + "/user/update", Generated: at, Instance: instance, Payload: []byte(strconv.Itoa(n)),
	}
}

func sequence(m iot.Message) (uint64, bool) {
	n, err := strconv.ParseUint(string(m.Payload), 10, 64)
	return n, err == nil
}

func newContinuity(t *testing.T, c dual.Config) *dual.Continuity {
	t.Helper()
	out, err := dual.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A batch that moves, and what its report has to be.
type batch struct {
	deliveries []iot.Message
	devices    []iot.DeviceID
	want       dual.Report
}

// sail lets devices send a message every so often, move, be silent for a while, and go on; some messages are lost, some come twice,
// and all of them in a jumble.
func sail(r *rand.Rand, devices int) batch {
	var b batch
	var gaps []time.Duration
	for i := range devices {
		d := dual.Device{ID: device(i)}
		b.devices = append(b.devices, d.ID)
		at := begin.Add(time.Duration(r.IntN(1000)) * time.Millisecond)
		first, move, last := 1+r.IntN(100), 2+r.IntN(15), 4+r.IntN(24)
		var came []int
		for n := range last {
			instance := ""
			if n == move {
				at = at.Add(time.Duration(r.IntN(30_000)) * time.Millisecond)
			}
			if n >= move {
				instance = target
			}
			at = at.Add(time.Duration(1+r.IntN(2000)) * time.Millisecond)
			if r.IntN(8) == 0 {
				continue // lost
			}
			came = append(came, n)
			m := message(d.ID, first+n, at, instance)
			for times := 1 + r.IntN(4)/3; times > 0; times-- {
				b.deliveries = append(b.deliveries, m)
				if d.Messages++; times > 1 {
					d.Twice++
				}
			}
			if instance == "" {
				d.LastFrom = at
			} else if d.FirstTo.IsZero() {
				d.FirstTo = at
			}
		}
		if len(came) > 0 {
			d.Lost = uint64(came[len(came)-1] - came[0] + 1 - len(came))
		}
		switch {
		case d.LastFrom.IsZero():
		case d.FirstTo.IsZero():
			b.want.Silent++
		default:
			gaps = append(gaps, d.FirstTo.Sub(d.LastFrom))
		}
		b.want.Devices = append(b.want.Devices, d)
		b.want.Lost += d.Lost
		b.want.Twice += d.Twice
	}
	slices.Sort(gaps)
	b.want.Measured = len(gaps)
	for percent, to := range map[int]*time.Duration{50: &b.want.P50, 95: &b.want.P95, 100: &b.want.Max} {
		for i, gap := range gaps { // the first that so many percent do not exceed
			if (i+1)*100 >= percent*len(gaps) {
				*to = gap
				break
			}
		}
	}
	r.Shuffle(len(b.deliveries), func(i, j int) { b.deliveries[i], b.deliveries[j] = b.deliveries[j], b.deliveries[i] })
	return b
}

// The report is the truth, whatever the order in which messages come.
func TestReportIsTheTruth(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := sail(r, 1+r.IntN(40))
		c := newContinuity(t, dual.Config{To: target, Devices: b.devices, Sequence: sequence})
		var all sync.WaitGroup
		for part := range slices.Chunk(b.deliveries, 1+len(b.deliveries)/3) {
			all.Go(func() {
				for _, m := range part {
					c.Saw(m)
				}
			})
		}
		all.Wait()
		got := c.Report()
		if diff := cmp.Diff(b.want, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
		for _, want := range got.Devices {
			gap, lost, ok := c.Gap(want.ID)
			if g, has := want.Gap(); g != gap || has != ok || lost != want.Lost {
				t.Errorf("seed %d: %s has a gap of %v, %t, and lost %d", seed, want.ID, gap, ok, lost)
			}
		}
	}
}

// What is not of the batch, the instances or the messages that count is left out.
func TestOthersAreLeftOut(t *testing.T) {
	c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1), device(1)}, Sequence: sequence, Counts: func(m iot.Message) bool {
		return m.Topic != "/as/mqtt/status/"+device(1).String()
	}})
	c.Saw(message(device(2), 1, begin, ""))
	c.Saw(message(device(1), 2, begin, "iot-other"))
	status := message(device(1), 3, begin, "")
	status.Topic = "/as/mqtt/status/" + device(1).String()
	c.Saw(status)
	c.Saw(iot.Message{Topic: "/broadcast", Instance: target})
	if diff := cmp.Diff(dual.Report{Devices: []dual.Device{{ID: device(1)}}}, c.Report()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, _, ok := c.Gap(device(2)); ok {
		t.Error("a device of another batch has a gap")
	}
}

// A device that is returned and moved again is measured by its last move; until then it has no gap.
func TestMovedAgain(t *testing.T) {
	at := func(n int, instance string) iot.Message {
		return message(device(1), n, begin.Add(time.Duration(n)*time.Second), instance)
	}
	for name, test := range map[string]struct {
		messages []iot.Message
		gap      time.Duration // negative for none
	}{
		"moved":                   {[]iot.Message{at(10, ""), at(40, target), at(50, target)}, 30 * time.Second},
		"returned":                {[]iot.Message{at(10, ""), at(40, target), at(50, target), at(100, "")}, -1},
		"a late one of the stay":  {[]iot.Message{at(10, ""), at(40, target), at(100, ""), at(50, target)}, -1},
		"moved again":             {[]iot.Message{at(10, ""), at(40, target), at(100, ""), at(110, ""), at(130, target), at(135, target)}, 20 * time.Second},
		"the last one comes late": {[]iot.Message{at(10, ""), at(40, target), at(100, ""), at(130, target), at(110, "")}, 20 * time.Second},
		"all of the return late":  {[]iot.Message{at(10, ""), at(40, target), at(130, target), at(100, ""), at(110, "")}, 20 * time.Second},
	} {
		c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1)}})
		for _, m := range test.messages {
			c.Saw(m)
		}
		gap, _, ok := c.Gap(device(1))
		if ok != (test.gap >= 0) || ok && gap != test.gap {
			t.Errorf("%s: a gap of %v, %t", name, gap, ok)
		}
	}
}

// However late messages are: what is said of a device that moves there and back is never less than the truth.
func TestMovedAgainInAJumble(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 3))
		var messages []iot.Message
		var last, first time.Time
		for n, instance := 0, ""; n < 30; n++ {
			if r.IntN(6) == 0 {
				instance = []string{target, ""}[len(instance)/len(target)]
			}
			m := message(device(1), n, begin.Add(time.Duration(n)*time.Second), instance)
			messages = append(messages, m)
			if instance == "" {
				last, first = m.Generated, time.Time{}
			} else if first.IsZero() {
				first = m.Generated
			}
		}
		r.Shuffle(len(messages), func(i, j int) { messages[i], messages[j] = messages[j], messages[i] })
		c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1)}})
		for _, m := range messages {
			c.Saw(m)
		}
		got, _ := c.Device(device(1))
		if !got.LastFrom.Equal(last) || got.FirstTo.IsZero() != first.IsZero() || got.FirstTo.Before(first) {
			t.Fatalf("seed %d: %v to %v, true is %v to %v", seed, got.LastFrom, got.FirstTo, last, first)
		}
	}
}

// A device that sends at both instances at once has no gap, and the same number in two messages came twice.
func TestOverlap(t *testing.T) {
	c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1)}, Sequence: sequence})
	c.Saw(message(device(1), 7, begin, ""))
	twin := message(device(1), 7, begin, target)
	twin.ID = "another"
	c.Saw(twin)
	got := c.Report()
	if got.Max != 0 || got.Measured != 1 || got.Twice != 1 || got.Lost != 0 {
		t.Error(got)
	}
	const want = "1 of 1 devices measured, 0 silent: gap p50 0s, p95 0s, max 0s; 0 lost, 1 twice"
	if got.String() != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// However holey the numbers are, the memory of a device is bounded, and what is lost is counted.
func TestHolesAreBounded(t *testing.T) {
	c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1)}, Sequence: sequence})
	const holes = 5000
	for i := range holes + 1 {
		c.Saw(message(device(1), 3*i, begin, ""))
	}
	if got, _ := c.Device(device(1)); got.Lost != 2*holes || got.Twice != 0 {
		t.Errorf("%d lost, %d twice, want %d and 0", got.Lost, got.Twice, 2*holes)
	}
	if n := c.Spans(device(1)); n > dual.MaxSpans {
		t.Errorf("%d spans are remembered", n)
	}
}

// Numbers may be as large as they like: the largest is next to none, and two devices that have lost a great many are not one that has lost few.
func TestHugeNumbers(t *testing.T) {
	seen := func(numbers ...string) dual.Report {
		c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1), device(2)}, Sequence: sequence})
		for n := range 2 {
			for i, number := range numbers {
				m := message(device(n+1), i, begin, "")
				m.Payload = []byte(number)
				c.Saw(m)
			}
		}
		return c.Report()
	}
	if r := seen("0", "18446744073709551615", "18446744073709551614"); r.Devices[0].Lost != math.MaxUint64-2 || r.Twice != 0 {
		t.Errorf("%+v", r)
	}
	if r := seen("0", "9223372036854775809"); r.Lost < 1<<63 {
		t.Errorf("%d of two are lost, of one %d", r.Lost, r.Devices[0].Lost)
	}
}

// Numbers that come without holes, in whatever order, need no more memory than one.
func TestNumbersAreJoined(t *testing.T) {
	c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1)}, Sequence: sequence})
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(50) {
		c.Saw(message(device(1), i, begin, ""))
	}
	if n := c.Spans(device(1)); n != 1 {
		t.Errorf("%d spans are remembered", n)
	}
}

// Without numbers, IDs tell what came twice, if it comes again within some messages.
func TestTwiceByID(t *testing.T) {
	c := newContinuity(t, dual.Config{To: target, Devices: []iot.DeviceID{device(1)}})
	for _, n := range []int{1, 2, 1, 3, 3, 2} {
		c.Saw(message(device(1), n, begin, ""))
	}
	for n := range 100 {
		c.Saw(message(device(1), 10+n, begin, ""))
	}
	c.Saw(message(device(1), 109, begin, target))
	c.Saw(message(device(1), 1, begin, target)) // it is forgotten
	if got, _ := c.Device(device(1)); got.Twice != 4 || got.Messages != 108 || got.Lost != 0 {
		t.Errorf("%+v", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, config := range map[string]dual.Config{
		"one instance":   {Devices: []iot.DeviceID{device(1)}},
		"no devices":     {To: target},
		"no such device": {To: target, Devices: []iot.DeviceID{{ProductKey: product, DeviceName: "x"}}},
	} {
		if _, err := dual.New(config); iot.KindOf(err) != iot.Invalid {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func ExampleContinuity() {
	id := device(1)
	batch, err := dual.New(dual.Config{To: target, Devices: []iot.DeviceID{id}, Sequence: sequence})
	if err != nil {
		fmt.Println(err)
		return
	}
	received := func(m iot.Message) { batch.Saw(m) } // by the handler of both consumer groups
	received(message(id, 1, begin, ""))
	received(message(id, 2, begin.Add(10*time.Second), ""))
	received(message(id, 4, begin.Add(34*time.Second), target))
	fmt.Println(batch.Report())
	// Output:
	// 1 of 1 devices measured, 0 silent: gap p50 24s, p95 24s, max 24s; 1 lost, 0 twice
}
