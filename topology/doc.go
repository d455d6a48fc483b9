// Package topology turns a stream of devices and gateway relations into families, and families into what a
// migration does with them: samples, waves and calls. It also compares two topologies.
//
// A gateway and all its sub-devices must go to the same instance together, and the topology must not
// change meanwhile, or sub-devices get errors when they connect. So the unit of everything here is the
// [Family]: it moves whole or not at all.
//
// All of the package is pure: no I/O, no clock, no goroutines, no state. Equal arguments give equal
// results. Arguments are never changed, and results share no memory with them but the texts of
// device IDs. Every function is safe for concurrent use.
package topology
