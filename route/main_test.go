package route_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	meter  = "a1Meter0001"
	lamp   = "a1Lamp00001"
	target = "iot-060a0001"
)

var begin = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func newTable(t testing.TB) *route.Table {
	t.Helper()
	table, err := route.NewTable(target)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func device(name string) iot.DeviceID { return iot.DeviceID{ProductKey: meter, DeviceName: name} }
