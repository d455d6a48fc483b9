package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/tslsync"
	"github.com/iotferry/iotferry/verify"
)

// The defaults of [Options].
const (
	DefaultFirstGray = 10
	DefaultGrayShare = 0.1
)

// Options are what the strategies need to know from their caller. The zero value works: it leaves out what it has
// no means to observe. Functions must be safe for concurrent use, and may run again after a crash: they must
// then come to the same end.
type Options struct {
	// Sink is where the messages of devices arrive that the target forwards: the caller's own table or queue, or
	// a [verify.Inbox]. Without it nobody can see whether devices report.
	Sink verify.Sink
	// Pub configures how Pub is verified. Its WithoutInstanceID is not read: see TicketGranted.
	Pub verify.PubConfig
	// Services chooses the services of a thing model that are called to verify InvokeThingService. There is no
	// harmless default: without it no service is called. See [verify.ServicesWithoutInput].
	Services func(productKey string, model json.RawMessage) ([]verify.Invocation, error)
	// Replies is where the answers to asynchronous services arrive. Without it those services are not called.
	Replies verify.Sink
	// TicketGranted says that the platform lets this account call Pub and InvokeThingService without an
	// instance ID for migrated devices. Then these calls are verified both with and without it.
	TicketGranted bool
	// Skew is how far the platform's clock may be behind the runner's: see package verify.
	Skew time.Duration
	// Wrap may replace each verifier before it becomes part of a stage: by a [verify.Sampled] or [verify.Shadow] one,
	// or, for busy groups, by a [verify.Subscription] that allows a backlog. Nil as its result leaves the
	// verifier out. It must be pure.
	Wrap func(migrate.Verifier) migrate.Verifier

	// Canaries are devices of the caller's own in the products that move, such as aliyun.Canary: they move with the first gray
	// batch, and prove the target from the device's side before a person confirms it. See [verify.Canary].
	Canaries []verify.CanaryDevice
	// Canary configures what they prove.
	Canary verify.CanaryConfig

	// FirstGray is about how many devices the first gray batch moves; zero means 10. The platform does not
	// document a limit.
	FirstGray int
	// GrayDevices is about how many devices of a lane the gray waves move after that, before the rest; zero
	// means GrayShare of them.
	GrayDevices int
	// GrayShare is the share of a lane's devices that the gray waves move, above 0 to 1; zero means 0.1.
	GrayShare float64
	// Ramp sizes all waves that move by API. The zero value is the default ramp of package topology.
	Ramp topology.Ramp
	// Full moves the rest by full migration in the console, as one wave, instead of by API, wave by wave.
	Full bool

	// Group names a consumer group of the target that is to get the lane's messages, beside the groups that came
	// along: it is found by name or created, and subscribed to what the product's AMQP subscription carries, or
	// to device data if there is none. A [verify.Inbox] over it sees reports and answers. The platform keeps one
	// subscription per product: if the source had several, they become one. Empty leaves subscriptions as they came
	// along. Strategies preregistered and tsl read it.
	Group string
	// MNSGroup names a consumer group of the source that is to get what the MNS queues of the lane's products get, as the target has no MNS: it is found
	// by name or created, and subscribed before anything moves, and a client has to read it before the lane goes on. See [MNSSwitch]. Empty
	// leaves the switch to the caller. A return of the lane leaves the subscription.
	MNSGroup string
	// MNSFlow replaces what proves that this group is read, for callers who can see in their own server whether messages arrive, or whose
	// devices are silent for days. An error of kind [iot.Transient] is "not yet". Nil asks the group's status.
	MNSFlow func(context.Context, *migrate.Env) error
	// Carry is where the labels and groups of the lane's devices are kept before the first of them moves, to be given to them at the target after
	// the last has: see package carry. All lanes of a campaign share one, and every process of it needs the same. Nil leaves
	// labels and groups to the caller. A return of the lane needs nothing: what a device had at the source is there again.
	Carry carry.Store
	// Carried is told what was carried in this try, and the first 10,000 of what differs still, before the stage ends; its error is the stage's.
	// After an error of kind [iot.Transient] everything that is missing is carried again. Nil ends the stage when nothing that was
	// kept is missing, and tries again until its deadline otherwise.
	Carried func(context.Context, *migrate.Env, carry.Result, []configdiff.DeviceDifference) error
	// MaxBacklog is how many messages may still wait in each of the product's consumer groups at the source for the
	// subscription to count as proven. Zero means none; a busy group is rarely empty.
	MaxBacklog int
	// UpdateSubscriber lets the server read the AMQP groups of the target, too. Nil makes it a gate: a
	// person does it and approves. Only strategy preregistered reads it.
	UpdateSubscriber func(context.Context, *migrate.Env) error
	// NewDevice plugs in a new device that was registered directly at the target, so that it comes online. If an
	// earlier process registered the device, the secret is empty: the platform tells it only once. Nil makes it
	// a gate: a person creates and tries out a new device, and approves. Only strategy preregistered reads it.
	NewDevice func(context.Context, *migrate.Env, iot.Credential) error
	// NewDeviceName names that device; empty derives a name from the campaign's.
	NewDeviceName string

	// SyncWindow is how long data synchronisation runs before the rest moves; zero means 7 to 30 days, and
	// the guide allows no less and no more. A person may end it before its Min by [migrate.CloseEarly], once Synchronised holds. Only
	// strategy tsl reads it.
	SyncWindow migrate.Window
	// Synchronising is when SyncWindow begins; until it holds, or somebody declares it, the window is not open. Nil means
	// [verify.Synchronising]. Only strategy tsl reads it.
	Synchronising migrate.Condition
	// Synchronised is that history is copied: from Min of SyncWindow on the window stays open until it holds, and at its Max the lane
	// halts. Nil means a [verify.Synchronised] over SyncWindow, which leaves the proof to History where the target does not show
	// devices before they move. [verify.Assumed] leaves it out. Only strategy tsl reads it.
	Synchronised migrate.Condition
	// Workload is what a device with a thing model reports, so that the plan can say how long it takes to compare the history, and
	// whether there is time for all devices or a sample: see [verify.SynchronisedConfig]. Only strategy tsl reads it.
	Workload tslsync.Workload
	// History verifies, wave by wave, that the rest has its history at the target. Nil means a [verify.History] over
	// SyncWindow.Min, of about 1,000 devices of a larger lane: its name is "history", or, of a sample, "history-10-percent". A
	// device that reported nothing in that time cannot prove itself. Wrap can leave it out, or ask fewer devices. Only strategy
	// tsl reads it.
	History migrate.Verifier

	foreseen bool // Synchronised is ours, so that we know how long it takes
}

