// Package fake is the platform in memory: one account with a legacy public instance and its Enterprise
// instances, the APIs with their limits, the web console, message forwarding, and the devices themselves.
// It behaves as the platform's documentation says; where that is silent, [Quirks] says what it does.
//
// A [Cloud] is made of a fleet by [New]. There are five doors to it:
//
//   - the APIs, one method each, with the platform's names, limits, quotas and error codes;
//   - [Cloud.Platform] and [Cloud.Receiver], which put the contracts of package iot on top of them;
//   - [Cloud.Console], what only the web console offers;
//   - [Cloud.Attach], by which a client is a device, in place of the simulated one: see [Session];
//   - [Cloud.Truth], [Cloud.PowerOn] and their like: what no client of the platform can see or do.
//
// [Cloud.Sink] and [Cloud.Consume] are where messages come out.
//
// # Time
//
// A Cloud starts no goroutine. What time has changed, by the clock that it shares with the runner of a
// campaign, is computed when somebody asks: events in the order of time, and periodic reports by
// arithmetic, when they are read. Weeks of hundreds of thousands of devices cost little that way.
// [Cloud.Follow] asks in place of those who only listen.
//
// Clients that are devices live in real time, however the Cloud's clock jumps. So a command waits for their
// answer in real time first, their limits go by real time, and a [Consumer] that is Watched is never idle.
//
// # Faults
//
// Options.Hook is asked before every operation and can refuse it, let it happen and lose the
// answer, or answer without doing it; see [Fault].
//
// # History
//
// What devices report of their thing model, and the calls of their services, is their history; the platform shows 30 days of it.
// Reports of simulated devices are made when they are read; what clients post, what is set and calls are remembered.
//
// There is history of before the Cloud began, at its instance in the fleet: of a device that is online as if it had always been,
// of one that is offline until it went. It reaches back for 30 days at the pace of now, or for as long, at the pace and from the
// seed that the fleet's history says. A device that is unactive or disabled has none of before.
//
// An instance shows what a device reported while it lived there. A device that moves is deleted where it was, with its history. What
// [Console.DataSync] copied before is at the target, under the same times, already before the move. Quirks of their own say
// how much, how fast and when; see [Options].History for gaps, late rows, duplicates and other values.
//
// # Differences from the platform
//
//   - There is one account, which owns everything; permissions, RAM users, regions and signatures do not exist.
//   - Only the APIs that have a method here exist. Changes of parsers, scripts, jobs, update batches, scenes and the shadow, dynamic
//     groups of devices, device distribution as an act, deletion of devices, and changes of the topology by a server are missing.
//   - Parsers, jobs, update batches and scenes can be read, and have no effect. [Cloud.Setup] puts them there. Each parser has a data
//     source of its own, and there is nothing behind the address of a script. A device's shadow goes with it.
//   - What comes along with a product comes at its first gray batch, and is a copy. Rules and parsers send to the consumer group that stands
//     for theirs.
//   - QueryThingModelPublished answers in the form of GetThingModelTslPublished, that of fleet files.
//   - A thing model has one version, v1.0.0; asking for another is refused with a code of the fake's own.
//   - Histories tell neither that a start is too long ago, nor that an identifier is not in the thing model: there are no rows then.
//     Both bounds belong to what is asked for, a page begins with the rows at its NextTime, and of more rows of one millisecond than
//     fit on a page the rest cannot be read. Only QueryDevicePropertiesData minds the order of the bounds. Values are texts.
//   - Histories go by where a device really is, whatever the registries show. A call of a service is a row at the time of the
//     call once the device got it. Of one device 100,000 rows that are not made by arithmetic are remembered, and of
//     simulated reports those of its last 256 connections. It may have history from before it was created.
//   - The quota of RRpc is that of one caller's address (100 per second), as all calls come from this process.
//   - A call that is refused for its quota does not use up quota. Calls take no time, unless a hook says so.
//   - Over-long batches are refused with iot.device.InvalidFormattedDeviceName, and consumer groups and
//     subscriptions have error codes of the fake's own (iot.consumergroup, iot.subscribe): the platform's are not documented.
//   - BatchGetDeviceState leaves out devices that are not on the instance; GetGatewayBySubDevice answers with
//     nothing for a device that has no gateway. Neither is documented.
//   - Visibility lags concern what the registry shows. Commands go by where a device really is.
//   - CreateTask compares the target's quota with the devices of this one product, and nothing checks it
//     when devices connect. A product that cannot be moved can have a task; its devices fail one by one.
//   - A rollback moves all its devices at once. A task can be closed by hand.
//   - A task that has completed is gray-completed again when a device of its product is added at the source.
//   - All devices that no client brings speak in the same way: a custom device publishes /user/update every
//     Quirks.ReportEvery, or the first topic that a rule names, and the other topics that rules name more seldom; an
//     Alink device its properties and events. They lie on a grid in time: nothing is sent at connecting. A device
//     that was off during a report does not send it later.
//   - Messages do not get lost or out of order, and have no size limit. Push rates and connect rates of AMQP do
//     not exist. Reports are kept a day and never pushed out; other messages are kept a day and up to
//     Quirks.MaxBacklog. What a group that loses a product's device data has not consumed of its reports is gone.
//   - A [Cloud.Receiver] settles what it returned even if its connection was closed for idleness meanwhile.
//   - Rules have no SQL: they take all of a message whose topic fits. They see what devices publish, not status
//     and lifecycle messages; their actions never fail; a sink keeps the newest messages only.
//   - Messages for MNS queues go nowhere.
//   - Messages that wait for a device at the source (QoS 1) are lost when it moves.
//   - Synchronous services of an offline device are refused with iot.messagebroker.OFFLINE.
//
// Of devices that clients bring:
//
//   - There are the topics for custom messages, properties, events, services, RRPC and the topology, for sub-devices'
//     sessions and for kick notices. Raw data, packs and batches of a gateway, history posts, found devices, the shadow, OTA and NTP are
//     not: what is published there has no effect and no answer. RRPC always uses its own topic, whatever the call asks for.
//   - Of a post, the names are checked by the thing model, not the types: a property that it does not know is listed
//     in checkFailedData, an event that it does not know is refused with code 460. Values may come without their time.
//   - A refused query is answered by the documented code; which of several reasons counts is not documented. A batch of more
//     than 5 logins is refused with 460, more logged-in sub-devices than Quirks.MaxSubDevices with 428, and a sub-device
//     that logs in more than 5 times a minute with 429. A login again in the same session changes nothing.
//   - The answer to a login or logout names the sub-device, that of a batch all of them. Kick notices and topology notices have the
//     fields id, code, message and data, or id, version, method and params.
//   - Only sub-devices on the gateway's instance can be added to its topology; others are not found (6100). topo/change tells a
//     gateway when another one takes its sub-device over, and when a sub-device is disabled (8) or enabled (2).
//   - Sub-devices that go offline with their gateway have its code in their status messages. Logging out has the code 0.
//   - A synchronous service that a device answers with another code than 200 fails with iot.device.InvokeThingServiceFailed.
//     The answer to set properties is a message, as that to an asynchronous service. Late answers to synchronous calls are lost.
//   - Commands to one device beyond 50 a second are refused with iot.messagebroker.RateLimit.
//   - A message that has left for the front does not come again, even if the client never acknowledged it.
//   - A device that was registered dynamically has a new secret each time, until it connects.
package fake
