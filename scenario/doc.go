// Package scenario holds the four strategies of the platform's migration guide. Each of them has a file that reads
// like its page of the guide, stage by stage:
//
//	1  direct         devices with a certificate of their own that speak on custom topics
//	2  gateway        gateways with sub-devices: families move whole
//	3  preregistered  devices with a certificate per product, registered before; AMQP subscriptions
//	4  tsl            devices with a thing model; their history is synchronised
//
// [All] returns the four for a planner. No lane fits two of them.
//
// What all four share: the console opens a migration task per product; a first gray batch moves and is proven;
// a person confirms it; further devices move by API, wave by wave, or at last all at once by full migration in
// the console. Nothing has to be changed on a device. A device is proven by what package verify observes: that it is
// online at the target since its move, that its forwarding came along, that its reports arrive, and that
// the server's calls reach it.
//
// [Options] say what only the caller knows: where forwarded messages can be seen, which services may be
// called, how the server is updated. The zero Options give strategies that run; what they cannot observe then, the
// stages say in their About.
package scenario
