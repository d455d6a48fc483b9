package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"

	"github.com/iotferry/iotferry/examples/internal/town"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const lane = "a1Meter0001" // the one lane of s1-direct.json

// A backend is one process of the service, and a client of it.
type backend struct {
	t       *testing.T
	service *Service
	server  *httptest.Server
	entries chan migrate.Entry
}

// start begins a process on a platform that outlives it.
func start(t *testing.T, dir string, cloud *migratetest.Cloud, clock iot.Clock) *backend {
	t.Helper()
	entries, err := journal.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := newCustomer(t.Context(), cloud, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c := configure(owner, clock, Store{Dir: dir}, entries)
	c.Close = entries.Close
	return serve(t, c)
}

// serve begins a process. Its entries can be waited for.
func serve(t *testing.T, c Config) *backend {
	t.Helper()
	b := &backend{t: t, entries: make(chan migrate.Entry, 10_000)}
	c.Runner.Watch = func(e migrate.Entry, _ *migrate.State) { b.entries <- e }
	var err error
	if b.service, err = NewService(c); err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(b.service.Handler())
	return b
}

func (b *backend) stop() {
	b.server.Close()
	if err := b.service.Close(); err != nil {
		b.t.Error(err)
	}
}

// await returns when an entry of that kind is durable.
func (b *backend) await(kind migrate.EntryKind) {
	b.t.Helper()
	patience, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case e := <-b.entries:
			if e.Kind == kind {
				return
			}
			b.t.Logf("%s: %s %s %s %s", e.Kind, e.Stage, e.Reason, e.Note, e.Error)
		case <-patience.Done():
			b.t.Fatalf("no entry %s", kind)
		}
	}
}

// call returns the answer to a request; its status has to be the one that is wanted.
func (b *backend) call(want int, method, path, body string) map[string]any {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.server.Client().Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		b.t.Fatalf("%s %s: %v in %q", method, path, err, text)
	}
	if response.StatusCode != want || response.Header.Get("Content-Type") != "application/json" {
		b.t.Errorf("%s %s: status %d, want %d: %s", method, path, response.StatusCode, want, text)
	}
	if _, isError := value["error"]; isError != (want >= http.StatusBadRequest) {
		b.t.Errorf("%s %s: %s", method, path, text)
	}
	return value
}

func (b *backend) decide(kind, body string) {
	b.t.Helper()
	b.call(http.StatusOK, http.MethodPost, "/campaigns/spring/"+kind, body)
}

func (b *backend) approve(stage string) {
	b.t.Helper()
	b.decide("approve", `{"lane":"`+lane+`","stage":"`+stage+`","by":"ann"}`)
}

// lane returns the report of the only lane, and the outcome of the campaign.
func (b *backend) lane() (migrate.LaneReport, migrate.Outcome) {
	b.t.Helper()
	text, err := json.Marshal(b.call(http.StatusOK, http.MethodGet, "/campaigns/spring", ""))
	if err != nil {
		b.t.Fatal(err)
	}
	var s status
	if err := json.Unmarshal(text, &s); err != nil || s.Report == nil || len(s.Lanes) != 1 {
		b.t.Fatalf("%v in %s", err, text)
	}
	return s.Lanes[0], s.Outcome
}

func meters(t *testing.T) (*migratetest.Cloud, iot.Clock) {
	t.Helper()
	clock := migratetest.NewClock(town.Begin())
	cloud, err := openCloud("../../fleets/s1-direct.json", clock)
	if err != nil {
		t.Fatal(err)
	}
	return cloud, clock
}

