package carry_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Within the documented quotas, and with a network between, both steps go as fast as labels can be read: 44 devices a second.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, wanted = 1500, 1500 / 44 * time.Second
		cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{Direct: many})), migratetest.Options{
			Clock: iot.SystemClock(), Fault: func(migratetest.Op) migratetest.Fault { return migratetest.Fault{Delay: 50 * time.Millisecond} },
		})
		if err != nil {
			t.Fatal(err)
		}
		label := func(labels map[string]string) {
			s := migratetest.Setup{Labels: map[iot.DeviceID]map[string]string{}}
			for n := range many {
				s.Labels[id(n)] = labels
			}
			if err := cloud.SetupSource(s); err != nil {
				t.Fatal(err)
			}
		}
		label(map[string]string{"site": "hangzhou"})
		store, o := &carry.Memory{}, options(nil)
		began := time.Now()
		if err := carry.Keep(t.Context(), cloud.Platform().Source.View, store, o); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > wanted*12/10 {
			t.Errorf("keeping %d devices took %v, want about %v", many, took, wanted)
		}
		label(nil) // as at the target
		began = time.Now()
		got, err := carry.Carry(t.Context(), cloud.Platform().Source, store, o)
		if took := time.Since(began); err != nil || got.Labels != many || took > wanted*12/10 {
			t.Errorf("carrying came to %+v, %v, and took %v, want about %v", got, err, took, wanted)
		}
	})
}
