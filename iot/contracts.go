package iot

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// The batch limits of the platform. A driver refuses more with [Invalid]: the platform would drop
// what is over some of them without a word.
const (
	MaxMove   = 10 // names per call: BatchGrayMigrationDevice
	MaxStates = 50 // names per call: BatchGetDeviceState
)

// A Registry lists what an instance holds.
type Registry interface {
	// Products yields every product of the instance, in the platform's order (QueryProductList).
	Products(ctx context.Context) iter.Seq2[Product, error]
	// Product reads one product (QueryProduct). Its error is NotFound if the instance has none of that key.
	Product(ctx context.Context, productKey string) (Product, error)
	// Devices yields every device of a product. The platform lists them newest first (QueryDevice); a driver that lists a
	// large product by another API keeps no order.
	Devices(ctx context.Context, productKey string) iter.Seq2[Device, error]
	// Distributed yields the devices of a product that device distribution placed on the instance
	// (ListDistributedDevice).
	Distributed(ctx context.Context, productKey string) iter.Seq2[DeviceID, error]
}

// A StateReader tells whether devices are on an instance, and how they are.
type StateReader interface {
	// States reads up to [MaxStates] devices of one product, in the order of names. A device that
	// the instance does not have is left out of the answer: that is how its absence is observed. A product
	// that the instance does not have makes every name absent. The platform's status index may lag by 10 s
	// (QueryDeviceByStatus).
	States(ctx context.Context, productKey string, names []string) ([]DeviceState, error)
}

// A TopologyReader tells which sub-devices a gateway has.
type TopologyReader interface {
	// Children yields the sub-devices of a gateway (GetThingTopo).
	Children(ctx context.Context, gateway DeviceID) iter.Seq2[DeviceID, error]
	// GatewayOf returns the gateway of a sub-device (GetGatewayBySubDevice); NotFound if it has none.
	GatewayOf(ctx context.Context, sub DeviceID) (DeviceID, error)
}

// A ForwardingReader tells where an instance sends messages.
type ForwardingReader interface {
	// Rules yields the data-forwarding rules with the kinds of their actions (ListRule, ListRuleActions).
	Rules(ctx context.Context) iter.Seq2[Rule, error]
	// Subscriptions reads the server-side subscriptions of a product (QuerySubscribeRelation).
	Subscriptions(ctx context.Context, productKey string) ([]Subscription, error)
	// Groups yields the consumer groups (QueryConsumerGroupList).
	Groups(ctx context.Context) iter.Seq2[ConsumerGroup, error]
	// GroupStatus reads one consumer group's backlog and clients (QueryConsumerGroupStatus).
	GroupStatus(ctx context.Context, groupID string) (GroupStatus, error)
}

// A ModelReader reads thing models.
type ModelReader interface {
	// ThingModel reads the published thing model of a product, in the platform's own JSON
	// (QueryThingModelPublished); NotFound if it has none.
	ThingModel(ctx context.Context, productKey string) (json.RawMessage, error)
}

// A Commander sends to devices. The effect of a call that ended in [UnknownOutcome] may have happened.
type Commander interface {
	// Publish sends payload to a topic that the device subscribes to (Pub). Success means that the
	// platform took the message, not that the device got it. Whether an empty payload can be sent is the driver's to say ([Invalid]): the vendor's
	// SDK leaves empty parameters out.
	Publish(ctx context.Context, topic string, payload []byte) (messageID string, err error)
	// Call sends payload to a device and waits for its answer, 1 to 8 seconds (RRpc). A device that is
	// not connected is a NotConnected error; no answer in time is UnknownOutcome.
	Call(ctx context.Context, id DeviceID, payload []byte, timeout time.Duration) ([]byte, error)
	// Invoke calls a service of the device's thing model (InvokeThingService). The answer to an
	// asynchronous service comes later, as a message: see [ServiceReply.Result].
	Invoke(ctx context.Context, id DeviceID, service string, args json.RawMessage) (ServiceReply, error)
	// SetProperties sets properties of the device's thing model (SetDeviceProperty). Success means sent, not done.
	SetProperties(ctx context.Context, id DeviceID, items json.RawMessage) (messageID string, err error)
}

// A ServiceReply is the answer to a call of a service.
type ServiceReply struct {
	MessageID string
	// Result is what a synchronous service answered. It is nil for an asynchronous one, whose answer
	// is a message on the device's topic thing/downlink/reply/message with the same message ID.
	Result json.RawMessage
}

// A Receiver consumes the messages of consumer groups. It takes them away from every other client of the
// same group: give a campaign groups of its own, or let it ask a sink of yours.
type Receiver interface {
	// Receive returns up to limit messages that wait in a group, oldest first as far as known, and
	// settles those that the call before returned. It does not wait for more: an empty answer means that
	// there is nothing now. Messages that were never settled come again; order is not kept.
	Receive(ctx context.Context, groupID string, limit int) ([]Message, error)
}

// A Mover moves devices of one product to the target of the product's migration task.
type Mover interface {
	// Move moves up to [MaxMove] devices (BatchGrayMigrationDevice). A nil error says that the platform
	// answered, not that a device moved: read the results, then look at both instances. A device that the
	// answer does not name has no result; its outcome is unknown. An [UnknownOutcome] error leaves
	// all of them unknown; after an error of any other kind none has moved.
	Move(ctx context.Context, productKey string, names []string) ([]MoveResult, error)
}

// A MoveResult is what the platform said of one device of a [Mover.Move] call.
type MoveResult struct {
	DeviceName string
	Accepted   bool
	Code       int    // the platform's code for a refusal, else 0
	Message    string // the platform's words for a refusal: escape them where they are shown
}

// A Registrar creates devices.
type Registrar interface {
	// Register creates a device on the instance (RegisterDevice). A name that is taken is Conflict.
	Register(ctx context.Context, id DeviceID) (Credential, error)
}

// A Subscriber creates server-side subscriptions.
type Subscriber interface {
	// CreateGroup creates a consumer group, 4 to 30 characters (CreateConsumerGroup). A name that is
	// taken is Conflict.
	CreateGroup(ctx context.Context, name string) (ConsumerGroup, error)
	// Subscribe sets the subscription of s.ProductKey and s.Type to s (CreateSubscribeRelation,
	// UpdateSubscribeRelation). Doing it twice is the same as once.
	Subscribe(ctx context.Context, s Subscription) error
}

// A Pacer keeps a driver within the platform's quotas. A driver asks it before every request.
type Pacer interface {
	// Wait returns when the API may be called, or an error when ctx ends first.
	Wait(ctx context.Context, api string) error
	// Throttled tells that the platform refused a call of the API for its quota.
	Throttled(api string)
}