// at counts the devices that an instance has.
func at(t *testing.T, v iot.View) int {
	t.Helper()
	n := 0
	for _, err := range v.Devices(t.Context(), lane) {
		if iot.KindOf(err) == iot.NotFound {
			return 0
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// A campaign that was stopped at a gate is resumed by the next process, and comes to its end.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	cloud, clock := meters(t)
	b := start(t, dir, cloud, clock)
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	if l, _ := b.lane(); !l.Gate || l.Stage != "confirm-gray" || l.Moved != 10 {
		t.Errorf("at the first gate: %+v", l)
	}
	b.approve("confirm-gray")
	b.await(migrate.EntryGate)
	b.stop()

	b = start(t, dir, cloud, clock)
	defer b.stop()
	b.await(migrate.EntryRunner)
	if l, outcome := b.lane(); !l.Gate || l.Stage != "rest" || l.Moved != 60 || outcome != migrate.OutcomeRunning {
		t.Errorf("after the restart: %+v, %s", l, outcome)
	}
	b.approve("rest")
	b.await(migrate.EntryEnd)
	if l, outcome := b.lane(); outcome != migrate.OutcomeProven || l.Proven != 348 || l.Asleep != 152 {
		t.Errorf("at the end: %+v, %s", l, outcome)
	}
	if n := at(t, cloud.Platform().Target.View); n != 500 {
		t.Errorf("%d devices at the target", n)
	}
}

// A process that starts with a new platform in memory brings it to where the journal is.
func TestRestartOfPlatform(t *testing.T) {
	f := flags{dir: t.TempDir(), fleet: "../../fleets/s1-direct.json", fast: true}
	b := openBackend(t, f)
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	b.approve("confirm-gray")
	b.await(migrate.EntryGate)
	b.stop()

	b = openBackend(t, f)
	defer b.stop()
	b.approve("rest")
	b.await(migrate.EntryEnd)
	if l, outcome := b.lane(); outcome != migrate.OutcomeProven || l.Moved != 500 {
		t.Errorf("at the end: %+v, %s", l, outcome)
	}
}

// openBackend begins a process as main does, with its own platform.
func openBackend(t *testing.T, f flags) *backend {
	t.Helper()
	entries, err := journal.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := wire(t.Context(), f, entries, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.Close = entries.Close
	return serve(t, c)
}

// A rollback returns what was moved, also after the campaign has stopped.
func TestRollback(t *testing.T) {
	cloud, clock := meters(t)
	b := start(t, t.TempDir(), cloud, clock)
	defer b.stop()
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	b.approve("confirm-gray")
	b.await(migrate.EntryGate)
	b.decide("refuse", `{"lane":"`+lane+`","stage":"rest","by":"ann","note":"not in spring"}`)
	if _, outcome := b.lane(); outcome != migrate.OutcomeStopped {
		t.Errorf("after the refusal: %s", outcome)
	}
	b.decide("rollback", `{"by":"ann"}`)
	b.await(migrate.EntryHome)
	if l, _ := b.lane(); l.Returned != 60 || l.Moved != 0 {
		t.Errorf("after the rollback: %+v", l)
	}
	p := cloud.Platform()
	if source, target := at(t, p.Source.View), at(t, p.Target.View); source != 500 || target != 0 {
		t.Errorf("%d devices at the source, %d at the target", source, target)
	}
}

// Pause and abort hold a campaign up until somebody resumes it.
func TestPauseAndAbort(t *testing.T) {
	cloud, clock := meters(t)
	b := start(t, t.TempDir(), cloud, clock)
	defer b.stop()
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	b.decide("pause", `{"by":"ann"}`)
	if l, _ := b.lane(); !l.Paused {
		t.Errorf("after the pause: %+v", l)
	}
	b.decide("resume", `{"by":"ann"}`)
	b.decide("abort", `{"by":"ann"}`)
	b.await(migrate.EntryHalt)
	if l, outcome := b.lane(); l.Halt != migrate.HaltAborted || outcome != migrate.OutcomeStopped {
		t.Errorf("after the abort: %+v, %s", l, outcome)
	}
	b.decide("resume", `{"by":"ann"}`) // the gate is still there
	b.approve("confirm-gray")
	b.await(migrate.EntryGate)
	b.approve("rest")
	b.await(migrate.EntryEnd)
	if _, outcome := b.lane(); outcome != migrate.OutcomeProven {
		t.Errorf("at the end: %s", outcome)
	}
}

// Every error is JSON, with a status that says whose fault it is.
func TestErrors(t *testing.T) {
	cloud, clock := meters(t)
	b := start(t, t.TempDir(), cloud, clock)
	defer b.stop()
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	for _, c := range []struct {
		want         int
		method, path string
		body         string
	}{
		{http.StatusNotFound, "GET", "/", ""},
		{http.StatusNotFound, "GET", "/campaigns/autumn", ""},
		{http.StatusNotFound, "GET", "/campaigns/autumn/plan", ""},
		{http.StatusNotFound, "DELETE", "/campaigns/spring", ""},
		{http.StatusNotFound, "POST", "/campaigns/spring/explode", "{}"},
		{http.StatusNotFound, "POST", "/campaigns/autumn/pause", `{"by":"ann"}`},
		{http.StatusBadRequest, "POST", "/campaigns", ""},
		{http.StatusBadRequest, "POST", "/campaigns", "[]"},
		{http.StatusBadRequest, "POST", "/campaigns", `{"name":"a"}{}`},
		{http.StatusBadRequest, "POST", "/campaigns", `{"name":"../etc"}`},
		{http.StatusBadRequest, "POST", "/campaigns", `{"name":""}`},
		{http.StatusBadRequest, "POST", "/campaigns", `{"title":"a"}`},
		{http.StatusBadRequest, "POST", "/campaigns", `{"name":"` + strings.Repeat("a", 1<<17) + `"}`},
		{http.StatusConflict, "POST", "/campaigns", `{"name":"spring"}`},
		{http.StatusConflict, "POST", "/campaigns", `{"name":"summer"}`},
		{http.StatusConflict, "POST", "/campaigns/spring/pause", `{}`},
		{http.StatusConflict, "POST", "/campaigns/spring/approve", `{"by":"ann","lane":"a1Nothing01","stage":"rest"}`},
		{http.StatusConflict, "POST", "/campaigns/spring/resume", `{"by":"ann"}`},
	} {
		b.call(c.want, c.method, c.path, c.body)
	}
	if names := b.call(http.StatusOK, "GET", "/campaigns", "")["campaigns"].([]any); len(names) != 1 || names[0] != "spring" {
		t.Errorf("campaigns %v", names)
	}
	if lanes := b.call(http.StatusOK, "GET", "/campaigns/spring/plan", "")["lanes"].([]any); len(lanes) != 1 {
		t.Errorf("%d lanes", len(lanes))
	}
}

// A page of another site cannot decide.
func TestCrossOrigin(t *testing.T) {
	cloud, clock := meters(t)
	b := start(t, t.TempDir(), cloud, clock)
	defer b.stop()
	request := httptest.NewRequest(http.MethodPost, "/campaigns", strings.NewReader(`{"name":"spring"}`))
	request.Header.Set("Origin", "https://elsewhere.example")
	answer := httptest.NewRecorder()
	b.service.Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusForbidden || len(b.service.Names()) != 0 {
		t.Errorf("status %d, campaigns %v", answer.Code, b.service.Names())
	}
}

// A fleet that may not start is refused, and nothing is stored of it.
func TestBlocked(t *testing.T) {
	f := flags{dir: t.TempDir(), fleet: "../../fleets/mixed.json", fast: true}
	b := openBackend(t, f)
	defer b.stop()
	b.call(http.StatusConflict, "POST", "/campaigns", `{"name":"spring"}`)
	if files, err := os.ReadDir(f.dir); err != nil || len(files) != 0 {
		t.Errorf("files %v, %v", files, err)
	}
}

// The process listens, moves devices, stops gracefully, and prints what became of commands and messages.
func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{
			"-dir", filepath.Join(t.TempDir(), "new"), "-addr", "localhost:0", "-fast", "-fleet", "../../fleets/s1-direct.json",
		}, in, &stderr)
		in.Close()
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	address, ok := strings.CutPrefix(lines.Text(), "backend: listening on ")
	if !ok {
		t.Fatalf("first line %q", lines.Text())
	}
	var rest strings.Builder
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines.Scan() {
			rest.WriteString(lines.Text() + "\n")
		}
	})
	toFirstGate(t, address)
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d: %s", got, stderr.String())
	}
	reading.Wait()
	printed := strings.Split(numbers.ReplaceAllString(rest.String(), "N"), "\n")
	for _, line := range shownLines(t) {
		if !slices.Contains(printed, numbers.ReplaceAllString(line, "N")) {
			t.Errorf("docs/backends.md shows %q, printed was %q", line, rest.String())
		}
	}
}

