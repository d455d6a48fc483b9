package aliyun_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	journals "github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// A fault is what happens to one call on its way. Send lets the platform do what is asked, and returns its answer.
type fault func(r *request, send func() (*response, error)) (*response, error)

// after lets the call have its effect, and then changes the answer.
func after(change func(body []byte) (*response, error)) fault {
	return func(_ *request, send func() (*response, error)) (*response, error) {
		answer, err := send()
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil {
			return nil, err
		}
		return change(body)
	}
}

// before answers without the platform.
func before(status int, body string) fault {
	return func(*request, func() (*response, error)) (*response, error) {
		return reply(status, strings.NewReader(body)), nil
	}
}

func reply(status int, body io.Reader) *response {
	return &response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(body)}
}

const html = "<html><head><title>502 Bad Gateway</title></head></html>"

var errReset = errors.New("connection reset by peer")

// A faultCase is a fault, what it is to the adapter, and whether the platform did what was asked.
type faultCase struct {
	name    string
	happen  fault
	write   iot.Kind
	read    iot.Kind
	effect  bool
	leaves  bool // it leaves out the first device of a batch, and is no error
	latency bool // it takes the time-out of the call, or of the request that it is given
}

func faultCases() []faultCase {
	return []faultCase{
		{name: "lost after effect", effect: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: after(func([]byte) (*response, error) { return nil, io.ErrUnexpectedEOF })},
		{name: "reset before effect", write: iot.UnknownOutcome, read: iot.Transient,
			happen: func(*request, func() (*response, error)) (*response, error) { return nil, errReset }},
		{name: "truncated after effect", effect: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: after(func(body []byte) (*response, error) { return reply(200, bytes.NewReader(body[:len(body)*2/3])), nil })},
		{name: "broken off after effect", effect: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: after(func(body []byte) (*response, error) {
				return reply(200, io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenBody{errReset})), nil
			})},
		{name: "HTML before effect", write: iot.UnknownOutcome, read: iot.Transient, happen: before(502, html)},
		{name: "HTML with 200 after effect", effect: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: after(func([]byte) (*response, error) { return reply(200, strings.NewReader(html)), nil })},
		{name: "503 after effect", effect: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: after(func([]byte) (*response, error) {
				return reply(503, strings.NewReader(`{"Code":"ServiceUnavailable","Message":"later"}`)), nil
			})},
		{name: "system error after effect", effect: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: after(func([]byte) (*response, error) {
				return reply(200, strings.NewReader(`{"Success":false,"Code":"iot.system.SystemException"}`)), nil
			})},
		{name: "throttled", write: iot.Throttled, read: iot.Throttled,
			happen: before(400, `{"Code":"Throttling.User","Message":"Request was denied due to user flow control"}`)},
		{name: "slow body after effect", effect: true, latency: true, write: iot.UnknownOutcome, read: iot.Transient,
			happen: func(r *request, send func() (*response, error)) (*response, error) {
				return after(func(body []byte) (*response, error) {
					return reply(200, io.MultiReader(bytes.NewReader(body[:1]), &stuck{r.Context()})), nil
				})(r, send)
			}},
		{name: "a device left out after effect", effect: true, leaves: true, happen: after(leaveOut)},
	}
}

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

// A stuck body sends nothing until nobody waits for it any more.
type stuck struct{ ctx context.Context }

func (s *stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, os.ErrDeadlineExceeded
}

// short is the time-out of a call that is not to be answered, and of no other: a busy machine is slow.
const short = 50 * time.Millisecond

