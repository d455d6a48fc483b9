package migrate_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

// weeks moves in small waves, and waits for two weeks between them.
func weeks(cloud *migratetest.Cloud) migrate.Strategy {
	return migrate.NewStrategy("weeks",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it takes everything"} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			proof := []migrate.Verifier{verify.Online(verify.OnlineConfig{}), verify.Topology(), verify.Reporting(verify.ReportingConfig{Sink: cloud.Sink()})}
			week := migrate.Window{Min: 7 * 24 * time.Hour}
			return []migrate.Stage{
				{Name: "create-task", Console: migrate.ConsoleCreate},
				{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 3}, Verify: proof},
				{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
				{Name: "first-week", Wait: week},
				{Name: "some", Move: &migrate.Move{Devices: 12, Ramp: topology.Ramp{First: 4, Max: 4}}, Verify: proof},
				{Name: "second-week", Wait: week},
				{Name: "rest", Move: &migrate.Move{Rest: true, Ramp: topology.Ramp{First: 6, Max: 6}}, Verify: proof},
			}, nil
		})
}

// meddler changes the fleet at random moments of a campaign.
type meddler struct {
	mu      sync.Mutex // operations come from several goroutines
	t       *testing.T
	rng     *rand.Rand
	cloud   *migratetest.Cloud
	left    int                           // what it still does
	gateway map[iot.DeviceID]iot.DeviceID // of every device that exists; zero for none
	deleted map[iot.DeviceID]bool
	did     map[string]int
}

func newMeddler(t *testing.T, seed uint64) *meddler {
	return &meddler{t: t, rng: rand.New(rand.NewPCG(seed, 3)), left: 14,
		gateway: map[iot.DeviceID]iot.DeviceID{}, deleted: map[iot.DeviceID]bool{}, did: map[string]int{}}
}

func (m *meddler) meet(cloud *migratetest.Cloud) {
	m.cloud = cloud
	for id := range cloud.Devices() {
		m.gateway[id] = cloud.GatewayOf(id)
	}
}

// meddle does something, or not: it is asked before every call of an API.
func (m *meddler) meddle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cloud == nil || m.left == 0 || m.rng.IntN(25) > 0 {
		return
	}
	m.left--
	ids := m.devices(func(id iot.DeviceID) bool { return true })
	gateways := m.devices(func(id iot.DeviceID) bool { return id.ProductKey == migratetest.GatewayProduct })
	id, gateway := ids[m.rng.IntN(len(ids))], gateways[m.rng.IntN(len(gateways))]
	switch what := m.rng.IntN(6); {
	case what == 0:
		fresh := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: fmt.Sprintf("fresh-%d", m.left)}
		m.note("appeared", m.cloud.Add(fresh, iot.DeviceID{}), func() { m.gateway[fresh] = iot.DeviceID{} })
	case what == 1:
		fresh := iot.DeviceID{ProductKey: migratetest.SubProduct, DeviceName: fmt.Sprintf("fresh-%d", m.left)}
		m.note("joined", m.cloud.Add(fresh, gateway), func() { m.gateway[fresh] = gateway })
	case what == 2 && m.gateway[id] != iot.DeviceID{}:
		m.note("regrouped", m.cloud.SetGateway(id, gateway), func() { m.gateway[id] = gateway })
	case what == 3 && id.ProductKey != migratetest.GatewayProduct:
		m.note("deleted", m.cloud.Delete(id), func() { delete(m.gateway, id); m.deleted[id] = true })
	case what == 4:
		family := append(m.devices(func(s iot.DeviceID) bool { return m.gateway[s] == gateway }), gateway)
		m.note("moved by hand", m.cloud.MoveByHand(family...), func() {})
	case what == 5 && id.ProductKey == migratetest.DirectProduct:
		m.note("moved by hand", m.cloud.MoveByHand(id), func() {})
	}
}

func (m *meddler) note(what string, err error, done func()) {
	if err == nil {
		m.did[what]++
		done()
	}
}

func (m *meddler) devices(is func(iot.DeviceID) bool) []iot.DeviceID {
	var out []iot.DeviceID
	for id := range m.gateway {
		if is(id) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, iot.DeviceID.Compare)
	return out
}

