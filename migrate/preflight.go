package migrate

import "github.com/iotferry/iotferry/iot"

// A Severity tells what an [Issue] means for the campaign.
type Severity string

// The severities.
const (
	Blocker Severity = "blocker" // its subject cannot be migrated
	Warning Severity = "warning" // it can, but a person should know
)

// An Issue is one thing that the preflight found. Exactly one of ProductKey, Family and Instance is set:
// its subject.
type Issue struct {
	Code       Code           `json:"code"`
	Severity   Severity       `json:"severity"`
	ProductKey string         `json:"productKey,omitempty"`
	Family     *iot.DeviceID  `json:"family,omitempty"` // named by its gateway or its direct device
	Instance   string         `json:"instance,omitempty"`
	Devices    []iot.DeviceID `json:"devices,omitempty"` // those that the issue is about, where it is not about all
	Why        string         `json:"why"`               // with the platform's rule
	Remedy     string         `json:"remedy"`
}

// A Code names the reason of an [Issue]. Codes never change.
type Code string

// The codes of blockers.
const (
	CodeAuthorized          Code = "authorized"
	CodeDataService         Code = "data-service"
	CodeVideo               Code = "video"
	CodeEdge                Code = "edge"
	CodeLiving              Code = "living"
	CodeNBIoT               Code = "nbiot"
	CodeID2                 Code = "id2-needs-whitelist"
	CodePreregistrationFree Code = "preregistration-free"
	CodeMNSOnly             Code = "mns-only"
	CodeProductSize         Code = "product-size"
	CodeDistributed         Code = "distributed"
	CodeFamilyBlocked       Code = "family-blocked"
	CodeNoGateway           Code = "no-gateway" // a sub-device that no gateway has
	CodeTwoOwners           Code = "two-owners" // a device that both instances have
	CodeOnlineQuota         Code = "online-quota"
	CodeOfflineBudget       Code = "offline-budget" // a family larger than Limits.MaxOffline; as a warning, a full migration that cannot keep it
)

// The codes of warnings.
const (
	CodeMNSAlso       Code = "mns-also"
	CodeNewAMQPClient Code = "new-amqp-client"
	CodeLoRaWAN       Code = "lorawan"
	CodeX509          Code = "x509-unlisted"
	CodeNoReconnect   Code = "no-reconnect"
	CodeDisabled      Code = "disabled"
	CodeUnactive      Code = "unactive"
	CodeLabels        Code = "labels-not-moved"
	CodeAtypical      Code = "atypical"
	CodeNoDevices     Code = "no-devices"
	CodeUndeclared    Code = "undeclared"
)
