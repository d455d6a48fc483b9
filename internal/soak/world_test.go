package soak_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A world is a simulator with one campaign on it, whose journal is on disk.
type world struct {
	t     *testing.T
	sim   *simulator
	fleet migratetest.GenerateOptions
	plan  *migrate.Plan
	job   job // of a runner that is left alone
}

// fleetOf has about n devices of all four scenarios: more than half in families of a gateway with 20 sub-devices, some asleep.
func fleetOf(n int) migratetest.GenerateOptions {
	return migratetest.GenerateOptions{
		Direct: n / 4, PreRegistered: n / 12, ThingModel: n / 12, Gateways: max(2, n*7/12/21), SubDevices: 20, OfflineEvery: 10,
	}
}

func newWorld(t *testing.T, fleet migratetest.GenerateOptions) *world {
	t.Helper()
	file := migratetest.Generate(fleet)
	w := &world{t: t, fleet: fleet, sim: startSimulator(t, file)}
	w.job = job{
		Endpoints: w.sim.endpoints, Plan: filepath.Join(t.TempDir(), "plan.json"), Journal: t.TempDir(), Owner: "the first",
	}
	client, err := w.sim.endpoints.client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	cloud, err := migratetest.Open(bytes.NewReader(file), migratetest.Options{}) // for what no API shows
	if err != nil {
		t.Fatal(err)
	}
	p := client.Platform()
	survey, err := migrate.TakeSurvey(t.Context(), p.Source.View, p.Target.View, p.Account, cloud.Declared())
	if err != nil {
		t.Fatal(err)
	}
	if w.plan, err = (migrate.Planner{Strategies: strategies()}).Plan(survey); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(w.job.Plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.plan.Write(out), out.Close()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) journalFile() string { return filepath.Join(w.job.Journal, campaign+".jsonl") }

// lines returns how many lines the journal has.
func (w *world) lines() int { return new(tail).lines(w.journalFile()) }

// A tail counts the lines of a journal that grows.
type tail struct {
	read   int64
	full   int
	intent bool // the last line is the intent of a call
}

func (l *tail) lines(name string) int {
	file, err := os.Open(name)
	if err != nil {
		return l.full // not begun
	}
	defer file.Close()
	more, _ := io.ReadAll(io.NewSectionReader(file, l.read, 1<<40)) // what it did not get it reads next time
	l.read += int64(len(more))
	l.full += bytes.Count(more, []byte{'\n'})
	if whole, ok := bytes.CutSuffix(more, []byte{'\n'}); ok {
		last := whole[bytes.LastIndexByte(whole, '\n')+1:]
		l.intent = bytes.Contains(last, []byte(`"kind":"intent"`))
	}
	return l.full
}

// entries reads the journal from its start.
func (w *world) entries() []migrate.Entry {
	w.t.Helper()
	dir, err := journal.Open(w.job.Journal)
	if err != nil {
		w.t.Fatal(err)
	}
	defer dir.Close()
	var out []migrate.Entry
	for e, err := range dir.Entries(w.t.Context(), campaign, 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// report folds the journal.
func (w *world) report() *migrate.Report {
	w.t.Helper()
	state := migrate.NewState(w.plan)
	for _, e := range w.entries() {
		if err := state.Apply(e); err != nil {
			w.t.Fatal(err)
		}
	}
	return state.Report(campaign)
}

// A runner is a process that runs the campaign.
type runner struct {
	t       *testing.T
	command *exec.Cmd
	stdin   io.Closer
	stdout  io.Reader
	stderr  bytes.Buffer
	ended   chan struct{} // closed when the process has ended
}

func (w *world) start(j job) *runner {
	w.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.Marshal(j)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &runner{t: w.t, command: exec.Command(binary), ended: make(chan struct{})}
	r.command.Env = append(os.Environ(), asRunner+"="+string(text))
	r.command.Stderr = &r.stderr
	if r.stdin, err = r.command.StdinPipe(); err != nil {
		w.t.Fatal(err)
	}
	if r.stdout, err = r.command.StdoutPipe(); err != nil {
		w.t.Fatal(err)
	}
	if err := r.command.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = r.command.Wait() // the process's state tells
		close(r.ended)
	}()
	w.t.Cleanup(r.kill)
	return r
}

// kill ends the process by SIGKILL, if it has not ended.
func (r *runner) kill() {
	_ = r.command.Process.Kill()
	<-r.ended
}

// wait returns the exit code; -1 if the process was killed.
func (r *runner) wait() int {
	<-r.ended
	return r.command.ProcessState.ExitCode()
}

func (r *runner) mustEnd(code int) {
	r.t.Helper()
	if got := r.wait(); got != code {
		r.t.Fatalf("the runner ended with code %d, want %d: %s", got, code, &r.stderr)
	}
}

// checkMoved checks the truth about every device: it is at the target, was moved once, is connected if it was, and has the
// gateway that it had.
func (w *world) checkMoved() {
	w.t.Helper()
	var file struct {
		Devices []struct{ ProductKey, DeviceName, Status, Gateway string }
	}
	if err := json.Unmarshal(migratetest.Generate(w.fleet), &file); err != nil {
		w.t.Fatal(err)
	}
	truths := map[string]map[string]truth{}
	wrong := 0
	for _, d := range file.Devices {
		if truths[d.ProductKey] == nil {
			truths[d.ProductKey] = w.truths(d.ProductKey)
		}
		want := truth{
			DeviceName: d.DeviceName, Instance: w.sim.endpoints.Target, Gateway: d.Gateway, Moved: 1, Online: d.Status == "online",
		}
		if got := truths[d.ProductKey][d.DeviceName]; got != want {
			if wrong++; wrong <= 10 {
				w.t.Errorf("device %s/%s: %+v, want %+v", d.ProductKey, d.DeviceName, got, want)
			}
		}
	}
	if wrong > 0 {
		w.t.Errorf("%d of %d devices are not as they should be", wrong, len(file.Devices))
	}
}

func (w *world) truths(product string) map[string]truth {
	w.t.Helper()
	list, err := w.sim.console.truths(w.t.Context(), product)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]truth{}
	for _, d := range list {
		out[d.DeviceName] = d
	}
	return out
}

// checkJournal checks the file from its first line to its last, that no runner wrote after a newer one, and that nothing was sent
// again blindly.
func (w *world) checkJournal() {
	w.t.Helper()
	file, err := os.Open(w.journalFile())
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	summary, err := journal.Verify(file)
	if err != nil || summary.Torn != 0 || summary.Entries != int64(w.lines()) {
		w.t.Errorf("the journal: %+v, %v", summary, err)
	}
	entries, fence := w.entries(), int64(0)
	w.checkResent(entries)
	for _, e := range entries {
		if e.Fence != 0 && e.Fence < fence {
			w.t.Errorf("entry %d has fence %d after fence %d", e.Seq, e.Fence, fence)
		}
		fence = max(fence, e.Fence)
	}
}

// countCalls returns how many calls that move devices reached the platform.
func (w *world) countCalls() int {
	w.t.Helper()
	calls, throttled, err := w.sim.console.calls(w.t.Context(), "BatchGrayMigrationDevice")
	if err != nil {
		w.t.Fatal(err)
	}
	if throttled > 0 {
		w.t.Errorf("%d calls were refused for a quota", throttled)
	}
	return calls
}

func countIntents(entries []migrate.Entry) int {
	n := 0
	for _, e := range entries {
		if e.Kind == migrate.EntryIntent {
			n++
		}
	}
	return n
}

// checkCalls checks that the platform saw no more calls than the journal announces.
func (w *world) checkCalls(intents int) {
	w.t.Helper()
	calls := w.countCalls()
	if calls > intents {
		w.t.Errorf("%d calls were made for %d intents", calls, intents)
	}
	w.t.Logf("%d intents, %d calls that reached the platform", intents, calls)
}

// endsOf tells how lanes ended, as far as it has to be the same whatever happened on the way.
func endsOf(r *migrate.Report) []string {
	out := []string{string(r.Outcome)}
	for _, l := range r.Lanes {
		out = append(out, fmt.Sprintf("lane %s: finished %t %s, of %d: moved %d, proven %d, asleep %d, unproven %d, failed %d, returned %d, underway %d, unmoved %d",
			l.Lane, l.Finished, l.Halt, l.Devices, l.Moved, l.Proven, l.Asleep, l.Unproven, l.Failed, l.Returned, l.Underway, l.Unmoved))
		for _, v := range l.Verdicts {
			out = append(out, fmt.Sprintf("lane %s, %s: %d passed, %d failed", l.Lane, v.Verifier, v.Passed, v.Failed))
		}
	}
	return out
}

// await waits for other processes.
func (w *world) await(is func() bool) {
	w.t.Helper()
	for range 20_000 {
		if is() {
			return
		}
		pause()
	}
	w.t.Fatal("that does not come to be")
}

// pause gives other processes time.
func pause() { <-time.After(2 * time.Millisecond) }
