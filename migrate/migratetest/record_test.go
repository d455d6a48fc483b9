package migratetest

import (
	"strings"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// TestRecord proves that a record notices what a sound engine never does.
func TestRecord(t *testing.T) {
	sub := iot.DeviceID{ProductKey: SubProduct, DeviceName: "sensor-0000"}
	gateway := iot.DeviceID{ProductKey: GatewayProduct, DeviceName: "gateway-0000"}
	plan := &migrate.Plan{Lanes: []migrate.LanePlan{{Families: []topology.Family{{Gateway: gateway, Devices: []iot.DeviceID{sub, gateway}}}}}}
	intent := func(id iot.DeviceID) migrate.Entry {
		return migrate.Entry{Kind: migrate.EntryIntent, Names: migrate.DeviceSet{id}}
	}
	send := func(id iot.DeviceID, at int) Op {
		return Op{
			Kind: "api", Name: "BatchGrayMigrationDevice", ProductKey: id.ProductKey, Devices: []string{id.DeviceName},
			At: worldStart().AddDate(0, 0, at),
		}
	}
	outcome, runner, look := migrate.Entry{Kind: migrate.EntryOutcome}, migrate.Entry{Kind: migrate.EntryRunner}, migrate.Entry{Kind: migrate.EntryLook}
	failed := migrate.Entry{Kind: migrate.EntryOutcome, Error: "throttled"}
	second := func(id iot.DeviceID) migrate.Entry {
		return migrate.Entry{Kind: migrate.EntryIntent, Call: 2, Names: migrate.DeviceSet{id}}
	}
	outcomeOf2 := migrate.Entry{Kind: migrate.EntryOutcome, Call: 2}
	lost := migrate.Entry{Kind: migrate.EntryOutcome, Unknown: migrate.DeviceSet{sub}}
	for name, c := range map[string]struct {
		steps []any
		want  string
	}{
		"sound":              {[]any{intent(sub), send(sub, 0), outcome, intent(gateway), send(gateway, 0), outcome}, ""},
		"without an intent":  {[]any{send(sub, 0)}, "without an intent"},
		"after its outcome":  {[]any{intent(sub), send(sub, 0), outcome, send(sub, 0)}, "without an intent"},
		"gateway first":      {[]any{intent(gateway), send(gateway, 0), outcome, intent(sub), send(sub, 0)}, "after its gateway"},
		"twice by an intent": {[]any{intent(sub), send(sub, 0), send(sub, 0)}, "without an intent"},
		"salvo":              {[]any{intent(sub), second(gateway), send(sub, 0), send(gateway, 0), outcome, outcomeOf2}, ""},
		"salvo in part":      {[]any{intent(sub), second(gateway), send(sub, 0), outcome, send(gateway, 0), outcomeOf2}, ""},
		"salvo broken off":   {[]any{intent(sub), second(gateway), send(sub, 0), failed, send(gateway, 0)}, "without an intent"},
		"salvo killed":       {[]any{intent(sub), second(gateway), send(sub, 0), runner, second(gateway)}, "nobody had looked"},
		"lost, sent again":   {[]any{intent(sub), send(sub, 0), lost, intent(sub)}, "nobody had looked"},
		"killed, sent again": {[]any{intent(sub), send(sub, 0), runner, intent(sub)}, "nobody had looked"},
		"looked":             {[]any{intent(sub), send(sub, 0), lost, look, intent(sub), outcome, intent(gateway)}, ""},
		"split for a day":    {[]any{intent(sub), send(sub, 0), outcome, intent(gateway), send(gateway, 1), outcome}, "was split"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &record{}
			for _, s := range c.steps {
				switch s := s.(type) {
				case Op:
					r.op(s)
				case migrate.Entry:
					r.entries([]migrate.Entry{s})
				}
			}
			err := r.check(plan)
			if err == nil {
				err = r.checkSplit(plan)
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
