package migratetest

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Devices yields every device of the fleet file, in its order.
func (c *Cloud) Devices() iter.Seq[iot.DeviceID] {
	return func(yield func(iot.DeviceID) bool) {
		for _, d := range c.fleet.Devices {
			if !yield(d.ID) {
				return
			}
		}
	}
}

// A Truth is what is really so about a device, whatever the registries show: no client of the platform could know it.
type Truth struct {
	Device   iot.DeviceID
	Owner    string       // ID of the instance where it lives; empty for the public one
	Online   bool         // it has a connection with a device behind it
	Served   time.Time    // when the newest such connection began where it lives, over or not; zero if it had none since it came
	Gateway  iot.DeviceID // zero for a device that has none
	Moved    int          // how often it was moved away from the instance where it was created
	Returned int          // how often it was moved back
}

// Truths returns what is so about every device of the fleet file, in its order.
func (c *Cloud) Truths() []Truth {
	known := make(map[iot.DeviceID]fake.Truth, len(c.fleet.Devices))
	for _, p := range c.fleet.Products {
		list, _ := c.cloud.Truths(p.Key)
		for _, t := range list {
			known[t.ID] = t
		}
	}
	all := make([]Truth, 0, len(c.fleet.Devices))
	for _, d := range c.fleet.Devices {
		t := known[d.ID]
		all = append(all, Truth{
			Device: d.ID, Owner: t.Instance, Online: t.Alive, Served: t.Served, Gateway: t.Gateway, Moved: t.Moved, Returned: t.Returned,
		})
	}
	return all
}

// Owner returns the ID of the instance where a device lives, whatever the registries show: empty for the public one.
// It returns false if there is no such device.
func (c *Cloud) Owner(id iot.DeviceID) (instanceID string, ok bool) { return c.cloud.Owner(id) }

// Online reports whether a device has a connection with a device behind it.
func (c *Cloud) Online(id iot.DeviceID) bool {
	t, _ := c.cloud.Truth(id)
	return t.Alive
}

// MovedTimes tells how often a device was moved away from the instance where it was created.
func (c *Cloud) MovedTimes(id iot.DeviceID) int { return c.cloud.MovedTimes(id) }

// ReturnedTimes tells how often a device was moved back to the instance where it was created.
func (c *Cloud) ReturnedTimes(id iot.DeviceID) int {
	t, _ := c.cloud.Truth(id)
	return t.Returned
}

// GatewayOf returns the gateway of a sub-device; the zero ID for a device that has none.
func (c *Cloud) GatewayOf(id iot.DeviceID) iot.DeviceID {
	t, _ := c.cloud.Truth(id)
	return t.Gateway
}

// A CallCount counts the calls of one API, or of one act in the console.
type CallCount struct {
	Name      string // such as BatchGrayMigrationDevice or Rollback
	Console   bool   // an act in the console, no API
	Writes    bool   // changes something on the platform, or reaches a device
	Calls     int    // all of them
	Throttled int    // refused for the quota
	Failed    int    // answered with another error
}

// Calls counts what was called so far, by name. APIs that were never called are left out.
func (c *Cloud) Calls() []CallCount {
	var list []CallCount
	for _, m := range c.cloud.Calls() {
		list = append(list, CallCount{
			Name: m.Name, Console: m.Kind == fake.ConsoleOp, Writes: writes(string(m.Kind), m.Name),
			Calls: m.Calls, Throttled: m.Throttled, Failed: m.Failed,
		})
	}
	return list
}

// Writes reports whether the operation changes something on the platform or reaches a device. What devices do
// by themselves is no write.
func (o Op) Writes() bool { return writes(o.Kind, o.Name) }

func writes(kind, name string) bool {
	switch kind {
	case string(fake.ConsoleOp):
		return true
	case string(fake.APIOp):
		return !reads(name)
	}
	return false
}

// reads reports whether an API changes nothing: a new one counts as a write until it stands here.
func reads(api string) bool {
	switch api {
	case "QueryProductList", "QueryProduct", "QueryThingModelPublished",
		"QueryDevice", "QueryDeviceByStatus", "QueryDeviceDetail", "QueryDeviceStatistics", "QueryDeviceProp",
		"BatchGetDeviceState", "BatchQueryDeviceDetail", "GetDeviceStatus", "ListDistributedDevice",
		"GetThingTopo", "GetGatewayBySubDevice", "ListRule", "ListRuleActions",
		"QuerySubscribeRelation", "QueryConsumerGroupList", "QueryConsumerGroupStatus",
		"GetRule", "ListParser", "GetParser", "ListDataSourceItem", "ListParserDestination", "GetThingScript", "GetDeviceShadow",
		"QueryDeviceGroupList", "QueryDeviceGroupByDevice", "QueryDeviceListByDeviceGroup", "ListJob", "QuerySceneRule",
		"ListOTAFirmware", "ListOTAJobByFirmware", "ListOTATaskByJob":
		return true
	}
	return false
}

// Credential returns the credential of a device, as its owner can look it up in the console: that of a device that was
// registered at run time included. Its error is [iot.NotFound].
func (c *Cloud) Credential(ctx context.Context, id iot.DeviceID) (iot.Credential, error) {
	owner, ok := c.Owner(id)
	if !ok {
		return iot.Credential{}, &iot.Error{Kind: iot.NotFound, Op: "Credential", Message: "there is no device " + id.String()}
	}
	d, err := c.cloud.QueryDeviceDetail(ctx, fake.DeviceRequest{
		IotInstanceId: owner, ProductKey: id.ProductKey, DeviceName: id.DeviceName,
	})
	if err != nil {
		return iot.Credential{}, fmt.Errorf("credential of device %s: %w", id, err)
	}
	return iot.Credential{ID: id, Secret: iot.NewSecret(d.DeviceSecret)}, nil
}

// Crossing returns when a device last reported at the source and first at the target, by the platform's clock, on the topic that it
// reports on most often; zero if it did not. So a report on continuity can be compared with what is true.
func (c *Cloud) Crossing(id iot.DeviceID) (lastAtSource, firstAtTarget time.Time) {
	return c.cloud.Crossing(id, c.platform.Source.Info.ID, c.platform.Target.Info.ID)
}
