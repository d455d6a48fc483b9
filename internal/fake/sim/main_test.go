package sim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	target = "iot-060a0001"
	meter  = "a1Meter0001" // 500 devices of s1-direct.json
)

// A world is a platform on sockets, whose time and faults a test steers.
type world struct {
	t      *testing.T
	cloud  *fake.Cloud
	clock  *fake.VirtualClock
	faults *sim.Faults
	server *sim.Server
}

func newWorld(t *testing.T, file string) *world {
	t.Helper()
	w := &world{t: t, clock: fake.NewVirtualClock(begin()), faults: new(sim.Faults)}
	w.cloud = newCloud(t, file, fake.Options{Clock: w.clock, Hook: w.faults.Hook})
	w.server = start(t, w.cloud, sim.Config{Clock: w.clock, Faults: w.faults})
	return w
}

func newCloud(t *testing.T, file string, o fake.Options) *fake.Cloud {
	t.Helper()
	text, err := fleets.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	f, err := fleet.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	c, err := fake.New(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start serves a platform until the test ends.
func start(t *testing.T, cloud *fake.Cloud, c sim.Config) *sim.Server {
	t.Helper()
	c.Target = target
	s, err := sim.Start(t.Context(), cloud, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request to the console and returns its answer, whose status has to be the one that is wanted.
func (w *world) ask(want int, method, path, body string) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.server.Endpoints().Console+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != want || response.Header.Get("Content-Type") != "application/json" {
		w.t.Errorf("%s %s %s: got status %d, want %d: %s", method, path, body, response.StatusCode, want, text)
	}
	var failure struct{ Error string }
	if err := json.Unmarshal(text, &failure); err != nil || (failure.Error != "") != (want >= 400) {
		w.t.Errorf("%s %s %s: got %s, %v", method, path, body, text, err)
	}
	return strings.TrimSpace(string(text))
}

func (w *world) get(path string) string {
	w.t.Helper()
	return w.ask(http.StatusOK, http.MethodGet, path, "")
}

func (w *world) post(path, body string) string {
	w.t.Helper()
	return w.ask(http.StatusOK, http.MethodPost, path, body)
}
