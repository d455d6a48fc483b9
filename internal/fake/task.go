package fake

import (
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// The documented limits of migration tasks.
const (
	maxRunningTasks = 5
	maxProductSize  = 500_000
	statusGray      = "GRAY_EXECUTING"
	statusFull      = "ALL_EXECUTING"
	statusSucceeded = "DEVICE_SUCCEEDED"
	statusFailed    = "DEVICE_FAILED"

	fullMigrationTick  = time.Second
	fullMigrationPause = time.Minute // while what is left cannot move yet
)

// A task is the migration task of one product.
type task struct {
	id             string
	product        *product
	source, target *instance
	state          TaskState
	moved          int
	next           int // full: the ordinal of the next device
	created        stamp
	confirmed      stamp
	ended          stamp
	dataSync       bool
	syncedFrom     stamp
}

func (t *task) show() Task {
	return Task{
		ID: t.id, ProductKey: t.product.key, Target: t.target.id, State: t.state, Moved: t.moved,
		Created: timeOf(t.created), Confirmed: timeOf(t.confirmed), Ended: timeOf(t.ended),
		DataSync: t.dataSync, SyncedFrom: timeOf(t.syncedFrom),
	}
}

func (t *task) deny(op string, reason Reason) error {
	return &ConsoleError{op, reason, fmt.Sprintf("%s of %s is %s", t.id, t.product.key, t.state)}
}

func (c *Cloud) task(id string) *task {
	for _, t := range c.tasks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// taskOf returns the newest task of a product, or nil.
func (c *Cloud) taskOf(p *product) *task {
	for _, t := range slices.Backward(c.tasks) {
		if t.product == p {
			return t
		}
	}
	return nil
}

func (c *Cloud) createTask(productKey, targetID string) (string, error) {
	const op = "CreateTask"
	source := c.instances[0]
	v := source.views[productKey]
	if v == nil {
		return "", &ConsoleError{op, NoSuchProduct, productKey}
	}
	target, err := c.instance(targetID)
	if err != nil || target.kind != iot.EnterpriseStandard {
		return "", &ConsoleError{op, NoSuchTarget, targetID}
	}
	if reason := c.taskRefusal(v, target); reason != "" {
		return "", &ConsoleError{op, reason, productKey}
	}
	t := &task{
		id: fmt.Sprintf("task-%d", len(c.tasks)+1), product: v.product, source: source, target: target,
		state: TaskCreated, created: c.at,
	}
	t.moved = len(t.away()) // by an earlier task that was closed
	c.tasks = append(c.tasks, t)
	return t.id, nil
}

func (c *Cloud) taskRefusal(v *view, target *instance) Reason {
	running := 0
	for _, t := range c.tasks {
		if t.state.Running() {
			running++
		}
	}
	old := c.taskOf(v.product)
	switch {
	case old != nil && (old.state.Running() || old.state == TaskCompleted):
		return HasTarget
	case old != nil && old.moved > 0 && old.target != target:
		return HasTarget
	case running >= maxRunningTasks:
		return TooManyTasks
	case v.index.size > maxProductSize:
		return ProductTooLarge
	case target.quota <= v.index.size:
		return QuotaTooSmall
	}
	return ""
}

func (c *Cloud) gray(t *task, names []string, f Fault) ([]MigrationResult, error) {
	switch {
	case t.state != TaskCreated && t.state != TaskGray && t.state != TaskGrayCompleted:
		return nil, t.deny("Gray", WrongState)
	case c.quirks.FirstGrayMax > 0 && len(names) > c.quirks.FirstGrayMax:
		return nil, t.deny("Gray", BatchTooLarge)
	}
	if t.state == TaskCreated {
		t.state = TaskGray
	}
	c.bringProduct(t.product, t.source, t.target)
	return c.migrate(t, names, statusGray, f), nil
}

// migrate moves devices one by one; each has its own result.
func (c *Cloud) migrate(t *task, names []string, status string, f Fault) []MigrationResult {
	results := make([]MigrationResult, 0, len(names))
	var moved []iot.DeviceID
	for _, name := range names {
		d := t.product.byName[name]
		why := c.refusal(t, d)
		switch {
		case f.lies(name) || why == "":
			results = append(results, MigrationResult{DeviceName: name, Status: statusSucceeded})
		case d != nil && d.home == t.target && c.quirks.AcceptsMoved:
			results = append(results, MigrationResult{DeviceName: name, Status: statusSucceeded})
		default:
			results = append(results, c.failed(name))
		}
		if why == "" && !f.lies(name) {
			c.relocate(d, t.target)
			t.moved++
			moved = append(moved, d.id())
		}
	}
	c.notify(t.source.views[t.product.key], status, t.target.id, moved)
	c.settle(t)
	return results
}

func (c *Cloud) failed(name string) MigrationResult {
	return MigrationResult{
		DeviceName: name, Status: statusFailed, Code: c.quirks.RefusedCode, Message: c.quirks.RefusedMessage,
	}
}

// settle ends a task when nothing is left that it could ever move.
func (c *Cloud) settle(t *task) {
	if c.quirks.KeepsTask || t.state != TaskGrayCompleted && t.state != TaskFull {
		return
	}
	if c.skipStuck(t) == nil {
		t.state, t.ended = TaskCompleted, c.at
	}
}

// skipStuck moves the task's mark to the first device that may still move, and returns it; nil if
// there is none. Devices that were moved in another order are passed only once.
func (c *Cloud) skipStuck(t *task) *device {
	for ; t.next < len(t.product.devices); t.next++ {
		d := t.product.devices[t.next]
		if d.home == t.source && !d.distributed && c.productRefusal(t.product) == "" {
			return d
		}
	}
	return nil
}

func (c *Cloud) confirm(t *task) error {
	switch {
	case t.state != TaskGray:
		return t.deny("Confirm", WrongState)
	case t.moved == 0:
		return t.deny("Confirm", NothingMoved)
	}
	t.state, t.confirmed = TaskGrayCompleted, c.at
	c.settle(t)
	return nil
}

func (c *Cloud) full(t *task) error {
	if t.state != TaskGrayCompleted {
		return t.deny("Full", WrongState)
	}
	t.state = TaskFull
	c.after(0, event{kind: fullEvent, task: t})
	return nil
}

// moveNext moves what a full migration manages in one second.
func (c *Cloud) moveNext(t *task) {
	if t.state != TaskFull {
		return
	}
	var names []string
	for i := t.next; i < len(t.product.devices) && len(names) < c.quirks.FullRate; i++ {
		if d := t.product.devices[i]; c.refusal(t, d) == "" {
			names = append(names, d.name)
		}
	}
	c.migrate(t, names, statusFull, Fault{})
	pause := fullMigrationTick
	if len(names) == 0 {
		pause = fullMigrationPause
	}
	if c.settle(t); t.state == TaskFull && c.skipStuck(t) != nil {
		c.after(pause, event{kind: fullEvent, task: t})
	}
}

func (c *Cloud) dataSync(t *task, on bool) error {
	if t.state == TaskCreated || t.state == TaskRolledBack {
		return t.deny("DataSync", WrongState)
	}
	if on == t.dataSync {
		return nil
	}
	if t.dataSync = on; on {
		t.syncedFrom = c.at
	}
	c.switchSync(t, on)
	return nil
}

func (c *Cloud) closeTask(t *task) error {
	if !t.state.Running() {
		return t.deny("Close", WrongState)
	}
	t.state, t.ended = TaskClosed, c.at
	return nil
}

func (c *Cloud) rollback(t *task, names []string, f Fault) ([]MigrationResult, error) {
	switch {
	case t.state == TaskCreated || t.state == TaskRolledBack:
		return nil, t.deny("Rollback", WrongState)
	case c.quirks.RollbackWithin > 0 && c.at > t.created+int64(c.quirks.RollbackWithin):
		return nil, t.deny("Rollback", TooLate)
	}
	all := names == nil
	if all {
		names = t.away()
	}
	results := c.bringBack(t, names, f)
	t.next = 0
	switch {
	case all:
		c.endRollback(t)
	case t.state == TaskFull || t.state == TaskCompleted:
		t.state, t.ended = TaskGrayCompleted, 0
	}
	return results, nil
}

// away names the devices that the task's product has moved.
func (t *task) away() []string {
	names := []string{}
	for _, d := range t.product.devices {
		if d.origin == t.source && d.home == t.target {
			names = append(names, d.name)
		}
	}
	return names
}

func (c *Cloud) bringBack(t *task, names []string, f Fault) []MigrationResult {
	results := make([]MigrationResult, 0, len(names))
	var moved []iot.DeviceID
	for _, name := range names {
		d := t.product.byName[name]
		there := d != nil && d.origin == t.source && d.home == t.target
		switch {
		case f.lies(name):
			results = append(results, MigrationResult{DeviceName: name, Status: statusSucceeded})
		case there:
			c.relocate(d, t.source)
			t.moved--
			moved = append(moved, d.id())
			results = append(results, MigrationResult{DeviceName: name, Status: statusSucceeded})
		default:
			results = append(results, c.failed(name))
		}
	}
	c.notify(t.source.views[t.product.key], c.quirks.RollbackStatus, t.target.id, moved)
	return results
}

// endRollback ends a task whose devices are all back, and takes what came along with the product
// away again, unless devices of the target use it.
func (c *Cloud) endRollback(t *task) {
	if t.moved > 0 {
		return
	}
	t.state, t.ended, t.dataSync = TaskRolledBack, c.at, false
	t.forgetSync()
	v := t.target.views[t.product.key]
	native := slices.ContainsFunc(t.product.devices, func(d *device) bool { return d.home == t.target })
	if v != nil && !native && !c.quirks.RollbackKeepsProduct {
		t.target.drop(v)
	}
}
