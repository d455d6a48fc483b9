package fleet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

const empty = "an empty text: only the ID of the legacy instance is one"

// Each row breaks one rule of the format in one place.
var refused = []struct {
	name     string
	old, new string
	want     string
}{
	// Text: fields.
	{"name in another case", `"region"`, `"Region"`,
		"account.Region: unknown field: known here are uid, region, accessKeyId, accessKeySecret"},
	{"unknown at the top", `"version": 1,`, `"version": 1, "versions": 1,`,
		"versions: unknown field: known here are version, account, instances, products, devices, consumerGroups"},
	{"unknown and hostile", `"version": 1,`, `"version": 1, "a.b\u001b[31m": 1,`,
		`["a.b\x1b[31m"]: unknown field: known here are version, account, instances, products, devices, consumerGroups`},
	{"unknown in an instance", `"onlineQuota": 20}`, `"onlineQuota": 20, "quota": 1}`,
		"instances[1].quota: unknown field: known here are id, type, onlineQuota"},
	{"unknown in a history", `"days": 30`, `"days": 30, "rows": 1`,
		"products[3].history.rows: unknown field: known here are seed, days, everyMinutes"},
	{"twice at the top", `"version": 1,`, `"version": 1, "version": 1,`, "version: the field stands twice: remove one of them"},
	{"twice by escape", `"uid": "1098"`, `"uid": "1098", "ui\u0064": "1098"`, "account.uid: the field stands twice: remove one of them"},
	{"twice in labels", `"site": "hangzhou"`, `"site": "hangzhou", "site": "x"`,
		"devices[3].labels.site: the field stands twice: remove one of them"},
	{"twice in labels, name with a space", `"site": "hangzhou"`, `"two words": "y"`,
		`devices[3].labels["two words"]: the field stands twice: remove one of them`},
	{"twice in a tsl", `"schema": "x"`, `"schema": "x", "schema": "x"`, "products[3].tsl.schema: the field stands twice: remove one of them"},
	{"twice in a profile", `{"productKey": "a1Meter0001"}`, `{"productKey": "a1Meter0001", "productKey": "a1Meter0001"}`,
		"products[3].tsl.profile.productKey: the field stands twice: remove one of them"},
	{"twice deep in a tsl", `{"a": 1.5}`, `{"a": {"b": [0, {"c": 1, "c": 2}]}}`,
		"products[3].tsl.properties[0].a.b[1].c: the field stands twice: remove one of them"},
	{"rule with a queue", `"name": "to_table"`, `"name": "to_table", "queue": "q"`,
		"products[3].forwarding[0].queue: unknown field: forwarding of type rule has none"},
	{"rule with events", `"name": "to_table"`, `"name": "to_table", "events": ["status"]`,
		"products[3].forwarding[0].events: unknown field: forwarding of type rule has none"},
	{"amqp with a name", `"consumerGroup": "GROUP"`, `"consumerGroup": "GROUP", "name": "x"`,
		"products[3].forwarding[1].name: unknown field: forwarding of type amqp has none"},
	{"mns with a consumer group", `"queue": "meters"`, `"queue": "meters", "consumerGroup": "GROUP"`,
		"products[3].forwarding[2].consumerGroup: unknown field: forwarding of type mns has none"},
	{"mns with a topic", `"queue": "meters"`, `"queue": "meters", "topic": "/x"`,
		"products[3].forwarding[2].topic: unknown field: forwarding of type mns has none"},

	// Text: types.
	{"null for a list", `"features": ["video", "edge"]`, `"features": null`, "products[3].features: null where an array is wanted"},
	{"null for an object", `"labels": {"site": "hangzhou", "": "no name", "two words": "x"}`, `"labels": null`,
		"devices[3].labels: null where an object is wanted"},
	{"null for a text", `"uid": "1098"`, `"uid": null`, "account.uid: null where text is wanted"},
	{"null for a flag", `"distributed": true`, `"distributed": null`, "devices[3].distributed: null where true or false is wanted"},
	{"null for a number", `"onlineQuota": 20`, `"onlineQuota": null`, "instances[1].onlineQuota: null where a whole number is wanted"},
	{"null in a list", `["OTS", "FC"]`, `["OTS", null]`, "products[3].forwarding[0].actions[1]: null where text is wanted"},
	{"half a number", `"days": 30`, `"days": 1.5`, "products[3].history.days: 1.5 is not a whole number of 1 to 30"},
	{"number with a point", `"days": 30`, `"days": 1.0`, "products[3].history.days: 1.0 is not a whole number of 1 to 30"},
	{"number with an exponent", `"days": 30`, `"days": 1e1`, "products[3].history.days: 1e1 is not a whole number of 1 to 30"},
	{"number too large", `"onlineQuota": 20`, `"onlineQuota": 99999999999999999999`,
		"instances[1].onlineQuota: 99999999999999999999 is not a whole number of 1 or more"},
	{"version as a text", `"version": 1`, `"version": "1"`, "version: text where a whole number is wanted"},
	{"version with a point", `"version": 1`, `"version": 1.0`, "version: version 1.0 is not known: this reader knows version 1"},
	{"number for a text", `"uid": "1098"`, `"uid": 1098`, "account.uid: a number where text is wanted"},
	{"flag for an object", `"history": {"seed": 18446744073709551615, "days": 30, "everyMinutes": 1440}`, `"history": true`,
		"products[3].history: true or false where an object is wanted"},
	{"array for an object", `{"id": "OTHER", "name": "group", "instance": "iot-1"}`, `[]`,
		"consumerGroups[2]: an array where an object is wanted"},
	{"object for an array", `["video", "edge"]`, `{}`, "products[3].features: an object where an array is wanted"},

	// Text: what must be there.
	{"no version", `"version": 1,`, ``, "version: missing: add the field"},
	{"no account key", `"accessKeyId": "testId", `, ``, "account.accessKeyId: missing: add the field"},
	{"no type of forwarding", `"type": "mns", `, ``, "products[3].forwarding[2].type: missing: add the field"},
	{"no name of a rule", `"name": "to_table", `, ``, "products[3].forwarding[0].name: missing: add the field"},
	{"no topic of a rule", `"topic": "/+/user/update", `, ``, "products[3].forwarding[0].topic: missing: add the field"},
	{"no actions of a rule", `, "actions": ["OTS", "FC"]`, ``, "products[3].forwarding[0].actions: missing: add the field"},
	{"no consumer group of amqp", `"consumerGroup": "GROUP", `, ``, "products[3].forwarding[1].consumerGroup: missing: add the field"},
	{"no events of mns", `, "events": ["device-data"]`, ``, "products[3].forwarding[2].events: missing: add the field"},
	{"no seed of a history", `"seed": 18446744073709551615, `, ``, "products[3].history.seed: missing: add the field"},
	{"no status", `"status": "unactive",`, ``, "devices[3].status: missing: add the field"},
	{"no instance of a group", `"name": "group", "instance": ""`, `"name": "group"`, "consumerGroups[0].instance: missing: add the field"},
	{"empty region", `"cn-shanghai"`, `""`, "account.region: " + empty},
	{"empty secret", `"accessKeySecret": "hush"`, `"accessKeySecret": ""`, "account.accessKeySecret: " + empty},
	{"empty device secret", `"deviceSecret": "hush"`, `"deviceSecret": ""`, "devices[3].deviceSecret: " + empty},
	{"empty gateway", `"a1Gateway01/gate-1"`, `""`, "devices[0].gateway: " + empty},
	{"empty label", `"hangzhou"`, `""`, "devices[3].labels.site: " + empty},
	{"empty action", `["OTS", "FC"]`, `[""]`, "products[3].forwarding[0].actions[0]: " + empty},
	{"empty queue", `"meters"`, `""`, "products[3].forwarding[2].queue: " + empty},
	{"empty instance ID", `{"id": "iot-1"`, `{"id": ""`, "instances[1].id: " + empty},

	// Values.
	{"uid with a letter", `"1098"`, `"109a"`, `account.uid: "109a" is not made of the digits 0-9 only`},
	{"word in another case", `"nodeType": "direct"`, `"nodeType": "Direct"`,
		`products[3].nodeType: unknown word "Direct": known here are direct, gateway, subdevice`},
	{"unknown instance type", `"enterprise-standard"`, `"enterprise"`,
		`instances[1].type: unknown word "enterprise": known here are public-legacy, enterprise-standard`},
	{"auth that only the registry has", `"per-product-preregistered"`, `"secret"`,
		`products[3].auth: unknown word "secret": known here are per-device, per-product-preregistered, per-product-free, id2, x509`},
	{"unknown data format", `"alink"`, `"tsl"`, `products[3].dataFormat: unknown word "tsl": known here are custom, alink`},
	{"unknown network", `"wifi"`, `"lora"`,
		`products[3].network: unknown word "lora": known here are wifi, cellular, ethernet, lorawan, nbiot, other`},
	{"unknown status", `"unactive"`, `"inactive"`,
		`devices[3].status: unknown word "inactive": known here are online, offline, unactive, disabled`},
	{"unknown forwarding", `"type": "mns"`, `"type": "kafka"`,
		`products[3].forwarding[2].type: unknown word "kafka": known here are rule, amqp, mns`},
	{"unknown event", `"lifecycle"`, `"thing"`,
		`products[3].forwarding[1].events[2]: unknown word "thing": known here are device-data, status, lifecycle, topology`},
	{"feature twice", `["video", "edge"]`, `["video", "edge", "video"]`, "products[3].features[2]: video stands twice: remove one of them"},
	{"legacy with an ID", `{"id": "", "type"`, `{"id": "iot-0", "type"`, `instances[0].id: "iot-0": the ID of the public-legacy instance is ""`},
	{"legacy with a quota", `"public-legacy"`, `"public-legacy", "onlineQuota": 1`,
		"instances[0].onlineQuota: the public-legacy instance has no quota: remove the field"},
	{"second legacy", `{"id": "iot-1", "type": "enterprise-standard", "onlineQuota": 20}`, `{"id": "", "type": "public-legacy"}`,
		`instances[1].id: "" is there already: give each instance an ID of its own`},
	{"no quota", `, "onlineQuota": 20`, ``, "instances[1].onlineQuota: missing: add the field"},
	{"quota of nothing", `"onlineQuota": 20`, `"onlineQuota": 0`, "instances[1].onlineQuota: 0 is not a whole number of 1 or more"},
	{"product key of ten", `"productKey": "a1Gateway02", "name"`, `"productKey": "a1Gateway2", "name"`,
		`products[1].productKey: product key "a1Gateway2" is not 11 characters of A-Z, a-z, 0-9`},
	{"device name of three", `"meter-1"`, `"met"`, `devices[3].deviceName: device name "met" has 3 characters, 4 to 32 are allowed`},
	{"device name with a slash", `"meter-1"`, `"meter/1"`,
		`devices[3].deviceName: device name "meter/1": only A-Z, a-z, 0-9 and -_@.: are allowed`},
	{"no device secret", `"deviceSecret": "hush", `, ``,
		"devices[3].deviceSecret: missing: add the field, as the product's auth is per-product-preregistered"},
	{"no product secret", `"productSecret": "hush", `, ``,
		"products[3].productSecret: missing: add the field, as the product's auth is per-product-preregistered"},
	{"no product secret, free", `"auth": "per-product-preregistered", "productSecret": "hush"`, `"auth": "per-product-free"`,
		"products[3].productSecret: missing: add the field, as the product's auth is per-product-free"},
	{"no actions in a rule", `["OTS", "FC"]`, `[]`,
		"products[3].forwarding[0].actions: an empty array where at least one element is wanted"},
	{"no events in mns", `"queue": "meters", "events": ["device-data"]`, `"queue": "meters", "events": []`,
		"products[3].forwarding[2].events: an empty array where at least one element is wanted"},
	{"topic without a slash", `"/+/user/update"`, `"+/user/update"`, `products[3].forwarding[0].topic: "+/user/update" does not start with /`},
	{"tsl as an array", `"tsl": {"schema": "x", "profile": {"productKey": "a1Meter0001"}, "properties": [{"a": 1.5}], "events": [], "services": [null]}`,
		`"tsl": []`, "products[3].tsl: an array where an object or null is wanted"},
	{"tsl in the other form", `{"schema": "x", "profile": {"productKey": "a1Meter0001"}, "properties": [{"a": 1.5}], "events": [], "services": [null]}`,
		`{"productKey": "a1Meter0001", "functionBlockId": "default", "properties": []}`,
		"products[3].tsl.profile.productKey: missing: add the field"},
	{"profile without a key", `"profile": {"productKey": "a1Meter0001"}`, `"profile": {}`,
		"products[3].tsl.profile.productKey: missing: add the field"},
	{"profile of another product", `"profile": {"productKey": "a1Meter0001"}`, `"profile": {"productKey": "a1Meter0002"}`,
		`products[3].tsl.profile.productKey: "a1Meter0002" is not the key of its product: it must be a1Meter0001`},
	{"profile as a text", `"profile": {"productKey": "a1Meter0001"}`, `"profile": "a1Meter0001"`,
		"products[3].tsl.profile: text where an object is wanted"},
	{"properties as an object", `[{"a": 1.5}]`, `{}`, "products[3].tsl.properties: an object where an array is wanted"},
	{"events as null", `"events": [],`, `"events": null,`, "products[3].tsl.events: null where an array is wanted"},
	{"services as a number", `[null]`, `1`, "products[3].tsl.services: a number where an array is wanted"},
	{"schema as a number", `"schema": "x"`, `"schema": 1`, "products[3].tsl.schema: a number where text is wanted"},
	{"seed below zero", `18446744073709551615`, `-1`, "products[3].history.seed: -1 is not a whole number of 0 to 2^64-1"},
	{"seed too large", `18446744073709551615`, `18446744073709551616`,
		"products[3].history.seed: 18446744073709551616 is not a whole number of 0 to 2^64-1"},
	{"no day", `"days": 30`, `"days": 0`, "products[3].history.days: 0 is not a whole number of 1 to 30"},
	{"a day too many", `"days": 30`, `"days": 31`, "products[3].history.days: 31 is not a whole number of 1 to 30"},
	{"no minute", `"everyMinutes": 1440`, `"everyMinutes": 0`, "products[3].history.everyMinutes: 0 is not a whole number of 1 to 1440"},
	{"a minute too many", `"everyMinutes": 1440`, `"everyMinutes": 1441`,
		"products[3].history.everyMinutes: 1441 is not a whole number of 1 to 1440"},
	{"a label too many", `"site": "hangzhou", "": "no name", "two words": "x"`, many(101, `"l%d": "x"`),
		"devices[3].labels: 101 labels: a device has at most 100"},
	{"label that is no text", `"hangzhou"`, `1`, "devices[3].labels.site: a number where text is wanted"},

	// References.
	{"group twice in an instance", `"OTHER"`, `"GROUP"`,
		`consumerGroups[2].id: "GROUP" is there already in the same instance: rename or remove it`},
	{"group in no instance", `"OTHER", "name": "group", "instance": "iot-1"`, `"OTHER", "name": "group", "instance": "iot-2"`,
		`consumerGroups[2].instance: no such instance "iot-2": add it to instances`},
	{"group of another instance", `"consumerGroup": "GROUP"`, `"consumerGroup": "OTHER"`,
		`products[3].forwarding[1].consumerGroup: no such consumer group "OTHER" in the product's instance: add it to consumerGroups`},
	{"gateway of no form", `"a1Gateway01/gate-1"`, `"gate-1"`, `devices[0].gateway: "gate-1" is not of the form productKey/deviceName`},
	{"gateway of an unknown product", `"a1Gateway01/gate-1"`, `"a1Gateway03/gate-1"`,
		"devices[0].gateway: no such device a1Gateway03/gate-1: add it to devices"},
	{"gateway that is direct", `"a1Gateway01/gate-1"`, `"a1Meter0001/meter-1"`,
		"devices[0].gateway: a1Meter0001/meter-1 is a direct device, not a gateway: name a device of a gateway product"},
	{"gateway of itself", `"a1Gateway01/gate-1"`, `"a1Climate01/climate-1"`,
		"devices[0].gateway: a device cannot be its own gateway: name a device of a gateway product"},
	{"gateway in another instance", `"a1Gateway01/gate-1"`, `"a1Gateway02/gate-2"`,
		`devices[0].gateway: a1Gateway02/gate-2 is in instance "iot-1", the sub-device in "": they must be in the same one`},
	{"gateway of a gateway", `"status": "offline"`, `"status": "offline", "gateway": "a1Gateway01/gate-1"`,
		"devices[2].gateway: a device of a gateway product has no gateway: remove the field"},
}

