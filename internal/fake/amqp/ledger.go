package amqp

// maxUnsettled is how many deliveries a ledger remembers.
const maxUnsettled = 1 << 18

// A ledger holds the deliveries of a link that the client has not settled, by their IDs. These are numbers in a row that
// may wrap around.
type ledger struct {
	first uint32 // ID of the oldest
	list  []entry
}

type entry struct {
	tag  uint64 // the platform's
	open bool
}

// add remembers a delivery; its ID is the one after that before. The oldest goes if there are too many.
func (l *ledger) add(tag uint64) {
	l.list = append(l.list, entry{tag: tag, open: true})
	if len(l.list) > maxUnsettled {
		l.forget(1)
	}
}

// take forgets the deliveries from first to last, and appends the platform's tags of those that it had.
func (l *ledger) take(tags []uint64, first, last uint32) []uint64 {
	// Seen from the oldest, what has been forgotten lies below zero.
	from, to := max(int32(first-l.first), 0), min(int(int32(last-l.first)), len(l.list)-1)
	for i := int(from); i <= to; i++ {
		if l.list[i].open {
			tags = append(tags, l.list[i].tag)
			l.list[i].open = false
		}
	}
	closed := 0
	for closed < len(l.list) && !l.list[closed].open {
		closed++
	}
	l.forget(closed)
	return tags
}

// forget drops the oldest. Appending moves the rest to a new array when this one is used up.
func (l *ledger) forget(n int) {
	l.list = l.list[n:]
	l.first += uint32(n)
}
