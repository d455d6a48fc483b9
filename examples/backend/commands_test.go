package main

import (
	"encoding/json"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A receipt counts which commands devices have really received. Every 20th answer is lost, and every 30th command refused.
type receipt struct {
	calls atomic.Int64

	mu  sync.Mutex
	got map[int]int // by number
}

func (r *receipt) fault(op migratetest.Op) migratetest.Fault {
	if op.Name != "RRpc" {
		return migratetest.Fault{}
	}
	switch n := r.calls.Add(1); {
	case n%20 == 0:
		return migratetest.Fault{Lost: true}
	case n%30 == 1:
		return migratetest.Fault{Refuse: iot.Throttled}
	}
	return migratetest.Fault{}
}

func (r *receipt) command(s migratetest.CommandStep) {
	var payload struct{ Command *int }
	if !s.Received || json.Unmarshal(s.Payload, &payload) != nil || payload.Command == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[*payload.Command]++
}

// received returns how many commands have reached a device, and how many of them more than once.
func (r *receipt) received() (all, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.got {
		if n > 1 {
			twice++
		}
	}
	return len(r.got), twice
}

// The backend does its business while its fleet moves there and back: no command is lost, none comes twice, and whenever the fleet
// stands still all go to the right instance at once.
func TestCommands(t *testing.T) {
	r := &receipt{got: map[int]int{}}
	b := startCommands(t, r)
	commands := b.service.config.Commands
	commands.Work(1000)
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	b.approve("confirm-gray")
	b.await(migrate.EntryGate)
	b.more(150)
	b.approve("rest")
	b.await(migrate.EntryEnd)
	b.more(150)
	b.decide("rollback", `{"by":"ann"}`)
	b.await(migrate.EntryHome)
	b.more(150)
	if figures := b.call(http.StatusOK, http.MethodGet, "/commands", ""); figures["sent"].(float64) < 450 {
		t.Errorf("figures %v", figures)
	}
	b.stop()

	f := commands.Figures()
	t.Log(f)
	all, twice := r.received()
	if twice > 0 || all < f.Delivered || all > f.Delivered+f.Unknown {
		t.Errorf("%d commands were received, %d of them twice; figures: %v", all, twice, f)
	}
	if f.Failed > 0 || f.Sent != f.Delivered+f.Unknown+f.Offline || f.Unknown == 0 || f.Offline == 0 || f.Delivered < f.Sent/2 || f.P50 > f.P95 {
		t.Errorf("figures: %v", f)
	}
}

// startCommands begins a process that sends commands.
func startCommands(t *testing.T, r *receipt) *backend {
	t.Helper()
	file, err := os.Open("../../fleets/s1-direct.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	clock := migratetest.NewClock(town.Begin())
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, Fault: r.fault, Command: r.command})
	if err != nil {
		t.Fatal(err)
	}
	return start(t, t.TempDir(), cloud, clock)
}

// more returns when that many more commands were sent, and checks that all of them went to the right instance at once, but for
// those that were under way before.
func (b *backend) more(n int) {
	b.t.Helper()
	commands := b.service.config.Commands
	b.awaitSent(commands.Figures().Sent + atOnce)
	before := commands.Figures()
	b.awaitSent(before.Sent + n)
	if after := commands.Figures(); after.Elsewhere != before.Elsewhere {
		b.t.Errorf("%d of %d commands went to the wrong instance first", after.Elsewhere-before.Elsewhere, after.Sent-before.Sent)
	}
}

func (b *backend) awaitSent(n int) {
	b.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if b.service.config.Commands.Figures().Sent >= n {
			return
		}
		<-tick.C
	}
	b.t.Errorf("%d commands are not sent in time", n)
}
