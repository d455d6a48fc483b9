package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// BenchmarkResume1M takes over the journal of a campaign of 1,000,000 devices that is half done, until the next tasks are known: from
// its checkpoint, which is 10,000 entries old. The campaign is 80,000 gateways with 9 sub-devices each and 200,000 direct devices;
// the plan is made before. s/op is the time of a resume, peak-MB the highest heap seen meanwhile, looked at each millisecond, the
// plan included.
func BenchmarkResume1M(b *testing.B) { benchmarkResume(b, true) }

// BenchmarkFold1M is the same without a checkpoint.
func BenchmarkFold1M(b *testing.B) { benchmarkResume(b, false) }

func benchmarkResume(b *testing.B, fromCheckpoint bool) {
	plan := largePlan(b, 80_000, 9, 200_000)
	dir := b.TempDir()
	size := halfDone(b, plan, dir, fromCheckpoint)
	var peak uint64
	var took time.Duration
	var entries int64
	for b.Loop() {
		runtime.GC()
		stop := watchHeap(&peak)
		start := time.Now()
		j, err := journal.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		state := resume(b, j, plan)
		step := state.Decide(start, nil, false)
		took += time.Since(start)
		stop()
		if len(step.Tasks)+len(step.Entries) == 0 || state.Seq() == 0 {
			b.Fatal("nothing is left to do")
		}
		entries = state.Seq()
		j.Close()
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/op")
	b.ReportMetric(float64(peak)/1e6, "peak-MB")
	b.ReportMetric(float64(size)/1e6, "journal-MB")
	b.ReportMetric(float64(entries), "entries")
}

// resume does what a runner does first.
func resume(b *testing.B, j *journal.Dir, plan *migrate.Plan) *migrate.State {
	seq, image, err := j.Latest(b.Context(), "resume")
	if err != nil {
		b.Fatal(err)
	}
	var state *migrate.State
	if seq == 0 {
		state = migrate.NewState(plan)
	} else if state, err = migrate.RestoreState(plan, header(plan), image); err != nil {
		b.Fatal(err)
	}
	for e, err := range j.Entries(b.Context(), "resume", seq) {
		if err != nil {
			b.Fatal(err)
		}
		if err := state.Apply(e); err != nil {
			b.Fatal(err)
		}
	}
	return state
}

func header(plan *migrate.Plan) migrate.Header {
	return migrate.Header{
		Version: migrate.JournalVersion, PlanHash: planHash, Account: plan.Account, Source: plan.Source, Target: plan.Target,
	}
}

const planHash = "not looked at"

func watchHeap(peak *uint64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done); <-ended }
}

// largePlan plans gateways with sub-devices of two products, which may have 500,000 devices each, and direct devices.
func largePlan(b *testing.B, gateways, subs, direct int) *migrate.Plan {
	make := func(key string, node iot.NodeType, n int) migrate.SurveyProduct {
		p := migrate.SurveyProduct{Product: iot.Product{
			Key: key, Name: key, NodeType: node, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.WiFi, Devices: n,
		}}
		for i := range n {
			id := iot.DeviceID{ProductKey: key, DeviceName: fmt.Sprintf("device-%07d", i)}
			p.Devices = append(p.Devices, iot.Device{ID: id, Status: iot.Online})
		}
		return p
	}
	s := &migrate.Survey{
		Account: "1098765432109876",
		Source:  iot.InstanceInfo{Type: iot.PublicLegacy, Region: "cn-shanghai"},
		Target:  iot.InstanceInfo{ID: "iot-060a0001", Type: iot.EnterpriseStandard, Region: "cn-shanghai"},
		Products: []migrate.SurveyProduct{
			make("a1Gateway01", iot.Gateway, gateways), make("a1Meter0001", iot.Direct, direct),
			make("a1Sensor001", iot.SubDevice, gateways*subs/2), make("a1Valve0001", iot.SubDevice, gateways*subs/2),
		},
		Declared: migrate.Declared{TargetOnlineQuota: 2_000_000, Products: map[string]migrate.DeclaredProduct{}},
	}
	for _, p := range s.Products {
		s.Declared.Products[p.Product.Key] = migrate.DeclaredProduct{Auth: iot.AuthPerDevice}
	}
	for i, d := range s.Products[0].Devices {
		g := migrate.SurveyGateway{ID: d.ID}
		for n := i * subs; n < (i+1)*subs; n++ {
			g.Subs = append(g.Subs, s.Products[2+n%2].Devices[n/2].ID)
		}
		s.Gateways = append(s.Gateways, g)
	}
	plan, err := migrate.Planner{Strategies: []migrate.Strategy{graySteps()}}.Plan(s)
	if err != nil {
		b.Fatal(err)
	}
	return plan
}

func graySteps() migrate.Strategy {
	online := []migrate.Verifier{nobody("online"), nobody("reporting")}
	return migrate.NewStrategy("gray", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "any"} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{
				{Name: "create", About: "Create the tasks.", Console: migrate.ConsoleCreate},
				{Name: "gray", About: "Move the first devices.", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 5}, Verify: online},
				{Name: "confirm", About: "Confirm the first batch.", Console: migrate.ConsoleConfirm},
				{Name: "rest", About: "Move all other devices.", Move: &migrate.Move{Rest: true}, Verify: online},
			}, nil
		})
}

func nobody(name string) migrate.Verifier {
	return migrate.NewVerifier(name, func(context.Context, *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(func(migrate.Finding, error) bool) {}
	})
}

