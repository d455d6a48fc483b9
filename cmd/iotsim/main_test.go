package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// asProgram lets the test's binary be the program, so that tests can start it without building another.
const asProgram = "IOTSIM_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// A process is the simulator, started as a user would.
type process struct {
	t         *testing.T
	command   *exec.Cmd
	endpoints map[string]string
	stdout    *bufio.Reader
	pipe      io.Closer
	stderr    *os.File
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{t: t, command: exec.CommandContext(ctx, binary, args...)}
	p.command.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+t.TempDir())
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.pipe, p.stdout = stdout, bufio.NewReader(stdout)
	if p.stderr, err = os.CreateTemp(t.TempDir(), "stderr"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.stderr.Close() })
	p.command.Stderr = p.stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		t.Fatalf("no line: %v: %s", err, p.log())
	}
	if err := json.Unmarshal(line, &p.endpoints); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return p
}

func (p *process) log() string {
	p.t.Helper()
	text, err := os.ReadFile(p.stderr.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// end sends a signal and waits for a clean end.
func (p *process) end(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		p.t.Errorf("after %v: %v: %s", s, err, p.log())
	}
}

func (p *process) console(method, path, body string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.endpoints["console"]+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	return fetch(p.t, http.DefaultTransport, request)
}

func fetch(t *testing.T, transport http.RoundTripper, request *http.Request) string {
	t.Helper()
	request.Close = true
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The process writes one line, works, and ends cleanly when it is told to.
func TestProcess(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			p := startProcess(t, "-fleet", "../../fleets/s1-direct.json", "-quota", "none")
			want := []string{
				"accessKeyId", "accessKeySecret", "amqp", "amqpTLS", "caFile", "console", "mqtt", "mqttTLS", "mqttTarget",
				"openapi", "openapiTLS", "region", "targetInstanceId", "uid",
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(p.endpoints))); diff != "" {
				t.Error("-want +got:\n" + diff)
			}
			if got := p.console("GET", "/devices/a1Meter0001/meter-0001", ""); !strings.Contains(got, `"online":true`) {
				t.Errorf("a device is %s", got)
			}
			ca, err := os.ReadFile(p.endpoints["caFile"])
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(ca)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.endpoints["openapiTLS"], nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := fetch(t, &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, request); !strings.Contains(got, "MissingAction") {
				t.Errorf("a call without anything: %s", got)
			}
			if err := p.command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(p.stdout); err != nil || len(rest) > 0 {
				t.Errorf("after the line: %q, %v", rest, err)
			}
			if err := p.command.Wait(); err != nil {
				t.Errorf("%v: %s", err, p.log())
			}
			if _, err := os.Stat(p.endpoints["caFile"]); !os.IsNotExist(err) {
				t.Errorf("the file of the CA is still there: %v", err)
			}
			if log := p.log(); log == "" || strings.Contains(log, p.endpoints["accessKeySecret"]) {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

// A reader that goes away does not end the process.
func TestClosedPipe(t *testing.T) {
	p := startProcess(t, "-fleet", "s1-direct.json")
	if err := p.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if got := p.console("POST", "/clock", `{"advance":"1h"}`); !strings.Contains(got, `"now"`) {
		t.Errorf("the clock: %s", got)
	}
	p.end(syscall.SIGTERM)
}

// A log that nobody reads any more does not end it either: writing there fails, and that is all.
func TestClosedLog(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary, "-fleet", "s1-direct.json", "-ca", t.TempDir()+"/ca.pem")
	command.Env = append(os.Environ(), asProgram+"=1")
	command.Stdout, command.Stderr = w, w
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	first := make([]byte, 1)
	if _, err := r.Read(first); err != nil { // it has begun: its log or its line
		t.Fatal(err)
	}
	r.Close()
	await(t, func() bool { _, err := os.Stat(command.Args[len(command.Args)-1]); return err == nil })
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}

// await waits for another process.
func await(t *testing.T, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 4000 {
		if is() {
			return
		}
		<-tick.C
	}
	t.Fatal("that does not come to be")
}

// Flags do what they say.
func TestFlags(t *testing.T) {
	p := startProcess(t, "-fleet", "s1-direct.json", "-devices=false", "-host", "localhost", "-addr", "127.0.0.1")
	if got := p.console("GET", "/devices/a1Meter0001/meter-0001", ""); !strings.Contains(got, `"online":false`) {
		t.Errorf("without simulated firmware a device is %s", got)
	}
	if got := p.endpoints["mqtt"]; !strings.HasPrefix(got, "tcp://localhost:") {
		t.Errorf("mqtt is at %s", got)
	}
	p.end(syscall.SIGTERM)
}

// Bad input ends with 2 and one line that names the place; what cannot be done, with 1.
func TestExitCodes(t *testing.T) {
	const fleet = "s1-direct.json"
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-h"}, 0, ""},
		{nil, 2, "-fleet is missing"},
		{[]string{"-fleet", "no-such-file.json"}, 2, "no-such-file.json"},
		{[]string{"-fleet", "two\nlines.json"}, 2, "lines.json"},
		{[]string{"-fleet", fleet, "-quota", "some"}, 2, "neither documented nor none"},
		{[]string{"-fleet", fleet, "-speed", "9"}, 2, "-h lists the flags"},
		{[]string{"-fleet", fleet, "more"}, 2, `unexpected argument "more"`},
		{[]string{"-fleet", fleet, "-addr", "0.0.0.0"}, 2, "set the host"},
		{[]string{"-fleet", fleet, "-port", "65535"}, 2, "no room for 9 ports"},
		{[]string{"-fleet", fleet, "-addr", "192.0.2.1"}, 1, "192.0.2.1"},
		{[]string{"-fleet", fleet, "-ca", "no-such-folder/ca.pem"}, 1, "no-such-folder"},
		{[]string{"-fleet", "../../fleets/bad/dangling-gateway.json"}, 2, "dangling-gateway.json: devices["},
		{[]string{"-fleet", "../../fleets/bad/truncated.json"}, 2, "truncated.json: line "},
		{[]string{"-fleet", "../../fleets/bad/no-legacy-instance.json"}, 2, "instances"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), test.args, &stdout, &stderr)
		if code != test.code || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%q: got %d, want %d with %q: %s", test.args, code, test.code, test.want, &stderr)
		}
		if n := strings.Count(stderr.String(), "\n"); code == 2 && n != 1 {
			t.Errorf("%q: %d lines of error: %s", test.args, n, &stderr)
		}
		if (stdout.Len() > 0) != (code == 0) {
			t.Errorf("%q: wrote %q", test.args, &stdout)
		}
	}
}

// Every fleet file that must be refused is, in one line.
func TestBadFleets(t *testing.T) {
	files, err := os.ReadDir("../../fleets/bad")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"-fleet", "../../fleets/bad/" + file.Name()}, &stdout, &stderr); code != 2 {
			t.Errorf("%s: code %d: %s", file.Name(), code, &stderr)
		}
		if strings.Count(stderr.String(), "\n") != 1 || stdout.Len() > 0 {
			t.Errorf("%s: stdout %q, stderr %q", file.Name(), &stdout, &stderr)
		}
	}
}

// An end that comes before it is ready is one that was asked for.
func TestEndBeforeReady(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"-fleet", "s1-direct.json"}, &stdout, &stderr); code != 0 || stdout.Len() > 0 {
		t.Errorf("code %d: %s%s", code, &stdout, &stderr)
	}
}
