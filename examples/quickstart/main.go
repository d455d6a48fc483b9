// Quickstart migrates a mixed fleet from the public instance to the Enterprise instance, on the platform in memory and in
// virtual time. It prints the preflight, the plan of each lane, live progress, and a report to be believed.
//
//	go run ./examples/quickstart                                 the embedded demo.json
//	go run ./examples/quickstart -fleet fleets/s2-gateway.json   another fleet file
//	go run ./examples/quickstart -wire                           over sockets: OpenAPI, AMQP and MQTT through the real adapter
//	go run ./examples/quickstart -ask                            you approve each gate, with plain lines for progress
//	go run ./examples/quickstart -preflight                      stop after the preflight
//	go run ./examples/quickstart -json                           the report as JSON, without progress
//	go run ./examples/quickstart -preflight -json                the preflight in the form of fleets/*.expected.json
//
// Exit codes: 0 if everything eligible is proven; 1 if the campaign stopped or something could not be proven; 2 for bad
// input or a campaign that may not start, with one error on stderr that holds the path of the fault. With -preflight
// it is 0 for every fleet that can be read: what may not start is listed among what is blocked.
package main

import (
	"context"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
