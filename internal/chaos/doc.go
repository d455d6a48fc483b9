// Package chaos has no code: it tests whole campaigns, by the public API, on the platform in memory.
//
// The random fault test draws a small fleet, a plan and its weather from a seed, lets a campaign run through it, and checks
// after every entry of the journal and every call of the platform what must always be so. The test of the lying platform
// lets the platform's answers lie, one kind at a time and combined, and counts devices that are proven and should not be.
//
// docs/testing.md says how to run more of both, and how to replay a seed.
package chaos
