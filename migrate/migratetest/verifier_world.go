package migratetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A verifierWorld is one platform, and what a verifier is asked about it.
type verifierWorld struct {
	clock    *Clock
	cloud    *Cloud
	verifier migrate.Verifier
	within   time.Duration
	lanes    []migrate.LanePlan
	awake    map[iot.DeviceID]bool // online before the move
	moved    time.Time

	mu    sync.Mutex
	fault func(Op) Fault
	calls int // on the platform, by anybody but devices
}

func (s VerifierTest) world(ctx context.Context, make func(*Cloud) migrate.Verifier) (*verifierWorld, error) {
	w := &verifierWorld{clock: NewClock(worldStart()), within: s.Within, awake: map[iot.DeviceID]bool{}}
	if w.within == 0 {
		w.within = defaultWithin
	}
	fleet := s.Fleet
	if fleet == nil {
		fleet = defaultVerifierFleet()
	}
	o := s.Platform
	o.Clock, o.Fault = w.clock, w.op
	var err error
	if w.cloud, err = Open(bytes.NewReader(fleet), o); err != nil {
		return nil, err
	}
	survey, err := w.cloud.Survey(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := planAny(survey)
	if err != nil {
		return nil, err
	}
	w.lanes = plan.Lanes
	for id := range w.cloud.Devices() {
		w.awake[id] = w.cloud.Online(id)
	}
	w.verifier = make(w.cloud)
	return w, nil
}

func (w *verifierWorld) op(op Op) Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op.Kind != "device" {
		w.calls++
	}
	if w.fault != nil {
		return w.fault(op)
	}
	return Fault{}
}

// disturb sets what goes wrong from now on.
func (w *verifierWorld) disturb(fault func(Op) Fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

func (w *verifierWorld) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls
}

// move moves all devices in the console.
func (w *verifierWorld) move(ctx context.Context) error {
	w.moved = w.clock.Now()
	for _, l := range w.lanes {
		t := migrate.ConsoleTask{Kind: migrate.ConsoleCreate, Target: l.Lane.Target}
		for _, p := range l.Lane.Products {
			t.Products = append(t.Products, migrate.ConsoleProduct{ProductKey: p.Key, DeviceNames: namesOf(l, p.Key)})
		}
		for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
			t.Kind = kind
			if err := w.cloud.Operator().Perform(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func namesOf(l migrate.LanePlan, productKey string) []string {
	var names []string
	for _, f := range l.Families {
		for _, id := range f.Devices {
			if id.ProductKey == productKey {
				names = append(names, id.DeviceName)
			}
		}
	}
	return names
}

// subjects returns what a campaign would ask about: one subject per lane, of all its devices.
func (w *verifierWorld) subjects() []*migrate.Subject {
	p := w.cloud.Platform()
	var out []*migrate.Subject
	for _, l := range w.lanes {
		s := &migrate.Subject{
			Campaign: "verifier-test", Lane: l.Lane, Stage: "verify", Source: p.Source, Target: p.Target, Now: w.clock.Now(),
		}
		for _, f := range l.Families {
			for _, id := range f.Devices {
				d := migrate.SubjectDevice{ID: id, Node: nodeOf(l.Lane, id), Family: f.Devices, Moved: w.moved}
				if id != f.Gateway {
					d.Gateway = f.Gateway
				}
				s.Devices = append(s.Devices, d)
			}
		}
		out = append(out, s)
	}
	return out
}

func nodeOf(l migrate.Lane, id iot.DeviceID) iot.NodeType {
	for _, p := range l.Products {
		if p.Key == id.ProductKey {
			return p.NodeType
		}
	}
	return ""
}

// look asks about all lanes once and checks what every look has to keep. Errors of the verifier are no fault of its.
func (w *verifierWorld) look(ctx context.Context) (map[iot.DeviceID]migrate.Finding, error) {
	found := make(map[iot.DeviceID]migrate.Finding)
	for _, s := range w.subjects() {
		before := slices.Clone(s.Devices)
		families := familiesOf(s)
		for f, err := range w.verifier.Verify(ctx, s) {
			if err != nil {
				continue
			}
			if err := checkFinding(s, f, found); err != nil {
				return nil, err
			}
			found[f.Device] = f
		}
		if !cmp.Equal(before, s.Devices) || !cmp.Equal(families, familiesOf(s)) {
			return nil, errors.New("the verifier changed its subject")
		}
	}
	return found, nil
}

func familiesOf(s *migrate.Subject) [][]iot.DeviceID {
	var all [][]iot.DeviceID
	for _, d := range s.Devices {
		all = append(all, slices.Clone(d.Family))
	}
	return all
}

func checkFinding(s *migrate.Subject, f migrate.Finding, found map[iot.DeviceID]migrate.Finding) error {
	asked := slices.ContainsFunc(s.Devices, func(d migrate.SubjectDevice) bool { return d.ID == f.Device })
	_, twice := found[f.Device]
	switch {
	case !asked:
		return fmt.Errorf("finding on device %s, which was not asked for", f.Device)
	case twice:
		return fmt.Errorf("two findings on device %s in one look", f.Device)
	case f.Verdict != migrate.Pass && f.Verdict != migrate.Fail && f.Verdict != migrate.Inconclusive:
		return fmt.Errorf("device %s: there is no verdict %q", f.Device, f.Verdict)
	case f.Verdict != migrate.Inconclusive && (f.Evidence.Source == "" || f.Evidence.Seen == "" || f.Evidence.At.IsZero()):
		return fmt.Errorf("device %s: verdict %s without evidence: %+v", f.Device, f.Verdict, f.Evidence)
	}
	return nil
}

// never looks n times, every so often, and returns an error if a device gets the verdict.
func (w *verifierWorld) never(ctx context.Context, verdict migrate.Verdict, n int, every time.Duration, when string) error {
	for range n {
		found, err := w.look(ctx)
		if err != nil {
			return err
		}
		for _, l := range w.lanes {
			for _, f := range l.Families {
				for _, id := range f.Devices {
					if found[id].Verdict == verdict {
						return fmt.Errorf("device %s gets %s %s: %s", id, verdict, when, found[id].Evidence.Seen)
					}
				}
			}
		}
		w.clock.Advance(every)
	}
	return nil
}
