package aliyun_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// wireConfig returns the configuration for a platform on sockets, with TLS everywhere.
func wireConfig(wire *migratetest.Wire) aliyun.Config {
	return aliyun.Config{
		Region: wire.Region, Account: wire.Account, Target: wire.Target, RootCAs: wire.RootCAs, Pacer: noPace{},
		Credentials: aliyun.Static(wire.AccessKeyID, wire.AccessKeySecret),
		Endpoints: aliyun.Endpoints{
			OpenAPI: wire.OpenAPITLS, SourceAMQP: wire.AMQPTLS, TargetAMQP: wire.AMQPTLS,
			SourceMQTT: wire.MQTTTLS,
		},
	}
}

// listen puts a platform on sockets for as long as the test runs.
func listen(t testing.TB, cloud *migratetest.Cloud) *migratetest.Wire {
	t.Helper()
	wire, err := cloud.Listen(t.Context(), migratetest.WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := wire.Close(); err != nil {
			t.Errorf("close the wire: %v", err)
		}
	})
	return wire
}

// TestPlatform proves that the adapter keeps the contracts of package iot, through TLS sockets.
func TestPlatform(t *testing.T) {
	migratetest.TestPlatform(t, func(t *testing.T, cloud *migratetest.Cloud) migratetest.Connection {
		client := openClient(t, wireConfig(listen(t, cloud)))
		return migratetest.Connection{
			Platform: client.Platform(), Source: client.SourceReceiver(), Target: client.TargetReceiver(),
		}
	})
}

// A server that cannot prove to be the endpoint gets nothing.
func TestUnknownCertificate(t *testing.T) {
	wire := listen(t, openCloud(t, migratetest.GenerateOptions{Direct: 1}, nil))
	config := wireConfig(wire)
	config.RootCAs = nil
	_, err := openClient(t, config).Platform().Source.Product(t.Context(), migratetest.DirectProduct)
	expectKind(t, "the system's CAs", err, iot.Denied)
}

// Whatever goes well or wrong, and however much is logged: no secret is shown.
func TestNoSecretIsShown(t *testing.T) {
	cloud := openCloud(t, migratetest.GenerateOptions{Direct: 5, ThingModel: 1, Gateways: 1, SubDevices: 2}, nil)
	wire := listen(t, cloud)
	var out bytes.Buffer
	show := func(config aliyun.Config) {
		config.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		client := openClient(t, config)
		p := client.Platform()
		for name, said := range everything(t.Context(), p.Source) {
			fmt.Fprintf(&out, "%s: %+v %#v\n", name, said, said)
		}
		_, err := p.Mover.Move(t.Context(), migratetest.DirectProduct, []string{"direct-0000"})
		fmt.Fprintf(&out, "%v %+v %#v %v %+v\n", err, err, err, client, p)
	}
	good, bad, broken := wireConfig(wire), wireConfig(wire), wireConfig(wire)
	bad.Credentials = aliyun.STS(wire.AccessKeyID, iot.NewSecret(testSecret), iot.NewSecret("Token-"+testSecret))
	broken.RootCAs, broken.Transport = nil, roundTrip(func(r *request) (*response, error) {
		return nil, fmt.Errorf("cannot send %s", r.URL)
	})
	show(good)
	show(bad)
	show(broken)
	credential, err := cloud.Credential(t.Context(), iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "fresh-0001"})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{wire.AccessKeySecret.Reveal(), testSecret, credential.Secret.Reveal(), "Signature="} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if !strings.Contains(out.String(), "RegisterDevice") || !strings.Contains(out.String(), "denied") {
		t.Errorf("what happened is not shown:\n%s", out.String())
	}
}
