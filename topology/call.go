package topology

import "github.com/iotferry/iotferry/iot"

// A Call is one BatchGrayMigrationDevice request: 1 to [iot.MaxMove] devices of one product.
type Call struct {
	ProductKey string   `json:"productKey"`
	Names      []string `json:"names"`
}

// Calls packs families into calls, in the order in which to make them. Every device is in exactly one call,
// and all sub-devices of a family are in calls before that of their gateway.
//
// Two aims compete: few calls, and a short split, which is the time between a family's first and last call.
// Calls are filled across families. But a call that waits to be filled holds up the families in it, so it
// is made as it is when one of them has waited for 18 calls beyond those that the family's own devices
// need: 3.6 s at the platform's 5 calls per second. Where nothing waits that long, as in any 20 calls, there are as
// few calls as the devices of each product allow; direct devices never wait.
//
// Families of the same products are packed next to each other, otherwise in the order given. A family
// without devices has no calls.
func Calls(families []Family) []Call {
	p := newPacker(families)
	for _, i := range packingOrder(families) {
		p.add(i)
	}
	p.finish()
	return p.calls
}

// Splits returns, for each family, how many calls lie between its first and its last one: 0 means that one call moves it.
// Divided by the pace, in calls per second, it is the predicted time of the split in seconds.
// Devices that are in none of the calls do not count.
func Splits(families []Family, calls []Call) []int {
	total := 0
	for _, c := range calls {
		total += len(c.Names)
	}
	at := make(map[iot.DeviceID]int, total)
	for i, c := range calls {
		for _, name := range c.Names {
			at[iot.DeviceID{ProductKey: c.ProductKey, DeviceName: name}] = i
		}
	}
	splits := make([]int, len(families))
	for i, f := range families {
		splits[i] = split(f, at)
	}
	return splits
}

func split(f Family, at map[iot.DeviceID]int) int {
	first, last := -1, -1
	for _, id := range f.Devices {
		call, ok := at[id]
		if !ok {
			continue
		}
		if first < 0 {
			first = call
		}
		first, last = min(first, call), max(last, call)
	}
	return last - first
}
