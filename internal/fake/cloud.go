package fake

import (
	"sync"
	"time"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// QuotaMode tells which quotas count.
type QuotaMode int

// The quota modes.
const (
	DocumentedQuotas QuotaMode = iota // what the platform's documentation says, per API and account
	NoQuotas
)

// Options of a [Cloud]. The zero value is ready to use.
type Options struct {
	// Clock is the platform's clock; nil means iot.SystemClock().
	Clock iot.Clock
	// Quirks say how the platform behaves where it is not documented; nil means [DefaultQuirks].
	Quirks *Quirks
	// Hook is asked before every operation, in the goroutine that does it; nil means no faults. It may be
	// asked by several goroutines at once, and may itself use the Cloud; it then sees the state
	// before the operation.
	Hook func(Op) Fault
	// Quotas are the documented ones unless NoQuotas is set.
	Quotas QuotaMode
	// History is asked about every row of history before an instance shows it; nil changes none. Gaps, late rows and
	// duplicates at the source, at the target or at both come from it. It runs within the Cloud: it must not use
	// it, and has to answer the same for the same row.
	History func(HistoryRow) RowFault
	// Command is told of every command that the platform takes, and of every one that a device gets; nil is nobody. It runs within
	// the Cloud: it must not use it.
	Command func(CommandStep)
	// NoDevices leaves the simulated firmware out: devices are offline unless a client brings them, see
	// [Cloud.Attach], or PowerOn plugs one in.
	NoDevices bool
}

// A Cloud is the platform in memory: one account with all its instances, and its devices. It is safe
// for concurrent use and starts no goroutine: what time has changed is computed when somebody asks.
// Make one with [New].
type Cloud struct {
	clock   iot.Clock
	quirks  Quirks
	hook    func(Op) Fault
	account fleet.Account

	mu        sync.Mutex
	at        stamp // how far time has been followed: never goes back
	asking    bool  // an event is being decided by the hook, without the lock
	events    heap[event]
	serial    uint64
	instances []*instance // the legacy public one first
	products  map[string]*product
	tasks     []*task
	meters    map[string]*meter
	noQuotas  bool
	noDevices bool
	nowhere   *instance            // where deleted devices are
	recent    map[*device][]record // what rules forwarded, apart from reports
	parked    map[*device][]parked // messages that wait for their device
	pending   map[string]*pending  // commands that wait for a client's answer
	wake      func()               // tells Follow that what it waits for has changed; nil if nobody follows

	began    stamp
	reported map[*device][]reported // history that is not made by arithmetic, oldest first
	rowFault func(HistoryRow) RowFault

	steps func(CommandStep) // told of commands; may be nil
}

// A stamp is a time in nanoseconds since 1970, UTC.
type stamp = int64

// timeOf returns the zero time for 0.
func timeOf(s stamp) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(0, s).UTC()
}

// ask lets the hook decide. The lock must not be held.
func (c *Cloud) ask(op Op) Fault {
	if c.hook == nil {
		return Fault{}
	}
	op.At = c.clock.Now()
	return c.hook(op)
}

// askUnlocked lets the hook decide about an event. The lock is held before and after, not meanwhile:
// time stands still then for everybody else.
func (c *Cloud) askUnlocked(op Op) Fault {
	if c.hook == nil {
		return Fault{}
	}
	op.At = timeOf(c.at)
	c.asking = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.asking = false
		c.wakeFollower()
	}()
	return c.hook(op)
}

// look runs f on the state of now.
func (c *Cloud) look(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	f()
}

// instance returns the instance of an ID, empty for the legacy one.
func (c *Cloud) instance(id string) (*instance, error) {
	for _, in := range c.instances {
		if in.id == id {
			return in, nil
		}
	}
	return nil, refuse(codeNoInstance, "there is no instance %q in %s", id, c.account.Region)
}

// view returns a product as an instance has it.
func (c *Cloud) view(instanceID, productKey string) (*view, error) {
	in, err := c.instance(instanceID)
	if err != nil {
		return nil, err
	}
	v := in.views[productKey]
	if v == nil {
		return nil, refuse(codeNoProduct, "there is no product %s on this instance", productKey)
	}
	return v, nil
}

// find returns a device as the registry of an instance shows it.
func (c *Cloud) find(instanceID string, id iot.DeviceID) (*view, *device, error) {
	v, err := c.view(instanceID, id.ProductKey)
	if err != nil {
		return nil, nil, err
	}
	d := v.product.byName[id.DeviceName]
	if d == nil || !d.shownOn(v.in) {
		return nil, nil, noDevice(id)
	}
	return v, d, nil
}

// reach returns a device that can be commanded through an instance: it lives there.
func (c *Cloud) reach(instanceID string, id iot.DeviceID, routed bool) (*view, *device, error) {
	if routed && instanceID == "" && c.quirks.TicketGranted {
		if d := c.device(id); d != nil {
			instanceID = d.home.id
		}
	}
	v, err := c.view(instanceID, id.ProductKey)
	if err != nil {
		return nil, nil, err
	}
	d := v.product.byName[id.DeviceName]
	if d == nil || d.home != v.in {
		return nil, nil, noDevice(id)
	}
	return v, d, nil
}

func noDevice(id iot.DeviceID) error {
	return refuse(codeNoDevice, "there is no device %s on this instance", id)
}

// device returns a device wherever it is, or nil.
func (c *Cloud) device(id iot.DeviceID) *device {
	p := c.products[id.ProductKey]
	if p == nil {
		return nil
	}
	return p.byName[id.DeviceName]
}

// newID returns an identifier that no other message has.
func (c *Cloud) newID() uint64 {
	c.serial++
	return mix(c.serial, 0x6d657373616765)
}

// after schedules an event.
func (c *Cloud) after(d time.Duration, e event) {
	c.serial++
	e.at, e.serial = c.at+int64(d), c.serial
	c.events.push(e)
	if c.events[0].serial == e.serial {
		c.wakeFollower()
	}
}
