// Package carry gives the target what a migration leaves behind and an API can bring: the labels of devices, and the groups that they are in.
//
// A device that has moved is gone from the source, and nobody can read its labels there any more. So there are two steps, with the move
// between them: [Keep] reads what every device has into a [Store] while it is at the source, and [Carry] gives it to the devices that are at the
// target. [Check] says what is missing still. Each step can be killed at any moment and run again: it goes on where it was, and what was
// done twice is the same as once.
//
// A store belongs to one campaign: what devices get at the source after they were kept is not in it, nor are devices that are created later.
//
// Nothing is taken away and nothing replaced: a label that has another value at the target was set there by somebody. What no API brings
// is on a [github.com/iotferry/iotferry/configdiff.Checklist].
//
// The platform's quotas allow about 44 devices a second, for keeping, for carrying and for checking: 500,000 take three hours each. Labels and groups have quotas of
// their own, so both are read at once.
package carry
