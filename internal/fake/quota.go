package fake

import "time"

// perSecond is the documented quota of each API, per account and second. An API that is not
// listed has none that is known.
func perSecond(api string) int {
	switch api {
	case "Pub":
		return 1600
	case "RRpc":
		return 1000
	case "GetDeviceStatus", "GetThingTopo", "InvokeThingService", "SetDeviceProperty", "GetDeviceShadow",
		"CreateDeviceGroup", "BatchAddDeviceGroupRelations":
		return 500
	case "QueryDeviceGroupList":
		return 100
	case "QueryProductList", "QueryProduct", "QueryDevice", "QueryDeviceByStatus", "BatchGetDeviceState",
		"QueryDeviceDetail", "QueryDeviceStatistics", "GetGatewayBySubDevice", "ListRuleActions", "QueryDeviceProp",
		"QueryDevicePropertyData", "QueryDeviceEventData", "QueryDeviceServiceData", "GetRule", "SaveDeviceProp",
		"QueryDeviceGroupByDevice":
		return 50
	case "RegisterDevice":
		return 30
	case "ListRule":
		return 20
	case "QueryThingModelPublished", "ListThingModelVersion", "QueryDevicePropertiesData", "ListDataSourceItem",
		"GetThingScript", "ListOTAFirmware", "ListOTAJobByFirmware", "ListOTATaskByJob":
		return 10
	case "BatchGrayMigrationDevice", "BatchQueryDeviceDetail", "ListDistributedDevice", "CreateConsumerGroup",
		"QueryConsumerGroupList", "QueryConsumerGroupStatus", "CreateSubscribeRelation",
		"UpdateSubscribeRelation", "QuerySubscribeRelation", "QueryDeviceListByDeviceGroup":
		return 5
	}
	return 0
}

// Pages from the hundred thousandth row on have a quota of their own.
const (
	deepRows      = 100_000
	deepPerSecond = 2
)

// A meter counts the calls of one API and keeps its quota.
type meter struct {
	CallCount
	all, deep window
}

func (c *Cloud) meter(op Op) *meter {
	key := string(op.Kind) + op.Name
	m := c.meters[key]
	if m == nil {
		m = &meter{CallCount: CallCount{Kind: op.Kind, Name: op.Name}, deep: newWindow(deepPerSecond, time.Second)}
		limit := 0
		if op.Kind == APIOp {
			limit = perSecond(op.Name)
		}
		if op.Name == "RRpc" && c.quirks.RRpcPerAddress > 0 {
			limit = min(limit, c.quirks.RRpcPerAddress)
		}
		m.all = newWindow(limit, time.Second)
		c.meters[key] = m
	}
	return m
}

// take counts a call and reports whether it is within the quota. A refused call is counted as
// throttled, and does not use up any quota.
func (m *meter) take(now stamp, deep, free bool) bool {
	m.Calls++
	if free {
		return true
	}
	if !m.all.fits(now) || deep && !m.deep.fits(now) {
		m.Throttled++
		return false
	}
	m.all.use(now)
	if deep {
		m.deep.use(now)
	}
	return true
}

// A window limits how many calls any period holds. It remembers the times of that many calls.
type window struct {
	times  []stamp // empty: no limit
	next   int     // the oldest
	period int64
}

func newWindow(limit int, period time.Duration) window {
	w := window{times: make([]stamp, limit), period: int64(period)}
	for i := range w.times {
		w.times[i] = -forever
	}
	return w
}

func (w *window) fits(now stamp) bool {
	return len(w.times) == 0 || w.times[w.next] <= now-w.period
}

func (w *window) use(now stamp) {
	if len(w.times) > 0 {
		w.times[w.next] = now
		w.next = (w.next + 1) % len(w.times)
	}
}
