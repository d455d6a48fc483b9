// Iotsim is the platform as a process: a fleet file behind the real protocols (OpenAPI, MQTT, AMQP), so that clients of any
// language can be tried without a cloud account. It listens on this machine only, unless told otherwise.
//
//	go run ./cmd/iotsim -fleet fleets/s1-direct.json
//	go run ./cmd/iotsim -fleet demo.json               a file of package fleets, if there is none of that name here
//	go run ./cmd/iotsim -fleet FILE -quota none        no call is refused for its quota
//	go run ./cmd/iotsim -fleet FILE -devices=false     no simulated firmware: devices are offline until clients bring them
//	go run ./cmd/iotsim -fleet FILE -addr 0.0.0.0 -host sim.example.com -port 41001
//
// When it is ready, it writes one line of JSON to stdout, and nothing after it:
//
//	{"openapi":"http://127.0.0.1:41001","openapiTLS":"https://…","mqtt":"tcp://…","mqttTLS":"tls://…","mqttTarget":"tcp://…",
//	 "amqp":"amqp://…","amqpTLS":"amqps://…","console":"http://…","caFile":"/tmp/….pem","accessKeyId":"…",
//	 "accessKeySecret":"…","uid":"…","region":"cn-shanghai","targetInstanceId":"iot-060a0001"}
//
// The access key is that of the fleet file, mqtt is the public domain, which serves a device wherever it lives, and mqttTarget
// the target's own. With -port they have consecutive ports in this order. The CA in caFile is made anew at each start;
// without -ca its file is temporary. Logs go to stderr. SIGTERM and SIGINT end it.
//
// The console is the operator's hand, and no part of the platform's API:
//
//	console=http://127.0.0.1:41008
//	curl -d '{"productKey":"a1Meter0001","targetInstanceId":"iot-060a0001"}' $console/tasks        create a migration task
//	curl -d '{"deviceNames":["meter-0001","meter-0002"]}' $console/tasks/task-1/gray             move the first gray batch
//	curl -X POST $console/tasks/task-1/confirm               confirm it: BatchGrayMigrationDevice works from here on
//	curl -d '{"enabled":true}' $console/tasks/task-1/datasync                                      synchronise history
//	curl -X POST $console/tasks/task-1/full                  move the rest
//	curl -d '{"deviceNames":["meter-0001"]}' $console/tasks/task-1/rollback                      return these devices
//	curl -X POST $console/tasks/task-1/rollback              return all
//	curl -X POST $console/tasks/task-1/close                 end it as it is
//	curl $console/tasks
//	curl $console/devices/a1Meter0001/meter-0001             where a device really is; without a name, all of the product
//	curl $console/calls                                      what was called, and how often it was refused
//	curl -d '{"advance":"168h"}' $console/clock              let a week pass
//	curl -X POST $console/amqp/drop                          cut all AMQP clients off
//	curl -d '{"faults":[{"name":"BatchGrayMigrationDevice","after":3,"count":1,"lost":true}]}' $console/faults
//
// A fault refuses, loses the answer, delays, lies, or leaves devices out of an answer; "go doc ./internal/fake/sim" has all
// their fields and the answers of the console.
//
// Exit codes: 0 when it was told to end, 1 if it could not go on, and 2 for bad input, with one line on stderr that
// names the place in the fleet file.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // it goes on when nobody reads its output any more
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
