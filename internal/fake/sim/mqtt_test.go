package sim_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/sim"
	"github.com/iotferry/iotferry/iot"
)

// connect sends a CONNECT of a device, and returns the code of the answer.
func connect(t *testing.T, s *sim.Server, endpoint, mode string, secret iot.Secret) byte {
	t.Helper()
	c, err := dial(t.Context(), endpoint, &tls.Config{RootCAs: s.RootCAs()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	mac := hmac.New(sha1.New, []byte(secret.Reveal()))
	mac.Write([]byte("clientIdxdeviceNamemeter-0001productKey" + meter))
	var body strings.Builder
	for _, text := range []string{"x|securemode=" + mode + ",signmethod=hmacsha1|", "meter-0001&" + meter, hex.EncodeToString(mac.Sum(nil))} {
		body.WriteByte(0)
		body.WriteByte(byte(len(text)))
		body.WriteString(text)
	}
	const header = "\x00\x04MQTT\x04\xc2\x00\x3c"
	length := len(header) + body.Len()
	packet := string([]byte{0x10, byte(length&127 | 128), byte(length >> 7)}) + header + body.String()
	if _, err := io.WriteString(c, packet); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	return answer[3]
}

// A device comes in by the public domain, with TLS or without, and by the target's own only when it lives there.
func TestDomains(t *testing.T) {
	const accepted, parameter, login = 0, 2, 4
	w := newWorld(t, "s1-direct.json")
	s, e := w.server, w.server.Endpoints()
	secret, _ := w.cloud.DeviceSecret(iot.DeviceID{ProductKey: meter, DeviceName: "meter-0001"})
	expect := func(endpoint, mode string, want byte) {
		t.Helper()
		if got := connect(t, s, endpoint, mode, secret); got != want {
			t.Errorf("CONNECT to %s with securemode=%s: code %d, want %d", endpoint, mode, got, want)
		}
	}
	const plain, secure = "3", "2"
	expect(e.MQTT, plain, accepted)
	expect(e.MQTT, secure, parameter)
	expect(e.MQTTTLS, secure, accepted)
	expect(e.MQTTTarget, plain, login)
	w.post("/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	w.post("/tasks/task-1/gray", `{"deviceNames":["meter-0001"]}`)
	s = start(t, w.cloud, sim.Config{}) // rates are those of a server
	e = s.Endpoints()
	expect(e.MQTT, plain, accepted)
	expect(e.MQTTTarget, plain, accepted)
	expect(e.MQTTTargetTLS, secure, accepted)
	expect(e.MQTTTargetTLS, plain, parameter)
}

// The rates of clients count as the quotas of calls do.
func TestQuotas(t *testing.T) {
	const tries = 8 // more than 5 per minute
	for mode, want := range map[fake.QuotaMode]int{fake.DocumentedQuotas: tries - 5, fake.NoQuotas: 0} {
		s := start(t, newCloud(t, "s1-direct.json", fake.Options{}), sim.Config{Quotas: mode})
		refused := 0
		for range tries {
			switch code := connect(t, s, s.Endpoints().MQTT, "3", iot.NewSecret("wrong")); code {
			case 3: // too often
				refused++
			case 4: // wrong password
			default:
				t.Errorf("CONNACK %d", code)
			}
		}
		if refused != want {
			t.Errorf("quotas %v: %d of %d connections were refused for their rate, want %d", mode, refused, tries, want)
		}
	}
}