const day = 24 * time.Hour

// The platform's bounds of a group's name: CreateConsumerGroup.
const (
	minGroupName = 4
	maxGroupName = 30
)

// Check returns an [iot.Invalid] error that names the first field that makes no sense. Every strategy's Stages
// calls it.
func (o Options) Check() error {
	switch {
	case o.FirstGray < 0:
		return refuse("FirstGray is %d: it must be 1 or more, or 0 for %d", o.FirstGray, DefaultFirstGray)
	case o.GrayDevices < 0:
		return refuse("GrayDevices is %d: it must be 1 or more, or 0 for GrayShare", o.GrayDevices)
	case !(o.GrayShare >= 0 && o.GrayShare <= 1): // refuses NaN as well
		return refuse("GrayShare is %v: it must be above 0 to 1, or 0 for %v", o.GrayShare, DefaultGrayShare)
	case o.MaxBacklog < 0:
		return refuse("MaxBacklog is %d: it must be 0 or more", o.MaxBacklog)
	case o.Pub.Acks != nil && o.Pub.Acknowledges == nil:
		return refuse("Pub.Acks is set, but Pub.Acknowledges is not: it has to tell what acknowledges a message")
	case slices.Contains(o.Canaries, nil):
		return refuse("Canaries holds nil: leave it out")
	case o.Carried != nil && o.Carry == nil:
		return refuse("Carried is set, but Carry is not: nothing is carried")
	case o.MNSFlow != nil && o.MNSGroup == "":
		return refuse("MNSFlow is set, but MNSGroup is not: there is no group to look at")
	case o.Replies != nil && o.Services == nil:
		return refuse("Replies is set, but Services is not: no service is called without it")
	}
	for _, g := range []struct{ field, name string }{{"Group", o.Group}, {"MNSGroup", o.MNSGroup}} {
		if g.name == "" {
			continue
		}
		if err := checkGroupName(g.field, g.name); err != nil {
			return err
		}
	}
	if o.NewDeviceName != "" {
		if err := iot.CheckDeviceName(o.NewDeviceName); err != nil {
			return fmt.Errorf("scenario options: NewDeviceName: %w", err)
		}
	}
	if err := o.Ramp.Check(); err != nil {
		return fmt.Errorf("scenario options: %w", err)
	}
	return o.checkSync()
}

func (o Options) checkSync() error {
	if err := tslsync.Window(o.SyncWindow).Check(); err != nil {
		return fmt.Errorf("scenario options: SyncWindow: %w", err)
	}
	return nil
}

// syncWindow fills in each end that is zero.
func (o Options) syncWindow() migrate.Window {
	w := o.SyncWindow
	if w.Min == 0 {
		w.Min = tslsync.MinWindow
	}
	if w.Max == 0 {
		w.Max = tslsync.MaxWindow
	}
	return w
}

func (o Options) firstDevices() int {
	if o.FirstGray == 0 {
		return DefaultFirstGray
	}
	return o.FirstGray
}

// grayDevices returns how many devices of a lane move in gray waves, at least one.
func (o Options) grayDevices(devices int) int {
	if o.GrayDevices > 0 {
		return o.GrayDevices
	}
	share := o.GrayShare
	if share == 0 {
		share = DefaultGrayShare
	}
	return max(1, int(math.Ceil(share*float64(devices))))
}

func refuse(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "scenario options", Message: fmt.Sprintf(format, args...)}
}