// A campaign of two weeks, in which people change the fleet at any moment, and the one that follows it account for every device.
func TestDriftOfWeeks(t *testing.T) {
	did := map[string]int{}
	kinds := map[migrate.ChangeKind]int{}
	for seed := range uint64(14) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			m := newMeddler(t, seed)
			c := start(t, setup{
				fleet:    migratetest.GenerateOptions{Direct: 12, Gateways: 7, SubDevices: 3},
				limits:   migrate.Limits{MaxFailedDevices: 100, MaxFailedShare: 1},
				strategy: weeks,
				cloud:    migratetest.Options{SplitTopology: seed%2 == 0},
				fault: func(op migratetest.Op) migratetest.Fault {
					if op.Kind == "api" {
						m.meddle()
					}
					return migratetest.Fault{}
				},
			})
			m.meet(c.cloud)
			c.toTheEnd(4) // a lane whose first gray batch was left out can only be planned anew
			m.left = 0
			changes, plan := c.follow()
			for _, change := range changes {
				kinds[change.Kind]++
			}
			m.settle(c, plan, changes)
			for what, n := range m.did {
				did[what] += n
			}
		})
	}
	t.Logf("done: %v; changes: %v", did, kinds)
	for _, what := range []string{"appeared", "joined", "regrouped", "deleted", "moved by hand"} {
		if did[what] == 0 {
			t.Errorf("no device was %s", what)
		}
	}
	for _, kind := range []migrate.ChangeKind{migrate.ChangeAppeared, migrate.ChangeRegrouped, migrate.ChangeDeleted} {
		if kinds[kind] == 0 {
			t.Errorf("no new plan tells of a device that %s", kind)
		}
	}
}

// toTheEnd resumes the campaign until all its lanes have finished, some times at most.
func (c *campaign) toTheEnd(times int) *migrate.Report {
	c.t.Helper()
	for range times {
		report := c.run()
		if report.Outcome != migrate.OutcomeStopped {
			return report
		}
		for _, l := range report.Lanes {
			if l.Halt != "" {
				c.decide(migrate.Decision{Kind: migrate.Resume, Lane: l.Lane})
			}
		}
	}
	return c.run()
}

