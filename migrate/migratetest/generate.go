package migratetest

import (
	"encoding/json"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// GenerateOptions say which devices a generated fleet has. The zero value has none.
type GenerateOptions struct {
	// Direct is how many devices of [DirectProduct] there are. A rule forwards their reports.
	Direct int
	// PreRegistered is how many devices of [PreRegisteredProduct] there are. Their reports go to the consumer
	// group DEFAULT_GROUP.
	PreRegistered int
	// ThingModel is how many devices of [ThingModelProduct] there are. Rules forward their reports, and their
	// answers to the asynchronous service Calibrate; the service Check is synchronous.
	ThingModel int
	// Gateways is how many devices of [GatewayProduct] there are, each with SubDevices sub-devices: by turns of
	// [SubProduct] and [OtherSubProduct]. Rules forward the reports of all of them.
	Gateways, SubDevices int
	// OfflineEvery lets the last of every so many devices of a product be offline from the start; zero
	// lets all be online. Gateways are never offline.
	OfflineEvery int
	// MNS gives DirectProduct and PreRegisteredProduct an MNS queue for device data and lifecycle messages, beside a subscription of the consumer
	// group DEFAULT_GROUP to device data.
	MNS bool
	// Empty is how many products without devices there are, each with a rule.
	Empty int
}

// The product keys of generated fleets.
const (
	DirectProduct        = "a1Direct001"
	PreRegisteredProduct = "a1PreReg001"
	ThingModelProduct    = "a1Model0001"
	GatewayProduct       = "a1Gateway01"
	SubProduct           = "a1SubOne001"
	OtherSubProduct      = "a1SubTwo001"
)

// The instance to which generated fleets move.
const generatedTarget = "iot-060a0001"

// Generate returns a fleet file: see fleets/FORMAT.md. Equal options give equal files. Device names are a word for
// the product and a number from 0, as in "direct-0000"; all secrets are made up.
func Generate(o GenerateOptions) []byte {
	g := generator{options: o, count: map[string]int{}, file: fleetFile{
		Version: 1,
		Account: fleetAccount{UID: "1098765432109876", Region: "cn-shanghai", Key: "testAccessKeyId", Secret: "testAccessKeySecret"},
		Instances: []fleetInstance{
			{Type: iot.PublicLegacy},
			{ID: generatedTarget, Type: iot.EnterpriseStandard, Quota: 1_000_000},
		},
		Products: []fleetProduct{}, Devices: []fleetDevice{},
		Groups: []fleetGroup{{ID: "DEFAULT_GROUP", Name: "default"}},
	}}
	g.direct()
	g.preRegistered()
	g.thingModel()
	g.gateways()
	for n := range o.Empty {
		g.product(fmt.Sprintf("a1Empty%04d", n), "Nothing", iot.Direct, toTable("/+/user/update"))
	}
	file, err := json.MarshalIndent(g.file, "", " ")
	if err != nil {
		panic(err) // plain data
	}
	return file
}

// A fleetFile is the form of a fleet file.
type fleetFile struct {
	Version   int             `json:"version"`
	Account   fleetAccount    `json:"account"`
	Instances []fleetInstance `json:"instances"`
	Products  []fleetProduct  `json:"products"`
	Devices   []fleetDevice   `json:"devices"`
	Groups    []fleetGroup    `json:"consumerGroups"`
}

type fleetAccount struct {
	UID    string `json:"uid"`
	Region string `json:"region"`
	Key    string `json:"accessKeyId"`
	Secret string `json:"accessKeySecret"`
}

type fleetInstance struct {
	ID    string           `json:"id"`
	Type  iot.InstanceType `json:"type"`
	Quota int              `json:"onlineQuota,omitempty"`
}

type fleetProduct struct {
	Key        string          `json:"productKey"`
	Name       string          `json:"name"`
	Instance   string          `json:"instance"`
	NodeType   iot.NodeType    `json:"nodeType"`
	Auth       iot.Auth        `json:"auth"`
	Secret     string          `json:"productSecret,omitempty"`
	DataFormat iot.DataFormat  `json:"dataFormat"`
	Network    iot.Network     `json:"network"`
	TSL        json.RawMessage `json:"tsl,omitempty"`
	Forwarding []forwarding    `json:"forwarding"`
}

type forwarding struct {
	Type    string      `json:"type"`
	Name    string      `json:"name,omitempty"`
	Topic   string      `json:"topic,omitempty"`
	Actions []string    `json:"actions,omitempty"`
	Group   string      `json:"consumerGroup,omitempty"`
	Queue   string      `json:"queue,omitempty"`
	Events  []iot.Event `json:"events,omitempty"`
}

type fleetDevice struct {
	Product string     `json:"productKey"`
	Name    string     `json:"deviceName"`
	Secret  string     `json:"deviceSecret"`
	Status  iot.Status `json:"status"`
	Gateway string     `json:"gateway,omitempty"`
}

type fleetGroup struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Instance string `json:"instance"`
}

type generator struct {
	options GenerateOptions
	file    fleetFile
	count   map[string]int // devices of each product
}