// leaveOut drops the first device from the answer of BatchGrayMigrationDevice.
func leaveOut(body []byte) (*response, error) {
	var answer struct {
		Success bool
		Data    struct {
			Details struct {
				Item []json.RawMessage `json:"item"`
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if items := &answer.Data.Details.Item; len(*items) > 0 {
		*items = (*items)[1:]
		body, _ = json.Marshal(answer)
	}
	return reply(200, bytes.NewReader(body)), nil
}

// overTLS returns a transport to a wire, whose connections end with the test.
func overTLS(t testing.TB, roots *x509.CertPool) http.RoundTripper {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// What the adapter says of a call on which something went wrong, and what the platform has really done.
func TestFaults(t *testing.T) {
	for _, c := range faultCases() {
		t.Run(c.name, func(t *testing.T) {
			cloud := openCloud(t, migratetest.GenerateOptions{Direct: 30}, nil)
			wire := listen(t, cloud)
			openTask(t, cloud, migratetest.DirectProduct, "direct-0000")
			config := wireConfig(wire)
			inner, faulty := overTLS(t, wire.RootCAs), false
			config.RootCAs, config.Timeout = nil, time.Minute
			if c.latency {
				config.Timeout = short
			}
			config.Transport = roundTrip(func(r *request) (*response, error) {
				send := func() (*response, error) { return inner.RoundTrip(r.WithContext(context.WithoutCancel(r.Context()))) }
				if !faulty {
					return send()
				}
				return c.happen(r, send)
			})
			p := openClient(t, config).Platform()
			faulty = true
			batch := []string{"direct-0001", "direct-0002"}
			results, err := p.Mover.Move(t.Context(), migratetest.DirectProduct, batch)
			switch {
			case c.leaves:
				if err != nil || len(results) != 1 || results[0].DeviceName != batch[1] || !results[0].Accepted {
					t.Errorf("got %+v, %v; want the second device alone", results, err)
				}
			default:
				expectKind(t, "Move", err, c.write)
				_, err = p.Source.Product(t.Context(), migratetest.DirectProduct)
				expectKind(t, "Product", err, c.read)
			}
			for _, name := range batch {
				moved := cloud.MovedTimes(iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: name})
				if want := map[bool]int{true: 1}[c.effect]; moved != want {
					t.Errorf("%s moved %d times, want %d", name, moved, want)
				}
			}
		})
	}
}

func openCloud(t testing.TB, o migratetest.GenerateOptions, clock iot.Clock) *migratetest.Cloud {
	t.Helper()
	cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(o)), migratetest.Options{NoQuotas: true, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// openTask gets a product's migration task so far that the API moves its devices, by moving the first of them.
func openTask(t testing.TB, cloud *migratetest.Cloud, productKey, first string) {
	t.Helper()
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray, migrate.ConsoleConfirm} {
		err := cloud.Operator().Perform(t.Context(), migrate.ConsoleTask{
			Kind: kind, Target: cloud.Platform().Target.Info,
			Products: []migrate.ConsoleProduct{{ProductKey: productKey, DeviceNames: []string{first}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// weather lets faults happen to calls, at random but the same for the same seed.
type weather struct {
	inner http.RoundTripper
	cases []faultCase

	mu     sync.Mutex
	random *rand.Rand
	moves  int // that went wrong
	seen   map[string]int
}

// next returns the fault of a call, if there is one: 4 of 10 moves go wrong, and 1 of 40 reads. Faults without an effect are rare, as a
// device that was in three calls without one is given up.
func (w *weather) next(api string) (faultCase, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	move := api == "BatchGrayMigrationDevice"
	if n := w.random.IntN(1000); n >= 25 && !move || n >= 400 {
		return faultCase{}, false
	}
	if !move {
		c := w.cases[w.random.IntN(len(w.cases))]
		return c, !c.latency && !c.leaves
	}
	c := w.cases[w.moves%len(w.cases)] // in turn, so that each is seen
	w.moves++
	if rare := !c.effect && c.write != iot.Throttled; rare && w.seen[c.name] > 0 && w.random.IntN(3) > 0 {
		return faultCase{}, false
	}
	w.seen[c.name]++
	return c, true
}

func (w *weather) RoundTrip(r *request) (*response, error) {
	send := func() (*response, error) { return w.inner.RoundTrip(r) }
	c, wrong := w.next(actionOf(r))
	if !wrong {
		return send()
	}
	if c.latency {
		ctx, cancel := context.WithTimeout(r.Context(), short)
		context.AfterFunc(ctx, cancel) // the body outlives this function
		return c.happen(r.WithContext(ctx), send)
	}
	return c.happen(r, send)
}

// A campaign whose calls go wrong in every way comes to its end, and counts each device as what became of it.
func TestCampaignInBadWeather(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
			cloud := openCloud(t, migratetest.GenerateOptions{Direct: 120, Gateways: 4, SubDevices: 12}, clock)
			wire := listen(t, cloud)
			config := wireConfig(wire)
			w := &weather{inner: overTLS(t, wire.RootCAs), cases: faultCases(), random: rand.New(rand.NewPCG(seed, 7)), moves: 5 * int(seed), seen: seen}
			config.RootCAs, config.Transport, config.Timeout = nil, w, time.Minute
			report, plan := runCampaign(t, cloud, clock, openClient(t, config).Platform())
			if report.Outcome != migrate.OutcomeProven {
				t.Errorf("the campaign ends %s", report.Outcome)
			}
			for i, lane := range report.Lanes {
				moved := 0
				for _, family := range plan.Lanes[i].Families {
					for _, id := range family.Devices {
						owner, _ := cloud.Owner(id)
						if n := cloud.MovedTimes(id); owner != wire.Target || n != 1 {
							t.Errorf("device %s is at %q and moved %d times", id, owner, n)
						}
						moved++
					}
				}
				if lane.Moved != moved || lane.Proven != moved || lane.Failed != 0 {
					t.Errorf("lane %s counts %d moved, %d proven, %d failed of %d", lane.Lane, lane.Moved, lane.Proven, lane.Failed, moved)
				}
			}
		})
	}
	for _, c := range faultCases() {
		if seen[c.name] == 0 {
			t.Errorf("no move was %s", c.name)
		}
	}
}

// runCampaign migrates everything, by the strategies of the guide.
func runCampaign(t *testing.T, cloud *migratetest.Cloud, clock iot.Clock, p iot.Platform) (*migrate.Report, *migrate.Plan) {
	t.Helper()
	o := scenario.Options{FirstGray: 4, Sink: cloud.Sink()}
	strategies := []migrate.Strategy{scenario.Gateway(o), scenario.Direct(o)}
	survey, err := migrate.TakeSurvey(t.Context(), p.Source.View, p.Target.View, p.Account, cloud.Declared())
	if err != nil {
		t.Fatal(err)
	}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "bad-weather", Plan: plan, Strategies: strategies, Platform: p, Operator: cloud.Operator(),
		Clock: clock, Workers: 1, Journal: journals.NewMemory(),
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "test"}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := runner.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report, plan
}