// follow plans anew, and runs the new plan to its end.
func (c *campaign) follow() ([]migrate.Change, *migrate.Plan) {
	c.t.Helper()
	before, err := migrate.Replay(c.t.Context(), c.config.Journal, c.config.Campaign, c.config.Plan)
	if err != nil {
		c.t.Fatal(err)
	}
	c.config.Clock.(*migratetest.Clock).Advance(time.Minute) // what moved last may be shown late
	survey, err := c.cloud.Survey(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	survey.Declared.Followers = c.declared
	planner := migrate.Planner{Strategies: c.config.Strategies, Limits: c.config.Plan.Limits}
	plan, changes, err := planner.Replan(before, survey)
	if err != nil {
		c.t.Fatal(err)
	}
	if plan.Follows != c.config.Plan.Hash() {
		c.t.Errorf("the new plan follows %q", plan.Follows)
	}
	c.config.Plan, c.config.Campaign, c.config.Journal = plan, "c-2", journal.NewMemory()
	c.newRunner()
	if report := c.toTheEnd(4); report.Outcome == migrate.OutcomeStopped {
		c.t.Fatalf("the campaign that follows does not come to its end: %+v", report)
	}
	return changes, plan
}

// settle checks the end: every device is at the target, whole with its family, or is known to be held.
func (m *meddler) settle(c *campaign, plan *migrate.Plan, changes []migrate.Change) {
	m.t.Helper()
	held := map[iot.DeviceID]bool{}
	for _, i := range plan.Issues {
		if i.Severity == migrate.Blocker && i.Family != nil {
			held[*i.Family] = true
		}
	}
	for _, change := range changes {
		switch change.Kind {
		case migrate.ChangeSplit, migrate.ChangeKept:
			held[change.Device], held[change.Family] = true, true
		case migrate.ChangeDeleted:
			if !m.deleted[change.Device] {
				m.t.Errorf("%s, but it was not", change)
			}
		}
	}
	for id, gateway := range m.gateway {
		owner, ok := c.cloud.Owner(id)
		switch {
		case !ok:
			m.t.Errorf("device %s is nowhere", id)
		case owner != c.target() && !held[id] && !held[gateway]:
			m.t.Errorf("device %s is at %q in the end, and nobody says why: %v", id, owner, changes)
		case c.cloud.MovedTimes(id) > 1+c.cloud.ReturnedTimes(id):
			m.t.Errorf("device %s was moved %d times", id, c.cloud.MovedTimes(id))
		}
		if gateway.IsZero() {
			continue
		}
		if with, _ := c.cloud.Owner(gateway); with != owner && !held[id] && !held[gateway] {
			m.t.Errorf("sub-device %s is at %q, its gateway %s at %q", id, owner, gateway, with)
		}
		if got := c.cloud.GatewayOf(id); got != gateway {
			m.t.Errorf("the gateway of %s is %s in the end, want %s", id, got, gateway)
		}
		if owner != c.target() {
			continue
		}
		if got, err := c.config.Platform.Target.GatewayOf(m.t.Context(), id); got != gateway || err != nil {
			m.t.Errorf("the target shows gateway %s of %s (%v), want %s", got, id, err, gateway)
		}
	}
	for id := range m.deleted {
		if _, ok := c.cloud.Owner(id); ok {
			m.t.Errorf("deleted device %s lives", id)
		}
	}
}

// A sub-device that its gateway got between the look before its wave and its move is left behind, and follows it by the next plan. If the
// source does not show which gateway it has, its owner can tell.
func TestLeftBehindSubDeviceFollowsItsGateway(t *testing.T) {
	gateway := iot.DeviceID{ProductKey: migratetest.GatewayProduct, DeviceName: "gateway-0004"}
	fresh := iot.DeviceID{ProductKey: migratetest.SubProduct, DeviceName: "fresh-one"}
	for name, shown := range map[string]bool{"shown by the source": true, "declared": false} {
		t.Run(name, func(t *testing.T) {
			var cloud *migratetest.Cloud
			c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 5, SubDevices: 3}, strategy: weeks,
				cloud: migratetest.Options{SplitTopology: shown},
				fault: onMove(func(op migratetest.Op) migratetest.Fault {
					if op.ProductKey == gateway.ProductKey && slices.Contains(op.Devices, gateway.DeviceName) {
						if err := cloud.Add(fresh, gateway); err != nil {
							t.Error(err)
						}
					}
					return migratetest.Fault{}
				})})
			cloud = c.cloud
			first := c.toTheEnd(1)
			lane := first.Lanes[0]
			if first.Outcome != migrate.OutcomeProven || len(lane.Appeared) != 1 || lane.Appeared[0].Device != fresh {
				t.Fatalf("outcome %s, appeared: %v", first.Outcome, lane.Appeared)
			}
			if said := lane.Appeared[0].Evidence.Seen; strings.Contains(said, "its gateway "+gateway.String()+" is at the target") != shown {
				t.Errorf("the report says %q", said)
			}
			if !shown {
				c.declared = []topology.Relation{{Gateway: gateway, Sub: fresh}}
			}
			changes, plan := c.follow()
			want := []migrate.Change{{Family: gateway, Device: fresh, Kind: migrate.ChangeFollows, To: gateway}}
			if diff := cmp.Diff(want, changes); diff != "" {
				t.Errorf("changes:\n%s", diff)
			}
			if diff := cmp.Diff([]topology.Relation{{Gateway: gateway, Sub: fresh}}, plan.Lanes[0].Followers); diff != "" {
				t.Errorf("followers:\n%s", diff)
			}
			second := c.runner.Report(t.Context())
			if l := second.Lanes[0]; second.Outcome != migrate.OutcomeProven || l.Proven != 1 {
				t.Errorf("outcome %s: %+v", second.Outcome, l)
			}
			if owner, _ := c.cloud.Owner(fresh); owner != c.target() || !c.cloud.Online(fresh) {
				t.Errorf("the sub-device is at %q, online: %v", owner, c.cloud.Online(fresh))
			}
			var text bytes.Buffer
			if err := plan.Write(&text); err != nil {
				t.Fatal(err)
			}
			if again, err := migrate.ReadPlan(&text); err != nil || again.Hash() != plan.Hash() {
				t.Errorf("the plan is not read as it was written: %v", err)
			}
		})
	}
}
