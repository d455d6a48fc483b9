package fake

import "time"

// Quirks says how the platform behaves where its documentation does not. Start from [DefaultQuirks] and
// change what a test is about. All of it is deterministic: what varies between devices
// is derived from their names.
type Quirks struct {
	// Devices.

	// ReportEvery is how often a device that is online reports. Default 60 s.
	ReportEvery time.Duration
	// RareEvery is how many times more seldom a device uses its other topics and events. Default 10.
	RareEvery int
	// ReconnectMin and ReconnectMax bound the delay after which a device that was cut off connects
	// again. Default 2 s to 8 s.
	ReconnectMin, ReconnectMax time.Duration
	// SubLoginMin and SubLoginMax bound the delay after which a gateway that came online has logged in a
	// sub-device. Default 200 ms to 2 s.
	SubLoginMin, SubLoginMax time.Duration
	// AckDelay is how long a device takes to acknowledge a message of Pub. Default 200 ms.
	AckDelay time.Duration
	// AnswerDelay is how long a device takes to answer RRpc and a synchronous service. Default 0: at once.
	AnswerDelay time.Duration
	// ReplyDelay is how long a device takes to answer an asynchronous service, and to post the
	// properties that were set. Default 500 ms.
	ReplyDelay time.Duration

	// Clients as devices.

	// SubDevicesConnect lets a client bring a sub-device by a connection of its own. Default false: a sub-device connects
	// through its gateway only.
	SubDevicesConnect bool
	// PublicDomainEnds lets the public instance's domain refuse a device that lives elsewhere. Default false: the guide
	// says that devices on this domain need no change.
	PublicDomainEnds bool
	// MaxSubDevices is how many sub-devices a gateway's client can have added and logged in. Default 1,500; the platform's
	// documents also say 2,000.
	MaxSubDevices int

	// Visibility.

	// StatusLag bounds how long the index of QueryDeviceByStatus runs behind. Default 10 s, as documented.
	StatusLag time.Duration
	// VisibilityLag bounds how long after a move the target does not show the device yet and the source
	// still shows it (offline); each device has its own two delays. Default 2 s.
	VisibilityLag time.Duration

	// Moving.

	// RefusedCode and RefusedMessage are the answer for a device that cannot be moved. Default 500
	// and 系统错误, the documentation's example.
	RefusedCode    int
	RefusedMessage string
	// NotReadyCode is the error of BatchGrayMigrationDevice for a product whose task is not
	// gray-completed. Default iot.system.SystemException, the only code that the documentation names.
	NotReadyCode string
	// AcceptsMoved answers DEVICE_SUCCEEDED for a device that is on the target already. Default false:
	// the item fails.
	AcceptsMoved bool
	// RefusesUnactive and RefusesDisabled let the items of such devices fail. Default false.
	RefusesUnactive, RefusesDisabled bool
	// RefusesSplit lets the item of a sub-device fail while its gateway is not on the target. Default
	// false: the guide moves sub-devices first.
	RefusesSplit bool
	// ID2Listed puts the account on the list of those whose ID² devices may be moved. Default false.
	ID2Listed bool
	// OfflineCode is the offlineReasonCode of the status message of a device that is cut off by its
	// move. Default 521, which on other occasions means that the device was deleted.
	OfflineCode int
	// LifecycleOnMove sends a lifecycle message delete at the source and create at the target for each
	// device that moves. Default false.
	LifecycleOnMove bool
	// SplitTopology shows a relation on each instance that holds the device asked for, even while a
	// family is split. Default false: it is shown where both are.
	SplitTopology bool

	// Console.

	// FirstGrayMax limits the devices of one gray batch at the console. Default 0: no limit.
	FirstGrayMax int
	// FullRate is how many devices per second a full migration moves. Default 50.
	FullRate int
	// KeepsTask keeps a task running after the last device of its product that can be moved has left
	// the source. Default false: the task ends then, and does not count among the running ones.
	KeepsTask bool
	// RollbackWithin is how long after the task's creation its devices can be rolled back. Default 0:
	// always.
	RollbackWithin time.Duration
	// RollbackKeepsProduct keeps the product's copy, rules and subscriptions at the target
	// after a rollback of all its devices. Default false: they go, unless other devices use them.
	RollbackKeepsProduct bool

	// History.

	// SyncBack is how much of what was reported before data synchronisation was switched on is copied. Default 0: none, as the
	// guide lets one wait for as many days as there will be history.
	SyncBack time.Duration
	// SyncPace is how much history of each device is copied in a second, until it has caught up. Default 1 hour; at
	// 1 s and less it never catches up, at 0 nothing is copied.
	SyncPace time.Duration
	// SyncLag is how long after it was copied a row is shown. Default 10 s.
	SyncLag time.Duration
	// SyncHidesUnmoved lets the target answer that it does not have a device whose history is copied while that lives on the
	// source. Default false: it shows what was copied, so that both can be compared before the move.
	SyncHidesUnmoved bool
	// HistoryMoves lets a device's history come along with every move, whatever is switched on, also back. Default false: a device's
	// history is gone from where it moved away, and only what was copied before the move is where it lives now.
	HistoryMoves bool

	// Forwarding.

	// KeepsGroupIDs lets a consumer group that comes along have the same ID at the target. Default
	// false: it gets a new one and keeps its name. DEFAULT_GROUP exists on every instance, with this ID.
	KeepsGroupIDs bool
	// ParsersStay leaves data-forwarding parsers behind. Default false: they come along like rules, which the documents do not say in
	// so many words.
	ParsersStay bool
	// NoticeGroups are the IDs of the consumer groups of the source that get instance-migration
	// messages. Default nil: those that the product is subscribed to. An empty list: none.
	NoticeGroups []string
	// NoticeTopic is the topic of these messages. Default /instance/migration.
	NoticeTopic string
	// RollbackStatus is their status for a rollback. Default ROLLBACK_EXECUTING.
	RollbackStatus string
	// MaxBacklog is how many messages other than reports a group keeps; the oldest go first. Default
	// 1,000,000; the platform says 100,000,000.
	MaxBacklog int
	// RedeliverAfter is when a message that was not settled comes again. Default 1 minute, as documented.
	RedeliverAfter time.Duration
	// ConsumerIdle is after how long without a sign of life the platform takes a consumer for gone.
	// Default 1 minute; clients negotiate 30 to 300 s.
	ConsumerIdle time.Duration

	// Calls.

	// TicketGranted routes Pub and InvokeThingService without an instance ID to the instance that has the
	// device: the mode that the guide says can be requested by a ticket. Default false.
	TicketGranted bool
	// RRpcPerAddress is the quota of RRpc per second and caller's address, all of this process's calls
	// being from one. Default 100, as documented.
	RRpcPerAddress int
}

