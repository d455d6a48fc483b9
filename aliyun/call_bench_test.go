package aliyun_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A bareCaller signs and sends calls with the standard library alone: the least that a client has to do.
type bareCaller struct {
	client http.Client
	url    string
}

// call calls an API and decodes its answer.
func (c *bareCaller) call(api string, own url.Values, out any) error {
	q := url.Values{
		"Action": {api}, "Version": {"2018-01-20"}, "Format": {"JSON"}, "RegionId": {testRegion},
		"AccessKeyId": {testKeyID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureNonce": {nonce()},
		"Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
	}
	maps.Copy(q, own)
	q.Set("Signature", signature(q))
	answer, err := c.client.Post(c.url+"/?"+q.Encode(), "application/x-www-form-urlencoded", nil)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// states reads states as the adapter does.
func (c *bareCaller) states(productKey string, names []string) error {
	q := url.Values{"ProductKey": {productKey}}
	for i, name := range names {
		q.Set("DeviceName."+strconv.Itoa(i+1), name)
	}
	var out struct {
		Success          bool
		DeviceStatusList struct {
			DeviceStatus []struct{ DeviceName, Status, LastOnlineTime string }
		}
	}
	err := c.call("BatchGetDeviceState", q, &out)
	if n := len(out.DeviceStatusList.DeviceStatus); err == nil && (!out.Success || n != len(names)) {
		err = fmt.Errorf("%d states", n)
	}
	return err
}

// gatewayOf reads a device's gateway as the adapter does.
func (c *bareCaller) gatewayOf(id iot.DeviceID) error {
	var out struct {
		Success bool
		Data    struct{ ProductKey, DeviceName string }
	}
	err := c.call("GetGatewayBySubDevice", url.Values{"ProductKey": {id.ProductKey}, "DeviceName": {id.DeviceName}}, &out)
	if err == nil && (!out.Success || out.Data.DeviceName == "") {
		err = fmt.Errorf("the answer is %+v", out)
	}
	return err
}

func nonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

var percent = strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~")

// signature is version 1.0 of the gateway's: of all parameters in the order of their names.
func signature(q url.Values) string {
	var all strings.Builder
	for i, name := range slices.Sorted(maps.Keys(q)) {
		if i > 0 {
			all.WriteByte('&')
		}
		all.WriteString(percent.Replace(url.QueryEscape(name)))
		all.WriteByte('=')
		all.WriteString(percent.Replace(url.QueryEscape(q.Get(name))))
	}
	mac := hmac.New(sha1.New, []byte(testSecret+"&"))
	mac.Write([]byte("POST&%2F&" + percent.Replace(url.QueryEscape(all.String()))))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// BenchmarkCall compares a call of the adapter with a bare one of the same API on the same server: a large call, States of 50
// devices, and a small one, GatewayOf. x-bare is how many times longer the adapter takes. The two take turns, and the medians
// count. The allocations are the client's alone: they are counted with an answer that is there already.
func BenchmarkCall(b *testing.B) {
	w := newWorld(b, migratetest.Generate(migratetest.GenerateOptions{Direct: iot.MaxStates, Gateways: 1, SubDevices: 1}), fake.Options{Quotas: fake.NoQuotas})
	address := w.serve(b)
	names := make([]string, iot.MaxStates)
	for i := range names {
		names[i] = fmt.Sprintf("direct-%04d", i)
	}
	var sub iot.DeviceID
	for id, err := range openClient(b, testConfig(address)).Platform().Source.Children(b.Context(), iot.DeviceID{ProductKey: migratetest.GatewayProduct, DeviceName: "gateway-0000"}) {
		if err != nil {
			b.Fatal(err)
		}
		sub = id
	}
	b.Run("States of 50", func(b *testing.B) {
		compareCalls(b, address, func(c *bareCaller) error { return c.states(migratetest.DirectProduct, names) },
			func(at iot.Instance) error {
				list, err := at.States(b.Context(), migratetest.DirectProduct, names)
				if err == nil && len(list) != len(names) {
					err = fmt.Errorf("%d states", len(list))
				}
				return err
			})
	})
	b.Run("GatewayOf", func(b *testing.B) {
		compareCalls(b, address, func(c *bareCaller) error { return c.gatewayOf(sub) },
			func(at iot.Instance) error { _, err := at.GatewayOf(b.Context(), sub); return err })
	})
}

func compareCalls(b *testing.B, address string, bareCall func(*bareCaller) error, call func(iot.Instance) error) {
	transport := &http.Transport{}
	b.Cleanup(transport.CloseIdleConnections)
	bare := &bareCaller{client: http.Client{Transport: transport}, url: address}
	adapter := openClient(b, testConfig(address)).Platform().Source
	ways := []func() error{func() error { return bareCall(bare) }, func() error { return call(adapter) }}
	took := make([][]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			began := time.Now()
			if err := way(); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(began))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	median := func(i int) float64 { return float64(took[i][len(took[i])/2]) }
	b.ReportMetric(median(1)/median(0), "x-bare")
	b.ReportMetric(median(1)/float64(time.Microsecond), "µs/adapter")
	b.ReportMetric(median(0)/float64(time.Microsecond), "µs/bare")
	b.ReportMetric(0, "ns/op") // of both together: it says nothing

	config := testConfig(address)
	config.Transport = &cannedAnswer{inner: transport}
	bare.client.Transport = config.Transport
	adapter = openClient(b, config).Platform().Source
	for i, name := range []string{"allocs/bare", "allocs/adapter"} {
		b.ReportMetric(testing.AllocsPerRun(100, func() {
			if err := ways[i](); err != nil {
				b.Fatal(err)
			}
		}), name)
	}
}

// A cannedAnswer answers every call as the first one was answered.
type cannedAnswer struct {
	inner http.RoundTripper
	body  []byte
}

func (c *cannedAnswer) RoundTrip(r *request) (*response, error) {
	if c.body == nil {
		answer, err := c.inner.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer func() { _ = answer.Body.Close() }()
		if c.body, err = io.ReadAll(answer.Body); err != nil {
			return nil, err
		}
	}
	return &response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(c.body)), Request: r}, nil
}
