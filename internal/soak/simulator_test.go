package soak_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/quota"
)

// endpoints are what cmd/iotsim says in its one line.
type endpoints struct {
	OpenAPI string `json:"openapiTLS"`
	AMQP    string `json:"amqpTLS"`
	MQTT    string `json:"mqttTLS"`
	Console string `json:"console"`
	CAFile  string `json:"caFile"`
	KeyID   string `json:"accessKeyId"`
	Secret  string `json:"accessKeySecret"`
	UID     string `json:"uid"`
	Region  string `json:"region"`
	Target  string `json:"targetInstanceId"`
}

// client opens the real adapter on the simulator, without quotas.
func (e endpoints) client() (*aliyun.Client, error) {
	ca, err := os.ReadFile(e.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	pacer, err := quota.New(nil, nil)
	if err != nil {
		return nil, err
	}
	return aliyun.Open(aliyun.Config{
		Region: e.Region, Account: e.UID, Target: e.Target, Credentials: aliyun.Static(e.KeyID, iot.NewSecret(e.Secret)),
		Endpoints: aliyun.Endpoints{OpenAPI: e.OpenAPI, SourceAMQP: e.AMQP, TargetAMQP: e.AMQP, SourceMQTT: e.MQTT},
		RootCAs:   roots, Pacer: pacer,
	})
}

// A console is the simulator's: the operator's hand, and the truth.
type console struct {
	url  string
	http *http.Client
}

func newConsole(url string) console {
	return console{url: url, http: &http.Client{Transport: &http.Transport{}}}
}

func (c console) close() { c.http.CloseIdleConnections() }

// call sends body, if it is not nil, and reads the answer into answer, if that is not nil.
func (c console) call(ctx context.Context, path string, body, answer any) error {
	method, in := http.MethodGet, []byte(nil)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		method, in = http.MethodPost, text
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(in))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("console %s: %s: %s", path, response.Status, out)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(out, answer)
}

// A truth is what really became of a device.
type truth struct {
	DeviceName string `json:"deviceName"`
	Instance   string `json:"instance"`
	Online     bool   `json:"online"`
	Gateway    string `json:"gateway"`
	Moved      int    `json:"moved"`
	Returned   int    `json:"returned"`
}

func (c console) truths(ctx context.Context, product string) ([]truth, error) {
	var list struct {
		Devices []truth `json:"devices"`
	}
	err := c.call(ctx, "/devices/"+product, nil, &list)
	return list.Devices, err
}

// calls returns how often an API was called, and how many of all calls were refused for a quota.
func (c console) calls(ctx context.Context, name string) (calls, throttled int, err error) {
	var list struct {
		Calls []struct {
			Name             string
			Calls, Throttled int
		}
	}
	err = c.call(ctx, "/calls", nil, &list)
	for _, one := range list.Calls {
		throttled += one.Throttled
		if one.Name == name {
			calls = one.Calls
		}
	}
	return calls, throttled, err
}

// A simulator is cmd/iotsim in a process of its own.
type simulator struct {
	endpoints endpoints
	console   console
}

// startSimulator starts one that lives as long as the test.
func startSimulator(t *testing.T, fleet []byte) *simulator {
	t.Helper()
	binary, err := buildSimulator()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "fleet.json")
	if err := os.WriteFile(file, fleet, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "-fleet", file, "-quota", "none", "-ca", filepath.Join(dir, "ca.pem"))
	log, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s := &simulator{}
	t.Cleanup(func() { s.stop(t, command) })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.endpoints)
	}
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the simulator does not say where it listens: %v: %s", err, text)
	}
	s.console = newConsole(s.endpoints.Console)
	return s
}

// stop ends the simulator, which must still be alive.
func (s *simulator) stop(t *testing.T, command *exec.Cmd) {
	s.console.close()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("the simulator did not survive: %v", err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("the simulator did not survive: %v", err)
	}
}
