package fake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// operate does one operation: the hook is asked, the quota taken, the effect done and the answer given.
// Nothing is sent with a done context. The lock is held during the effect only.
func operate[R any](ctx context.Context, c *Cloud, op Op, effect func(Fault) (R, error)) (R, error) {
	return operateThen(ctx, c, op, effect, nil)
}

// operateThen is operate with a second part, which may wait: it completes the answer, without the lock.
func operateThen[R any](
	ctx context.Context, c *Cloud, op Op, effect func(Fault) (R, error), then func(*R) error,
) (R, error) {
	var none R
	if err := ctx.Err(); err != nil {
		return none, err
	}
	fault := c.ask(op)
	var answer R
	var err error
	c.look(func() { answer, err = enter(c, op, fault, effect) })
	if err == nil && then != nil {
		if err = then(&answer); err != nil {
			c.look(func() { c.meter(op).Failed++ })
		}
	}
	if fault.Delay > 0 {
		if e := c.clock.WaitUntil(ctx, c.clock.Now().Add(fault.Delay)); e != nil {
			return none, &LostError{op.Name, e}
		}
	}
	switch {
	case fault.Lost:
		return none, &LostError{Op: op.Name}
	case err != nil:
		return none, err
	}
	if fault.Alter != nil {
		fault.Alter(&answer)
	}
	return answer, nil
}

// enter passes an operation through its quota and the hook's refusal.
func enter[R any](c *Cloud, op Op, fault Fault, effect func(Fault) (R, error)) (R, error) {
	var answer R
	m := c.meter(op)
	if !m.take(c.at, op.deep, c.noQuotas) {
		return answer, &APIError{400, codeThrottled, "Request was denied due to user flow control."}
	}
	if fault.Err != nil {
		m.Failed++
		return answer, fault.Err
	}
	answer, err := effect(fault)
	if err != nil {
		m.Failed++
	}
	return answer, err
}

// call runs an API.
func call[R any](ctx context.Context, c *Cloud, op Op, effect func(Fault) (R, error)) (R, error) {
	op.Kind = APIOp
	return operate(ctx, c, op, effect)
}

// callThen runs an API that waits for a device after its effect.
func callThen[R any](
	ctx context.Context, c *Cloud, op Op, effect func(Fault) (R, error), then func(*R) error,
) (R, error) {
	op.Kind = APIOp
	return operateThen(ctx, c, op, effect, then)
}

// A CallCount counts the calls of one API or of one act at the console since the Cloud was made.
type CallCount struct {
	Kind      OpKind
	Name      string
	Calls     int // all of them
	Throttled int // refused for the quota
	Failed    int // answered with another error
}

// Calls returns what was called, by name.
func (c *Cloud) Calls() []CallCount {
	var list []CallCount
	c.look(func() {
		for _, m := range c.meters {
			list = append(list, m.CallCount)
		}
	})
	slices.SortFunc(list, func(a, b CallCount) int { return strings.Compare(string(a.Kind)+a.Name, string(b.Kind)+b.Name) })
	return list
}

// deviceOp is an operation on one device.
func deviceOp(name, instanceID string, id iot.DeviceID) Op {
	return Op{Name: name, Instance: instanceID, ProductKey: id.ProductKey, Devices: []string{id.DeviceName}}
}

// pageOf checks a page's number and size and returns them with their defaults.
func pageOf(page, size, defaultSize, maxSize int) (p, n int, err error) {
	p, n = page, size
	if p == 0 {
		p = 1
	}
	if n == 0 {
		n = defaultSize
	}
	if p < 1 || n < 1 || n > maxSize {
		return 0, 0, refuse(codeBadPage, "page %d of %d rows: pages count from 1 and have 1 to %d rows", page, size, maxSize)
	}
	return p, n, nil
}

// cut returns a page of a list.
func cut[T any](list []T, page, size int) []T {
	from := min((page-1)*size, len(list))
	return list[from:min(from+size, len(list))]
}

func pages(total, size int) int { return (total + size - 1) / size }

// statusWord is a status as the platform writes it.
func statusWord(s iot.Status) string {
	switch s {
	case iot.Online:
		return "ONLINE"
	case iot.Unactive:
		return "UNACTIVE"
	case iot.Disabled:
		return "DISABLE"
	}
	return "OFFLINE"
}

// millis is a time as precise as the platform tells it.
func millis(s stamp) time.Time { return timeOf(s - s%1e6) }

// iotID is the platform's other name of a device.
func (d *device) iotID() string {
	return fmt.Sprintf("%016x%08x00", mix(d.seed, 1), uint32(mix(d.seed, 2)))
}

// address is where the device connected from last.
func (d *device) address() string {
	if d.client != nil && d.client.address != "" {
		return d.client.address
	}
	return d.simulatedAddress()
}

// simulatedAddress is where the simulated device connects from: TEST-NET-3.
func (d *device) simulatedAddress() string { return fmt.Sprintf("203.0.113.%d", d.seed%254+1) }

// platformZone is the platform's local time.
var platformZone = time.FixedZone("CST", 8*60*60)
