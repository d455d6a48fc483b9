package migratetest_test

import (
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

func TestVerifiers(t *testing.T) {
	tslFleet := migratetest.Generate(migratetest.GenerateOptions{ThingModel: 6, OfflineEvery: 4})
	aboutProducts := []string{"lied to"} // it is about products: what of them came along is there
	for _, c := range []struct {
		name string
		test migratetest.VerifierTest
		make func(*migratetest.Cloud) migrate.Verifier
	}{
		{"online", migratetest.VerifierTest{}, func(*migratetest.Cloud) migrate.Verifier { return verify.Online(verify.OnlineConfig{}) }},
		{"absent", migratetest.VerifierTest{}, func(*migratetest.Cloud) migrate.Verifier { return verify.Absent() }},
		{"pub", migratetest.VerifierTest{}, func(*migratetest.Cloud) migrate.Verifier { return verify.Pub(verify.PubConfig{}) }},
		{"topology", migratetest.VerifierTest{Fleet: migratetest.Generate(migratetest.GenerateOptions{Gateways: 2, SubDevices: 3})},
			func(*migratetest.Cloud) migrate.Verifier { return verify.Topology() }},
		{"reporting", migratetest.VerifierTest{}, func(c *migratetest.Cloud) migrate.Verifier {
			return verify.Reporting(verify.ReportingConfig{Sink: c.Sink()})
		}},
		{"forwarding", migratetest.VerifierTest{Skip: aboutProducts}, func(*migratetest.Cloud) migrate.Verifier { return verify.Forwarding() }},
		{"service", migratetest.VerifierTest{Fleet: tslFleet}, func(c *migratetest.Cloud) migrate.Verifier {
			return verify.Service(verify.ServiceConfig{Choose: verify.ServicesWithoutInput, Replies: c.Sink()})
		}},
	} {
		t.Run(c.name, func(t *testing.T) { migratetest.TestVerifier(t, c.test, c.make) })
	}
}
