package fleet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/internal/fake/fleet"
)

// base is a small fleet with something of everything. The tests change one thing in it.
const base = `{
"version": 1,
"account": {"uid": "1098", "region": "cn-shanghai", "accessKeyId": "testId", "accessKeySecret": "hush"},
"instances": [
  {"id": "", "type": "public-legacy"},
  {"id": "iot-1", "type": "enterprise-standard", "onlineQuota": 20}
],
"products": [
  {"productKey": "a1Gateway01", "name": "Gateway", "instance": "", "nodeType": "gateway", "auth": "x509",
   "dataFormat": "custom", "network": "ethernet"},
  {"productKey": "a1Gateway02", "name": "Gateway", "instance": "iot-1", "nodeType": "gateway", "auth": "id2",
   "dataFormat": "custom", "network": "ethernet"},
  {"productKey": "a1Climate01", "name": "Climate", "instance": "", "nodeType": "subdevice", "auth": "x509",
   "dataFormat": "custom", "network": "other"},
  {"productKey": "a1Meter0001", "name": "Meter", "instance": "", "nodeType": "direct",
   "auth": "per-product-preregistered", "productSecret": "hush", "dataFormat": "alink", "network": "wifi",
   "features": ["video", "edge"],
   "tsl": {"schema": "x", "profile": {"productKey": "a1Meter0001"}, "properties": [{"a": 1.5}], "events": [], "services": [null]},
   "forwarding": [
     {"type": "rule", "name": "to_table", "topic": "/+/user/update", "actions": ["OTS", "FC"]},
     {"consumerGroup": "GROUP", "events": ["device-data", "status", "lifecycle", "topology"], "type": "amqp"},
     {"type": "mns", "queue": "meters", "events": ["device-data"]}
   ],
   "history": {"seed": 18446744073709551615, "days": 30, "everyMinutes": 1440}}
],
"devices": [
  {"productKey": "a1Climate01", "deviceName": "climate-1", "status": "disabled", "gateway": "a1Gateway01/gate-1"},
  {"productKey": "a1Gateway01", "deviceName": "gate-1", "status": "online"},
  {"productKey": "a1Gateway02", "deviceName": "gate-2", "status": "offline"},
  {"productKey": "a1Meter0001", "deviceName": "meter-1", "deviceSecret": "hush", "status": "unactive",
   "reconnects": false, "distributed": true, "labels": {"site": "hangzhou", "": "no name", "two words": "x"}}
],
"consumerGroups": [
  {"id": "GROUP", "name": "group", "instance": ""},
  {"id": "GROUP", "name": "group", "instance": "iot-1"},
  {"id": "OTHER", "name": "group", "instance": "iot-1"}
]
}
`

// change returns base with the one place where old stands replaced.
func change(t *testing.T, old, new string) string {
	t.Helper()
	if n := strings.Count(base, old); n != 1 {
		t.Fatalf("%q stands %d times in the base fleet, want once", old, n)
	}
	return strings.Replace(base, old, new, 1)
}

func read(text string) (*fleet.Fleet, error) { return fleet.Read(strings.NewReader(text)) }

// many returns n rows, joined by commas; row gets the numbers from 0.
func many(n int, row string) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf(row, i)
	}
	return strings.Join(rows, ",\n")
}
