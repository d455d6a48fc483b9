// Package load has a test of a backend at work while its fleet migrates, and nothing else. The platform is on sockets, the adapter is
// the real one, the journal is on disk. All devices report, commands are sent at a constant rate through a route.Client, answers are
// lost, calls are refused, slow and throttled, consumers are cut off, and in the middle a person returns a wave. What callers were
// told is compared with what the platform took and the devices received.
//
//	go test ./internal/load -v                                      a small form, of some seconds
//	go test ./internal/load -v -count=1 -devices 5000 -wait 30ms    the form of the promise: half a minute
package load
