package rpc

import (
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A class is what a code of the platform means.
type class struct {
	kind   iot.Kind
	lost   bool   // it does not say whether something happened: the kind depends on the call
	remedy string // what to do, where the platform's own words do not help or may hold secrets
}

// classes are the meanings of the codes that contain a text, or begin with it after a ^. The first that fits counts. The codes
// that the platform documents are families: iot.prod.NotExistedProduct, iot.device.NotExistedDevice, and so on.
var classes = [...]struct {
	text string
	class
}{
	{"Throttling", class{kind: iot.Throttled}},
	{"RateLimit", class{kind: iot.Throttled}},

	// The gateway, about the request.
	{"^SignatureDoesNotMatch", class{kind: iot.Denied, remedy: "the signature does not match: check the access key's secret"}},
	{"^IncompleteSignature", class{kind: iot.Denied, remedy: "the signature does not match: check the access key's secret"}},
	{"^InvalidTimeStamp", class{kind: iot.Denied, remedy: "the time of the request is refused: check this machine's clock"}},
	{"^SignatureNonceUsed", class{lost: true, remedy: "the request came twice: something on the way repeated it"}},
	{"^InvalidAccessKey", class{kind: iot.Denied}},
	{"^InvalidSecurityToken", class{kind: iot.Denied}},
	{"^InvalidAction", class{kind: iot.Invalid}},
	{"^InvalidVersion", class{kind: iot.Invalid}},
	{"^Missing", class{kind: iot.Invalid}},
	{"Forbidden", class{kind: iot.Denied}},
	{"NoPermission", class{kind: iot.Denied}},
	{"PermissionDeny", class{kind: iot.Denied}},

	// A failure within the platform leaves open what a call has done.
	{"^ServiceUnavailable", class{lost: true}},
	{"^InternalError", class{lost: true}},
	{"Exception", class{lost: true}}, // iot.system.SystemException, iot.messagebroker.RrpcException
	{".TIMEOUT", class{lost: true}},

	{".OFFLINE", class{kind: iot.NotConnected}},
	{".HALFCONN", class{kind: iot.NotConnected}},
	{"InactiveDevice", class{kind: iot.NotConnected}},

	{"IotInstanceNotFound", class{kind: iot.NotFound, remedy: "there is no such instance: instance ID, region and account do not fit together"}},
	{"NotExisted", class{kind: iot.NotFound}},
	{"NotFoundRule", class{kind: iot.NotFound}},
	{"ApplyIsNotFound", class{kind: iot.NotFound}},
	{"NotSeniorProduct", class{kind: iot.NotFound}}, // a product without a thing model has none to read
	{"AlreadyExisted", class{kind: iot.Conflict}},
	{"CountExceed", class{kind: iot.Conflict}},
	{"TaskIsRunning", class{kind: iot.Conflict}},

	// Reads within the platform that failed.
	{"ActionError", class{kind: iot.Transient}},
	{".Query", class{kind: iot.Transient}}, // iot.device.QueryDeviceStatusFailed

	{"Invalid", class{kind: iot.Invalid}},
	{"Incorrent", class{kind: iot.Invalid}}, // as the platform spells it
	{".Null", class{kind: iot.Invalid}},
	{".None", class{kind: iot.Invalid}},
	{"NotBase64", class{kind: iot.Invalid}},
}

// classify returns what a code means; the zero class if nobody knows.
func classify(code string) class {
	for _, c := range classes {
		prefix, atBegin := strings.CutPrefix(c.text, "^")
		if atBegin && strings.HasPrefix(code, prefix) || !atBegin && strings.Contains(code, c.text) {
			return c.class
		}
	}
	return class{}
}
