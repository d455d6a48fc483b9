package migratetest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

func listen(t *testing.T, c *migratetest.Cloud, o migratetest.WireOptions) *migratetest.Wire {
	t.Helper()
	w, err := c.Listen(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// send returns the answer to a request.
func send(t *testing.T, w *migratetest.Wire, method, url, body string) (string, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: w.RootCAs}}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// The wire and the cloud are one platform: what is done on one side shows on the other, its faults included, on any clock.
func TestWire(t *testing.T) {
	for name, clock := range map[string]interface {
		iot.Clock
		Advance(time.Duration)
	}{
		"jumps": migratetest.NewClock(start()), "hasty": migratetest.NewHastyClock(start(), 10*time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			var lost bool
			c := open(t, migratetest.GenerateOptions{Direct: 3}, migratetest.Options{Clock: clock, Fault: func(op migratetest.Op) migratetest.Fault {
				return migratetest.Fault{Lost: lost && op.Name == "Confirm"}
			}})
			w := listen(t, c, migratetest.WireOptions{})
			if w.Account == "" || w.Region == "" || w.Target != c.Platform().Target.Info.ID || w.AccessKeyID == "" || w.AccessKeySecret.Reveal() == "" {
				t.Errorf("the wire is %+v", w)
			}
			id := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
			task := migrate.ConsoleTask{Target: c.Platform().Target.Info, Products: []migrate.ConsoleProduct{
				{ProductKey: id.ProductKey, DeviceNames: []string{id.DeviceName}},
			}}
			for _, task.Kind = range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
				if err := c.Operator().Perform(t.Context(), task); err != nil {
					t.Fatal(err)
				}
			}
			path := "/devices/" + id.String()
			if got, err := send(t, w, "GET", w.Console+path, ""); err != nil || !strings.Contains(got, `"instance":"`+w.Target+`","online":false`) {
				t.Errorf("a device that was moved: %s, %v", got, err)
			}
			before := clock.Now()
			if got, err := send(t, w, "POST", w.Console+"/clock", `{"advance":"1h"}`); err != nil || clock.Now().Sub(before) < time.Hour {
				t.Errorf("an hour, and the clock shows %v: %s, %v", clock.Now(), got, err)
			}
			if !c.Online(id) {
				t.Error("after an hour the device is not back")
			}
			lost = true
			if got, err := send(t, w, "POST", w.Console+"/tasks/task-1/confirm", ""); err == nil {
				t.Errorf("an answer that was lost: %s", got)
			}
			if got, err := send(t, w, "GET", w.OpenAPITLS, ""); err != nil || !strings.Contains(got, "MissingAction") {
				t.Errorf("a call without anything: %s, %v", got, err)
			}
			if passed := clock.Now().Sub(before); passed > 2*time.Hour {
				t.Errorf("time has run away: %v", passed)
			}
		})
	}
}

// Certificates are made as they are asked for.
func TestWireCertificate(t *testing.T) {
	c := open(t, migratetest.GenerateOptions{Direct: 1}, migratetest.Options{})
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	good := listen(t, c, migratetest.WireOptions{CAFile: caFile})
	expired := listen(t, c, migratetest.WireOptions{CertExpires: time.Now().Add(-time.Hour)})
	elsewhere := listen(t, c, migratetest.WireOptions{CertHosts: []string{"iot.example.com"}})
	if text, err := os.ReadFile(caFile); err != nil || !strings.Contains(string(text), "BEGIN CERTIFICATE") {
		t.Errorf("the CA's file: %s, %v", text, err)
	}
	if _, err := send(t, good, "GET", good.OpenAPITLS, ""); err != nil {
		t.Error(err)
	}
	if _, err := send(t, expired, "GET", good.OpenAPITLS, ""); !as[x509.UnknownAuthorityError](err) {
		t.Errorf("another wire's CA: %v", err)
	}
	if _, err := send(t, expired, "GET", expired.OpenAPITLS, ""); !as[x509.CertificateInvalidError](err) {
		t.Errorf("an expired certificate: %v", err)
	}
	if _, err := send(t, elsewhere, "GET", elsewhere.OpenAPITLS, ""); !as[x509.HostnameError](err) {
		t.Errorf("a certificate for another name: %v", err)
	}
	if _, err := c.Listen(t.Context(), migratetest.WireOptions{CAFile: t.TempDir()}); err == nil {
		t.Error("a CA's file that is a folder: got no error")
	}
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// A wire that is closed is gone, and so is one whose context is done; the platform goes on.
func TestWireClose(t *testing.T) {
	c := open(t, migratetest.GenerateOptions{Direct: 1}, migratetest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, err := c.Listen(ctx, migratetest.WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second := listen(t, c, migratetest.WireOptions{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(first.AMQP, "amqp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a connection to a wire that is gone: %v", err)
	}
	if _, err := send(t, first, "GET", first.Console+"/tasks", ""); err == nil {
		t.Error("a wire that is gone answers")
	}
	second.DropConsumers()
	if got, err := send(t, second, "GET", second.Console+"/tasks", ""); err != nil || !strings.Contains(got, `"tasks":[]`) {
		t.Errorf("the other wire: %s, %v", got, err)
	}
}

// A platform on sockets: any client that trusts its CA can talk to it.
func ExampleCloud_Listen() {
	cloud, err := migratetest.Open(strings.NewReader(string(migratetest.Generate(migratetest.GenerateOptions{Direct: 3}))), migratetest.Options{})
	if err != nil {
		panic(err)
	}
	wire, err := cloud.Listen(context.Background(), migratetest.WireOptions{})
	if err != nil {
		panic(err)
	}
	defer wire.Close()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: wire.RootCAs}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	response, err := client.Get(wire.OpenAPITLS + "/?Action=QueryProductList&Version=2018-01-20")
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	fmt.Println(response.StatusCode, wire.Region, wire.Target, wire.AccessKeySecret)
	// Output:
	// 400 cn-shanghai iot-060a0001 [redacted]
}
