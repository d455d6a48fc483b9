package iot

import "time"

// A Rule is a data-forwarding rule of an instance: it sends messages of a product on to other cloud
// products. A migrated rule has another ID on the target.
type Rule struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"` // free text of its owner: escape it where it is shown
	ProductKey string   `json:"productKey"`
	Topic      string   `json:"topic"` // a filter such as "/+/user/update", below the product
	Running    bool     `json:"running"`
	Actions    []string `json:"actions,omitempty"` // the kinds of its actions: OTS, FC, RDS, ONS, MNS, AMQP...
}

// An Event is a class of messages that a subscription can carry.
type Event string

// The classes of messages (CreateSubscribeRelation has a flag for each).
const (
	DeviceData     Event = "device-data"
	StatusChange   Event = "status"
	Lifecycle      Event = "lifecycle"
	TopologyChange Event = "topology"
	FoundDevices   Event = "found-devices" // sub-devices that a gateway found
	HistoryData    Event = "history"       // what devices report of the past
	LabelChange    Event = "labels"
	OTAEvent       Event = "ota-event"
	OTAVersion     Event = "ota-version"
	OTAJobStatus   Event = "ota-job"
)

// A SubscriptionType is how a server-side subscription delivers.
type SubscriptionType string

// The two ways of delivery. MNS does not exist on Enterprise instances.
const (
	AMQP SubscriptionType = "amqp"
	MNS  SubscriptionType = "mns"
)

// A Subscription is a server-side subscription of a product.
type Subscription struct {
	ProductKey string           `json:"productKey"`
	Type       SubscriptionType `json:"type"`
	Groups     []string         `json:"groups,omitempty"` // AMQP: IDs of the consumer groups, at most 10
	Queue      string           `json:"queue,omitempty"`  // MNS: name of the queue
	Events     []Event          `json:"events,omitempty"`
}

// A ConsumerGroup receives the messages of AMQP subscriptions. Each instance has its own groups.
type ConsumerGroup struct {
	ID   string
	Name string // free text of its owner: escape it where it is shown
}

// A GroupStatus tells whether a consumer group is read (QueryConsumerGroupStatus).
type GroupStatus struct {
	Backlog      int // messages that wait to be consumed
	Clients      int // connections that consume now
	LastConsumed time.Time
}