var numbers = regexp.MustCompile(`[0-9][0-9a-zµ.]*`)

// shownLines returns the lines of docs/backends.md that show what the program prints.
func shownLines(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/backends.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "backend: ") {
			shown = append(shown, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(shown) < 2 {
		t.Fatalf("lines %q", shown)
	}
	return shown
}

// toFirstGate starts a campaign by HTTP, and returns when its first devices have moved.
func toFirstGate(t *testing.T, address string) {
	t.Helper()
	response, err := http.Post(address+"/campaigns", "application/json", strings.NewReader(`{"name":"spring"}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		response, err := http.Get(address + "/campaigns/spring")
		if err != nil {
			t.Fatal(err)
		}
		var s status
		err = json.NewDecoder(response.Body).Decode(&s)
		if response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if len(s.Lanes) == 1 && s.Lanes[0].Gate {
			return
		}
		<-tick.C
	}
	t.Error("the campaign does not come to its first gate")
}

// Bad input ends the process.
func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{}, {"-dir"}, {"-dir", t.TempDir(), "more"}, {"-dir", t.TempDir(), "-fleet", "nowhere.json"}, {"-dir", "/dev/null/x"}} {
		var stderr bytes.Buffer
		if got := run(t.Context(), args, io.Discard, &stderr); got != 2 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%v: exit code %d: %s", args, got, stderr.String())
		}
	}
}
