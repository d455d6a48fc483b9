package aliyun_test

import (
	"testing"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// wireConfig returns the configuration for a platform on sockets, with TLS everywhere.
func wireConfig(wire *migratetest.Wire) aliyun.Config {
	return aliyun.Config{
		Region: wire.Region, Account: wire.Account, Target: wire.Target, RootCAs: wire.RootCAs, Pacer: noPace{},
		Credentials: aliyun.Static(wire.AccessKeyID, wire.AccessKeySecret),
		Endpoints: aliyun.Endpoints{
			OpenAPI: wire.OpenAPITLS, SourceAMQP: wire.AMQPTLS, TargetAMQP: wire.AMQPTLS,
			SourceMQTT: wire.MQTTTLS, TargetMQTT: wire.MQTTTargetTLS,
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
