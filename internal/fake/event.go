package fake

// An eventKind tells what happens by itself.
type eventKind uint8

const (
	connectEvent eventKind = iota // a device tries to connect
	showEvent                     // the registry of an instance learns whether it has a device
	publishEvent                  // a device publishes a message
	fullEvent                     // a full migration moves its next devices
)

// An event happens by itself at its time.
type event struct {
	at     stamp
	serial uint64
	kind   eventKind
	dev    *device
	try    uint32    // connect: void if the device has been cut off again since
	in     *instance // show
	rec    *record   // publish
	task   *task     // full
}

// before orders events by time, then by the order in which they were scheduled.
func (e event) before(other event) bool {
	if e.at != other.at {
		return e.at < other.at
	}
	return e.serial < other.serial
}

// advance lets everything happen that time has brought since somebody asked last. While the hook
// decides about an event, other goroutines see the state before it.
func (c *Cloud) advance() {
	if c.asking {
		return
	}
	now := c.clock.Now().UnixNano()
	for len(c.events) > 0 && c.events[0].at <= now {
		e := c.events.pop()
		c.at = max(c.at, e.at)
		c.happen(e)
	}
	c.at = max(c.at, now)
}

func (c *Cloud) happen(e event) {
	switch e.kind {
	case connectEvent:
		c.tryConnect(e.dev, e.try)
	case showEvent:
		c.show(e.dev, e.in)
	case publishEvent:
		c.publish(e.dev, *e.rec)
	case fullEvent:
		c.moveNext(e.task)
	}
}
