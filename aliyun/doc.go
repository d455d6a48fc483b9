// Package aliyun reaches the real platform: both instances of an account and what moves devices between them, through
// the contracts of package iot. [Open] makes a [Client] for one account and calls nobody; [Client.Platform] is what a campaign
// works on, [Client.SourceReceiver] and [Client.Messages] consume what devices send, and a [Canary] is a device of one's own.
//
// # Calls
//
// Each method of a contract makes the calls that it documents, each of them once: nothing is retried, as only the caller
// knows whether that is safe. Every error is an [iot.Error] with a kind and the platform's code. A call that writes and whose answer
// was lost is [iot.UnknownOutcome]. What the platform would refuse, misunderstand or cut without a word is [iot.Invalid], and
// no call is made: more than 10 names for BatchGrayMigrationDevice, a name twice, an empty payload.
//
// Every call goes through one [iot.Pacer]: see Config.Pacer. Quotas count for the whole account, whoever calls.
//
// # Large products
//
// Up to 100,000 devices a product is listed by QueryDevice, 45 pages of 50 a second: the documented 50, of which the governor keeps a
// tenth for urgent reads. From there on the platform allows 2 pages a second, and the list goes by QueryDeviceByStatus
// instead, which is as fast as before. It is read again where devices have changed their status meanwhile, up to three times, until it
// is proven to be whole, and by the slow way after that. A product of 500,000 devices takes about 4 minutes a time. From 1,000,000
// devices on there is no documented way, and Devices ends with an [iot.Invalid] error.
//
// [WithDeviceLists] lists products by files instead, such as the console's export. It reads each device's state, so nothing
// is believed but names.
//
// # What is not documented
//
// Where the documentation is silent the package reads leniently, and never guesses that something is fine. A result of a
// move that is neither success nor failure in documented words is none, so that its outcome is unknown. A status of a device
// that is not documented is passed on in lower case. A time without a zone is no time. A batch of states that the platform refuses
// for one device it does not have is halved until that device is found.
package aliyun