// DefaultQuirks returns the behaviour that each field of [Quirks] names as its default.
func DefaultQuirks() *Quirks {
	return &Quirks{
		ReportEvery: time.Minute, RareEvery: 10,
		ReconnectMin: 2 * time.Second, ReconnectMax: 8 * time.Second,
		SubLoginMin: 200 * time.Millisecond, SubLoginMax: 2 * time.Second,
		AckDelay: 200 * time.Millisecond, ReplyDelay: 500 * time.Millisecond,
		MaxSubDevices: 1500,
		StatusLag:     10 * time.Second, VisibilityLag: 2 * time.Second,
		RefusedCode: 500, RefusedMessage: "系统错误",
		NotReadyCode: codeSystemException,
		OfflineCode:  521,
		FullRate:     50,
		SyncPace:     time.Hour, SyncLag: 10 * time.Second,
		NoticeTopic: "/instance/migration", RollbackStatus: "ROLLBACK_EXECUTING",
		MaxBacklog: 1_000_000, RedeliverAfter: time.Minute, ConsumerIdle: time.Minute,
		RRpcPerAddress: 100,
	}
}

func (q *Quirks) problem() string {
	switch {
	case q.ReportEvery < time.Millisecond:
		return "ReportEvery must be at least 1 ms"
	case q.RareEvery < 1:
		return "RareEvery must be at least 1"
	case q.ReconnectMin < 0 || q.ReconnectMax < q.ReconnectMin:
		return "ReconnectMin must not be negative, nor ReconnectMax below it"
	case q.SubLoginMin < 0 || q.SubLoginMax < q.SubLoginMin:
		return "SubLoginMin must not be negative, nor SubLoginMax below it"
	case q.MaxSubDevices < 1:
		return "MaxSubDevices must be at least 1"
	case q.StatusLag < 0 || q.VisibilityLag < 0:
		return "StatusLag and VisibilityLag must not be negative"
	case q.FullRate < 1:
		return "FullRate must be at least 1"
	case q.SyncBack < 0 || q.SyncPace < 0 || q.SyncLag < 0:
		return "SyncBack, SyncPace and SyncLag must not be negative"
	case q.MaxBacklog < 1 || q.RedeliverAfter <= 0 || q.ConsumerIdle <= 0:
		return "MaxBacklog, RedeliverAfter and ConsumerIdle must be more than 0"
	}
	return ""
}