func TestReadRefuses(t *testing.T) {
	for _, test := range refused {
		t.Run(test.name, func(t *testing.T) {
			f, err := read(change(t, test.old, test.new))
			if f != nil || err == nil {
				t.Fatalf("got fleet %v and error %v, want the error %s", f, err, test.want)
			}
			if err.Error() != test.want {
				t.Errorf("got  %v\nwant %v", err, test.want)
			}
			e, ok := errors.AsType[*fleet.Error](err)
			if !ok || e.Path == "" || !strings.HasPrefix(test.want, e.Path+": ") || e.Line != 0 || e.Offset != 0 {
				t.Errorf("got error %#v, want one with nothing but its path and message", err)
			}
			if !errors.Is(err, iot.Invalid) {
				t.Error("the error is not iot.Invalid")
			}
		})
	}
}

// Each row changes the base fleet to another valid one.
var accepted = []struct{ name, old, new string }{
	{"white space at the end", "]\n}\n", "]\n}\n \t\r\n"},
	{"100 labels", `"site": "hangzhou", "": "no name", "two words": "x"`, many(100, `"l%d": "x"`)},
	{"no labels", `"site": "hangzhou", "": "no name", "two words": "x"`, ``},
	{"quota of one", `"onlineQuota": 20`, `"onlineQuota": 1`},
	{"seed of zero", `18446744073709551615`, `0`},
	{"a day, a minute", `"days": 30, "everyMinutes": 1440`, `"days": 1, "everyMinutes": 1`},
	{"device name of 32", `"meter-1"`, `"_@.:-6789012345678901234567890aZ"`},
	{"device name of 4", `"meter-1"`, `"m-_@"`},
	{"secret that is not needed", `"status": "offline"`, `"status": "offline", "deviceSecret": "x"`},
	{"events twice", `["device-data", "status", "lifecycle", "topology"]`, `["status", "status"]`},
	{"model without empty parts", `, "events": [], "services": [null]`, ``},
	{"empty features", `["video", "edge"]`, `[]`},
	{"group of an Enterprise instance", `"auth": "id2",`,
		`"auth": "id2", "forwarding": [{"type": "amqp", "consumerGroup": "OTHER", "events": ["status"]}],`},
	{"escaped", `"two words"`, `"\ud83d\ude80"`},
}

func TestReadAccepts(t *testing.T) {
	for _, test := range accepted {
		t.Run(test.name, func(t *testing.T) {
			if _, err := read(change(t, test.old, test.new)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFamilyLimit(t *testing.T) {
	const row = `{"productKey": "a1Climate01", "deviceName": "more-%d", "status": "online", "gateway": "a1Gateway01/gate-1"}`
	const old = `{"productKey": "a1Gateway01", "deviceName": "gate-1", "status": "online"}`
	text := change(t, old, old+",\n"+many(fleet.MaxSubDevices-1, row)) // the base fleet has one
	if _, err := read(text); err != nil {
		t.Fatal(err)
	}
	_, err := read(change(t, old, old+",\n"+many(fleet.MaxSubDevices, row)))
	const want = "devices[1501].gateway: gateway a1Gateway01/gate-1 has more than 1500 sub-devices: this is the first too many"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