func (g *generator) direct() {
	if g.options.Direct == 0 {
		return
	}
	p := g.product(DirectProduct, "Meter", iot.Direct, toTable("/+/user/update"))
	if g.options.MNS {
		p.Forwarding = append(p.Forwarding, forwarding{Type: "amqp", Group: "DEFAULT_GROUP", Events: []iot.Event{iot.DeviceData}}, toQueue("meters"))
	}
	for range g.options.Direct {
		g.device(DirectProduct, "direct", "")
	}
}

func (g *generator) preRegistered() {
	if g.options.PreRegistered == 0 {
		return
	}
	p := g.product(PreRegisteredProduct, "Tracker", iot.Direct, forwarding{
		Type: "amqp", Group: "DEFAULT_GROUP", Events: []iot.Event{iot.DeviceData, iot.StatusChange},
	})
	p.Auth, p.Secret = iot.AuthPerProductPreregistered, "testProductSecret"
	if g.options.MNS {
		p.Forwarding = append(p.Forwarding, toQueue("trackers"))
	}
	for range g.options.PreRegistered {
		g.device(PreRegisteredProduct, "tracker", "")
	}
}

func (g *generator) thingModel() {
	if g.options.ThingModel == 0 {
		return
	}
	p := g.product(ThingModelProduct, "Battery", iot.Direct, toTable("/+/thing/event/property/post"))
	p.Forwarding = append(p.Forwarding, forwarding{
		Type: "rule", Name: "replies_to_table", Topic: "/+/thing/downlink/reply/message", Actions: []string{"OTS"},
	})
	p.DataFormat, p.TSL = iot.Alink, json.RawMessage(generatedModel)
	for range g.options.ThingModel {
		g.device(ThingModelProduct, "battery", "")
	}
}

func (g *generator) gateways() {
	if g.options.Gateways == 0 {
		return
	}
	g.product(GatewayProduct, "Gateway", iot.Gateway, toTable("/+/user/update"))
	if g.options.SubDevices > 0 {
		g.product(SubProduct, "Sensor", iot.SubDevice, toTable("/+/user/update"))
	}
	if g.options.SubDevices > 1 {
		g.product(OtherSubProduct, "Valve", iot.SubDevice, toTable("/+/user/state"))
	}
	for range g.options.Gateways {
		gateway := g.device(GatewayProduct, "gateway", "")
		for i := range g.options.SubDevices {
			if i%2 == 0 {
				g.device(SubProduct, "sensor", gateway)
			} else {
				g.device(OtherSubProduct, "valve", gateway)
			}
		}
	}
}

func toTable(topic string) forwarding {
	return forwarding{Type: "rule", Name: "reports_to_table", Topic: topic, Actions: []string{"OTS"}}
}

func toQueue(queue string) forwarding {
	return forwarding{Type: "mns", Queue: queue, Events: []iot.Event{iot.DeviceData, iot.Lifecycle}}
}

// product adds a product for the devices that follow. What it returns is valid until the next one.
func (g *generator) product(key, name string, node iot.NodeType, f forwarding) *fleetProduct {
	g.file.Products = append(g.file.Products, fleetProduct{
		Key: key, Name: name, NodeType: node, Auth: iot.AuthPerDevice, DataFormat: iot.Custom,
		Network: iot.WiFi, Forwarding: []forwarding{f},
	})
	return &g.file.Products[len(g.file.Products)-1]
}

// device adds a device and returns its ID in words.
func (g *generator) device(product, word, gateway string) string {
	n := g.count[product]
	g.count[product]++
	d := fleetDevice{
		Product: product, Name: fmt.Sprintf("%s-%04d", word, n), Secret: fmt.Sprintf("secret-%s-%04d", word, n),
		Status: iot.Online, Gateway: gateway,
	}
	every := g.options.OfflineEvery
	if every > 0 && n%every == every-1 && product != GatewayProduct {
		d.Status = iot.Offline
	}
	g.file.Devices = append(g.file.Devices, d)
	return d.Product + "/" + d.Name
}

const generatedModel = `{
 "schema": "https://iotx-tsl.oss-ap-southeast-1.aliyuncs.com/schema.json",
 "profile": {"version": "1.0", "productKey": "` + ThingModelProduct + `"},
 "properties": [
  {"identifier": "Charge", "name": "Charge", "accessMode": "rw", "required": true,
   "dataType": {"type": "int", "specs": {"min": "0", "max": "100", "step": "1"}}}
 ],
 "events": [],
 "services": [
  {"identifier": "Check", "name": "Check", "callType": "sync", "inputData": [],
   "outputData": [{"identifier": "Fine", "dataType": {"type": "bool", "specs": {"0": "no", "1": "yes"}}}]},
  {"identifier": "Calibrate", "name": "Calibrate", "callType": "async", "inputData": [],
   "outputData": [{"identifier": "Offset", "dataType": {"type": "int", "specs": {"min": "0", "max": "9", "step": "1"}}}]}
 ]
}`
