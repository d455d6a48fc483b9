// Backend is a small HTTP service that embeds the runner, as an existing backend would: campaigns are started, watched and
// decided over HTTP, and their journals are files, so that a process that was stopped or killed resumes them.
//
//	go run ./examples/backend -dir /tmp/campaigns -fast
//
//	curl -d '{"name":"spring"}' localhost:8080/campaigns                  start a campaign
//	curl localhost:8080/campaigns                                         the names of all campaigns
//	curl localhost:8080/campaigns/spring                                  its report: lanes, gates, counts, evidence
//	curl localhost:8080/campaigns/spring/plan                             its plan
//	curl localhost:8080/commands                                          what became of the backend's commands
//	curl localhost:8080/continuity                                        what the moves have done to the devices' messages
//	curl -d '{"lane":"a1Meter0001","stage":"confirm-gray","by":"ann"}' localhost:8080/campaigns/spring/approve
//	curl -d '{"by":"ann"}' localhost:8080/campaigns/spring/pause          also with "lane"; resume goes on
//	curl -d '{"by":"ann"}' localhost:8080/campaigns/spring/abort          also with "lane"; resume goes on here as well
//	curl -d '{"by":"ann"}' localhost:8080/campaigns/spring/rollback       also with "lane", "stage" and "wave"
//
// There is refuse as well, with the fields of approve. Every decision says who decides in "by", and may say why in "note". An
// error is {"error":"..."} with a fitting status. There is no login: the service listens to localhost only, and
// belongs behind whatever your backend checks its users with.
//
// Meanwhile the backend does its business: it sends commands to its devices, 20 a second (-commands), wherever they are. What it
// needs for that is in commands.go; package route is the only new part. And it hears its devices, at whichever instance they report:
// that is in messages.go and gaps.go, where package route/dual is new. When it stops, it prints what became of the commands, and how
// long devices were not heard when they moved.
//
// The platform is in memory and runs in real time: a campaign takes about ten minutes, and a lane with data synchronisation
// seven days. With -fast time is virtual: waits take none, and lanes take turns, so a gate that nobody answers holds
// up all lanes. When the process starts again, the platform in memory is brought to where the journals say
// that it was; a real platform needs no such thing.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
