package migratetest

import (
	"encoding/json"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// A Setup is configuration of an instance that fleet files do not describe, or that somebody changed since. Of each list, nil
// leaves what the instance has, and any other replaces all of that kind; maps change what they name.
type Setup struct {
	Rules         []iot.RuleDetail // an empty ID gets a new one
	Parsers       []iot.Parser     // the same, for the parser's own and its destinations'
	DeviceGroups  []iot.DeviceGroup
	Jobs          []iot.Job
	OTAJobs       []iot.OTAJob
	Scenes        []iot.Scene
	Groups        []iot.ConsumerGroup // those that are not in it are deleted
	Subscriptions []iot.Subscription  // AMQP and MNS

	Members  map[string][]iot.DeviceID          // of DeviceGroups, by the group's ID
	OTATasks map[string][]iot.OTATask           // of OTAJobs, by the batch's ID
	Labels   map[iot.DeviceID]map[string]string // all labels of a device
	Shadows  map[iot.DeviceID]json.RawMessage   // wherever the device is
	Scripts  map[string]string                  // languages by product key; empty for none
	Models   map[string]json.RawMessage         // by product key, in place of the published one
}

// SetupSource puts configuration on the public instance, as its owner could have done at the console. A name or an ID that does not
// resolve is [iot.Invalid].
func (c *Cloud) SetupSource(s Setup) error { return c.cloud.Setup("", fake.Setup(s)) }

// SetupTarget puts configuration on the Enterprise instance. See [Cloud.SetupSource].
func (c *Cloud) SetupTarget(s Setup) error { return c.cloud.Setup(c.server.target, fake.Setup(s)) }