// halfDone writes the journal of a campaign in which all goes well, up to half of its devices, and its checkpoint. It returns the
// journal's length.
func halfDone(b *testing.B, plan *migrate.Plan, dir string, checkpoint bool) int {
	m := journal.NewMemory()
	d := driver{b: b, plan: plan, journal: m, state: migrate.NewState(plan), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	h := header(plan)
	d.record(migrate.Entry{Kind: migrate.EntryCampaign, Header: &h}, migrate.Entry{Kind: migrate.EntryRunner})
	total := 0
	for _, l := range plan.Lanes {
		total += l.Lane.Devices
	}
	if total != 1_000_000 {
		b.Fatalf("%d devices in the plan", total)
	}
	for d.moved < total/2 {
		step := d.state.Decide(d.now, nil, false)
		d.record(step.Entries...)
		for _, t := range step.Tasks {
			d.do(t)
		}
		if len(step.Entries)+len(step.Tasks) == 0 {
			if step.Next.IsZero() {
				b.Fatalf("the campaign stands still with %d devices moved", d.moved)
			}
			d.now = step.Next
		}
	}
	lines := journal.Bytes(m, "resume")
	path := filepath.Join(dir, "resume.jsonl")
	if checkpoint {
		writeCheckpoint(b, plan, path, lines)
	}
	if err := os.WriteFile(path, lines, 0o600); err != nil {
		b.Fatal(err)
	}
	return len(lines)
}

// writeCheckpoint writes one of a time when there were 10,000 entries less.
func writeCheckpoint(b *testing.B, plan *migrate.Plan, path string, lines []byte) {
	older := lines
	for range 10_000 {
		older = older[:bytes.LastIndexByte(older[:len(older)-1], '\n')+1]
	}
	for bytes.Contains(older[bytes.LastIndexByte(older[:len(older)-1], '\n')+1:], []byte(`,"batch":[`)) {
		older = older[:bytes.LastIndexByte(older[:len(older)-1], '\n')+1] // not in the middle of an append
	}
	if err := os.WriteFile(path, older, 0o600); err != nil {
		b.Fatal(err)
	}
	j, err := journal.Open(filepath.Dir(path))
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	state := resume(b, j, plan)
	image, err := state.Image()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := j.Checkpoint(b.Context(), "resume", state.Seq(), image); err != nil {
		b.Fatal(err)
	}
	b.Logf("an image of %.1f MB was written in %v", float64(len(image))/1e6, time.Since(start))
}

// driver answers tasks as a platform on which nothing goes wrong.
type driver struct {
	b       *testing.B
	plan    *migrate.Plan
	journal *journal.Memory
	state   *migrate.State
	now     time.Time
	moved   int
}

func (d *driver) record(entries ...migrate.Entry) {
	if len(entries) == 0 {
		return
	}
	after := d.state.Seq()
	for i := range entries {
		entries[i].At = d.now
		if entries[i].Kind != migrate.EntryDecision {
			entries[i].Fence = 1
		}
		if err := d.state.Apply(entries[i]); err != nil {
			d.b.Fatal(err)
		}
	}
	if err := d.journal.Append(d.b.Context(), "resume", after, entries...); err != nil {
		d.b.Fatal(err)
	}
}

func (d *driver) do(t migrate.Task) {
	d.record(t.Intents...)
	lane := d.plan.Lanes[t.Lane]
	e := migrate.Entry{Lane: lane.Lane.ID}
	if t.Kind == migrate.TaskSweep { // in no stage: nothing is left at the source
		e.Kind, e.End = migrate.EntryAppeared, true
		d.record(e)
		return
	}
	e.Stage, e.Wave = lane.Stages[t.Stage].Name, t.Wave+1
	switch t.Kind {
	case migrate.TaskGate:
		d.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &migrate.Decision{Kind: migrate.Approve, By: "bench", Lane: e.Lane, Stage: e.Stage}})
	case migrate.TaskConsole:
		e.Kind, e.Console = migrate.EntryPerformed, t.Console
		d.record(e)
	case migrate.TaskBefore:
		e.Kind = migrate.EntryWave
		d.record(e)
	case migrate.TaskMove:
		for i, call := range t.Calls {
			d.now = d.now.Add(200 * time.Millisecond)
			e.Kind, e.Call, e.Product = migrate.EntryOutcome, t.FirstCall+i, call.ProductKey
			d.moved += len(call.Names)
			d.record(e)
		}
	case migrate.TaskLook:
		e.Kind = migrate.EntryLook
		d.chunks(t.Devices, e, func(e *migrate.Entry, ids []iot.DeviceID) { e.Arrived = ids })
	case migrate.TaskVerify:
		d.verify(t, e)
	default:
		d.b.Fatalf("unexpected task %+v", t)
	}
}

func (d *driver) verify(t migrate.Task, e migrate.Entry) {
	e.Kind = migrate.EntryVerdicts
	for k, name := range d.plan.Lanes[t.Lane].Stages[t.Stage].Verifiers {
		var asked []migrate.TaskDevice
		for _, dev := range t.Devices {
			if dev.Passed <= k {
				asked = append(asked, dev)
			}
		}
		e.Verifier = name
		d.chunks(asked, e, func(e *migrate.Entry, ids []iot.DeviceID) { e.Passed = ids })
	}
}

// chunks records a look or a round in entries of at most 1,000 devices, as the runner does.
func (d *driver) chunks(devices []migrate.TaskDevice, e migrate.Entry, name func(*migrate.Entry, []iot.DeviceID)) {
	for len(devices) > 0 {
		n := min(1000, len(devices))
		ids := make([]iot.DeviceID, n)
		for i, dev := range devices[:n] {
			ids[i] = dev.ID
		}
		one := e
		name(&one, ids)
		devices = devices[n:]
		one.End = len(devices) == 0
		d.record(one)
	}
}
