// Package subscribe consumes the consumer groups of one instance over AMQP 1.0: the platform's server-side subscription. A
// [Client] pulls what waits ([Client.Receive]); a [Stream] pushes messages into a handler for as long as it runs.
//
// Both deliver at least once and in no order that could be relied on: that is the platform's contract. Both drop what comes
// again: a message that was handled is accepted and not handled again; one that comes again while it is being
// handled waits for that handling and is settled with it. They know a message by its messageId, over
// reconnects and over all connections of one group. They remember the newest [Config.Remember] handled messages
// at least, and twice as many at most; what was forgotten is handled again.
package subscribe
