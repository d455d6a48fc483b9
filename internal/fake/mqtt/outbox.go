package mqtt

import (
	"strings"
	"sync"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/iotferry/iotferry/internal/fake"
)

// maxWaiting is how many messages wait for a client that acknowledges none.
const maxWaiting = 1000

// An outbox writes messages to one client: those that it subscribed to, with the QoS that it asked for. It counts
// acknowledgements itself, as the broker mixes up its own packet identifiers with the client's. It is safe for
// concurrent use.
type outbox struct {
	write  func(packets.Packet) error
	window int  // how many may be without acknowledgement
	system bool // system topics need no subscription

	mu      sync.Mutex
	filters map[string]byte // the QoS of each subscription
	unacked map[uint16]bool
	waiting []packets.Packet // QoS 1, until the window opens
	last    uint16           // packet identifier
}

// subscribe adds a filter or changes its QoS. It reports false if there are most filters already.
func (o *outbox) subscribe(filter string, qos byte, most int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.filters[filter]; !known && len(o.filters) >= most {
		return false
	}
	if o.filters == nil {
		o.filters = map[string]byte{}
	}
	o.filters[filter] = min(qos, 1)
	return true
}

// unsubscribe removes a filter, and reports whether it was there.
func (o *outbox) unsubscribe(filter string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, known := o.filters[filter]
	delete(o.filters, filter)
	return known
}

// send writes a message, or lets it wait, or drops it and reports false: nobody asked for it, or too many wait. A
// connection that cannot be written to is the reader's business.
func (o *outbox) send(d fake.Downlink) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	qos, wanted := o.qos(d)
	if !wanted || qos == 1 && len(o.waiting) >= maxWaiting {
		return false
	}
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, TopicName: d.Topic, Payload: d.Payload,
	}
	if qos == 0 {
		_ = o.write(pk)
		return true
	}
	o.waiting = append(o.waiting, pk)
	o.flush()
	return true
}

// qos returns with which QoS the client wants a message: the highest that it asked for on the topic.
func (o *outbox) qos(d fake.Downlink) (qos byte, wanted bool) {
	most := byte(min(d.QoS, 1))
	if o.system && (strings.HasPrefix(d.Topic, "/sys/") || strings.HasPrefix(d.Topic, "/ext/")) {
		return most, true
	}
	for filter, asked := range o.filters {
		if matches(filter, d.Topic) {
			qos, wanted = max(qos, asked), true
		}
	}
	return min(qos, most), wanted
}

// acknowledged takes a PUBACK: the next one that waits may go.
func (o *outbox) acknowledged(id uint16) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.unacked, id)
	o.flush()
}

func (o *outbox) flush() {
	for len(o.waiting) > 0 && len(o.unacked) < o.window {
		pk := o.waiting[0]
		o.waiting = o.waiting[1:]
		pk.PacketID = o.identifier()
		_ = o.write(pk)
	}
}

// identifier returns a packet identifier that is free, and takes it. There is one: the window is smaller than their number.
func (o *outbox) identifier() uint16 {
	if o.unacked == nil {
		o.unacked = map[uint16]bool{}
	}
	for {
		o.last++
		if o.last != 0 && !o.unacked[o.last] {
			o.unacked[o.last] = true
			return o.last
		}
	}
}
