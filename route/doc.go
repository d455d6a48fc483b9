// Package route is for server code during and after a migration: it answers which instance serves a device now, and
// calls the device there.
//
// A [Table] holds what is known of millions of devices and answers without waiting. It is fed by a campaign's journal
// ([Follower]), by the platform's own messages ([Router.Notice]), and by whoever knows something ([Table.Learn]). A [Router] looks at both
// instances where the table is not sure. A [Client] is an [iot.Commander] that calls the right instance, so a backend
// changes one value. A [Transport] does the same for a backend that keeps the vendor's SDK.
//
// # What is known, and how sure
//
// Every [Fact] has a time. Of two facts about a device the newer counts, whatever comes first: messages may be late or come
// twice, journals may be read again from their beginning. So the clocks of runner, platform and backend have to agree to within
// the seconds that a move takes. Where they do not, an answer is stale for that long, and the next call finds out.
//
// A stale answer costs one call, never a command: an instance that does not have the device refuses with [iot.NotFound],
// nothing happens, and the other one is asked. Nothing else is ever sent again: after [iot.UnknownOutcome] the device may have got
// the command.
package route
