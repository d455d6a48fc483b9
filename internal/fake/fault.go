package fake

import (
	"fmt"
	"time"
)

// An OpKind tells who does an operation.
type OpKind string

// The kinds of operations.
const (
	APIOp     OpKind = "api"     // a call of an API; Name is the API's
	ConsoleOp OpKind = "console" // an act at the console; Name is the method's
	DeviceOp  OpKind = "device"  // a device: Connect, or, if it is simulated, Answer to a message
)

// An Op is an operation that is about to happen.
type Op struct {
	Kind       OpKind
	Name       string
	Instance   string // ID of the instance it is sent to; empty for the legacy one, and for calls that take none
	ProductKey string
	Devices    []string // device names, as far as the operation names any; read only
	At         time.Time

	deep bool // a page so far back that a lower quota counts
}

// A Fault changes how an operation goes. The zero value changes nothing; fields combine.
type Fault struct {
	// Err is the answer, and nothing happens. Use an [APIError] for an API. A device that gets one does
	// not connect, and does not try again by itself; a client gets it from Attach, and for a sub-device the
	// code of an [iot.Error], or 520.
	Err error
	// Lie tells for which devices nothing happens although the answer says it did: DEVICE_SUCCEEDED, a
	// message ID. A device that connects is shown online while no connection is behind it: it
	// neither reports nor answers. It is asked for BatchGrayMigrationDevice, Pub, SetDeviceProperty, an
	// asynchronous InvokeThingService, Gray and Connect.
	Lie func(device string) bool
	// Lost loses the answer after the effect: the caller gets a [LostError].
	Lost bool
	// Delay is how long the answer takes, after the effect. A context that ends meanwhile loses the answer.
	Delay time.Duration
	// Alter changes the answer after the effect. It gets a pointer to the API's response, such as
	// *BatchGrayMigrationDeviceResponse, and may drop or change results in it.
	Alter func(response any)
}

// Always is a Fault.Lie that concerns every device.
func Always(string) bool { return true }

func (f Fault) lies(device string) bool { return f.Lie != nil && f.Lie(device) }

// An APIError is the platform's refusal: of its gateway with an HTTP status outside 200 to 299, or of an
// API, which answers 200 and Success=false.
type APIError struct {
	HTTPStatus int
	Code       string // such as Throttling.User or iot.prod.NotExistedProduct
	Message    string
}

// Error returns the code and the message.
func (e *APIError) Error() string { return e.Code + ": " + e.Message }

// A LostError says that no answer came: the operation may or may not have happened.
type LostError struct {
	Op  string
	Err error // what ended the wait; nil if the connection broke
}

// Error returns what was lost, and why.
func (e *LostError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: no answer: %v", e.Op, e.Err)
	}
	return e.Op + ": the connection was closed before an answer came"
}

// Unwrap returns what ended the wait.
func (e *LostError) Unwrap() error { return e.Err }

// The codes of the platform that the fake answers with.
const (
	codeThrottled       = "Throttling.User"
	codeNoInstance      = "iot.Sre.IotInstanceNotFound"
	codeNoProduct       = "iot.prod.NotExistedProduct"
	codeNoDevice        = "iot.device.NotExistedDevice"
	codeNotTSL          = "iot.prod.NotSeniorProduct"
	codeNoNames         = "iot.device.NoneDeviceNameElement"
	codeBadName         = "iot.device.InvalidFormattedDeviceName"
	codeNameTaken       = "iot.device.AlreadyExistedDeviceName"
	codeBadPage         = "iot.common.InvalidPageParams"
	codeTopology        = "iot.device.QueryTopoRelationFailed"
	codeOffline         = "iot.messagebroker.OFFLINE"
	codeHalfConn        = "iot.messagebroker.HALFCONN"
	codeTimeout         = "iot.messagebroker.TIMEOUT"
	codeRateLimit       = "iot.messagebroker.RateLimit"
	codeBadTopic        = "iot.messagebroker.InvalidFormattedTopicName"
	codeBadTimeout      = "iot.messagebroker.InvalidTimeoutValue"
	codeInvokeFailed    = "iot.device.InvokeThingServiceFailed"
	codeSetFailed       = "iot.device.SetDevicePropertyFailed"
	codeNoRule          = "iot.rule.NotFoundRule"
	codeSystemException = "iot.system.SystemException"
	codeBadTime         = "iot.device.InvalidTimeBucket"
	codeNoProperties    = "iot.device.NoneDeviceProperties"

	// The codes of consumer groups are not in the platform's public lists: these are the fake's own.
	codeNoGroup      = "iot.consumergroup.NotExistedConsumerGroup"
	codeGroupTaken   = "iot.consumergroup.AlreadyExistedConsumerGroupName"
	codeBadGroup     = "iot.consumergroup.InvalidConsumerGroupName"
	codeNoVersion    = "iot.prod.NotExistedThingModelVersion" // the fake's own, too
	codeNoRelation   = "iot.subscribe.NotExistedSubscribeRelation"
	codeRelationHere = "iot.subscribe.AlreadyExistedSubscribeRelation"
	codeBadRelation  = "iot.subscribe.InvalidSubscribeRelation"

	// Neither are these: labels, groups of devices, parsers, scripts, update batches.
	codeBadLabels        = "iot.device.InvalidDeviceProp"
	codeNoDeviceGroup    = "iot.group.NotExistedGroup"
	codeDeviceGroupTaken = "iot.group.AlreadyExistedGroupName"
	codeBadDeviceGroup   = "iot.group.InvalidGroup"
	codeNoParser         = "iot.parser.NotExistedParser"
	codeNoDataSource     = "iot.parser.NotExistedDataSource"
	codeNoScript         = "iot.prod.NotExistedThingScript"
	codeNoFirmware       = "iot.ota.NotExistedFirmware"
)

// refuse is a business error: HTTP 200 and Success=false.
func refuse(code, format string, args ...any) error {
	return &APIError{HTTPStatus: 200, Code: code, Message: fmt.Sprintf(format, args...)}
}
