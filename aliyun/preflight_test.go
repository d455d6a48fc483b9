package aliyun_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// The preflight says the same over sockets as in memory, also of an API that is refused at a target which has nothing yet.
func TestPreflightOverSockets(t *testing.T) {
	fleet := migratetest.GenerateOptions{Gateways: 2, SubDevices: 3, Direct: 3, ThingModel: 2, MNS: true}
	for _, api := range []string{"", "GetThingTopo", "ListRuleActions", "QueryDeviceServiceData", "QueryConsumerGroupStatus"} {
		cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(fleet)), migratetest.Options{NoQuotas: true, Fault: func(op migratetest.Op) migratetest.Fault {
			if op.Name == api && api != "" {
				return migratetest.Fault{Refuse: iot.Denied}
			}
			return migratetest.Fault{}
		}})
		if err != nil {
			t.Fatal(err)
		}
		client := openClient(t, wireConfig(listen(t, cloud)))
		var said []string
		for _, p := range []iot.Platform{cloud.Platform(), client.Platform()} {
			r, err := migrate.Preflight(t.Context(), p.Source.View, p.Target.View, p.Account, cloud.Declared())
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range r.Issues {
				if api == "" && (i.Code == migrate.CodeAccess || i.Code == migrate.CodeAccessUnknown) {
					t.Errorf("everything is allowed, and it says: %s", i.Why)
				}
			}
			text, err := json.MarshalIndent(r, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, string(text))
		}
		if diff := cmp.Diff(said[0], said[1]); diff != "" {
			t.Errorf("without %q (-memory +sockets):\n%s", api, diff)
		}
	}
}
