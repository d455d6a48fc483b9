package migrate

import "github.com/iotferry/iotferry/iot"

// A Severity tells what an [Issue] means for the campaign.
type Severity string

// The severities.
const (
	Blocker Severity = "blocker" // its subject cannot be migrated
	Warning Severity = "warning" // it can, but a person should know
	Work    Severity = "work"    // the platform does not do it: a person has to, before or after
)

// A Basis tells how an [Issue] is known.
type Basis string

// The bases. What no API shows and nobody declared is a question: it is never a silent yes.
const (
	BasisObserved   Basis = "observed"   // an API showed it
	BasisDeclared   Basis = "declared"   // the caller said so: see [Declared]
	BasisUndeclared Basis = "undeclared" // no API shows it, and nobody has said
)

// An Issue is one thing that the preflight found. Exactly one of ProductKey, Family and Instance is set:
// its subject. The legacy public instance, which has no ID, goes by "public instance".
type Issue struct {
	Code       Code           `json:"code"`
	Severity   Severity       `json:"severity"`
	Basis      Basis          `json:"basis,omitempty"` // empty in plans of an older version
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
	CodeRegion              Code = "region"         // source and target are not in one region
	CodeInstanceType        Code = "instance-type"  // not from a legacy public to an Enterprise instance
)

// The codes of blockers that only [Preflight] finds, as they are about this program's access and not about the fleet.
const (
	CodeAccess       Code = "access"             // the credentials may not read what a campaign reads
	CodeInconsistent Code = "fleet-inconsistent" // what was read does not make one fleet
	CodeSurvey       Code = "survey-incomplete"  // the fleet could not be read
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
	CodeRegionUnknown Code = "region-unlisted" // a region for which no legacy public instance is documented
	CodeTaskLimit     Code = "task-limit"      // one lane needs more console tasks at once than the platform has
	CodeAccessUnknown Code = "access-unknown"  // a read failed, but not for want of permission
)

// The codes of work. It is not part of a [Plan]: nothing that a campaign does depends on it.
const (
	CodeConsoleTasks Code = "console-tasks"
	CodeInstanceID   Code = "instance-id"
	CodeRuleIDs      Code = "rule-ids"
	CodeRecreate     Code = "recreate"
	CodeDashboards   Code = "dashboards"
	CodeLogs         Code = "logs"
	CodeSourceCopy   Code = "source-copy"
	CodeWriteAccess  Code = "write-access"
)
