// Package migratetest is for the tests of those who extend iotferry: a platform in memory behind a small API,
// and a suite for each contract that you can implement.
//
//	TestStrategy   strategies
//	TestVerifier   verifiers
//	TestJournal    journals
//	TestPlatform   adapters of the platform
//
// # The platform in memory
//
// [Open] makes a [Cloud] of a fleet file; [Generate] writes one in a line. Its devices report, answer and reconnect by
// themselves, its console is reached through [Cloud.Operator], its quotas count as documented, and what it really
// did is told by [Cloud.Owner], [Cloud.Online], [Cloud.MovedTimes] and [Cloud.Calls]. With a [Clock] weeks pass in
// seconds. [Options].Fault makes things go wrong: it refuses operations, loses answers, lets the platform lie and leave
// devices out of its answers, and, by refusing Connect, makes firmware that does not come back.
//
// [Cloud.Listen] puts the platform on sockets, as OpenAPI, MQTT and AMQP, for adapters and real devices of any language; the
// [Wire] has the addresses, the CA and the access key. With a [HastyClock] a campaign of weeks takes seconds there, while
// clients get the milliseconds that they need. The same as a program of its own is cmd/iotsim.
//
// # Testing a strategy
//
// A whole test is one call:
//
//	func TestMine(t *testing.T) {
//		migratetest.TestStrategy(t, migratetest.StrategyTest{}, func(c *migratetest.Cloud) migrate.Strategy {
//			return mine.Strategy(mine.Options{Sink: c.Sink()})
//		})
//	}
//
// It runs the campaign some hundred times, kills it at every append to its journal (before, within its bytes, after), at
// every call of the platform and while the operator works, and compares the ends. StrategyTest.Most bounds how often,
// for a strategy that is slow to run; with -short it is a tenth.
//
// # What the suites do not prove
//
// They prove promises on the platform in memory, which behaves as documented and, where the documentation is silent,
// as its Quirks say; package internal/fake lists the differences. They do not prove that a journal survives a
// loss of power, that own code is harmless to systems outside of the platform, that a stage's text is true, or
// that waits and ramps are wise. A process that dies in a call dies before the effect or after it.
package migratetest
