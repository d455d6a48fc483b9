// Package soak has tests of real processes, and nothing else: runners that work over sockets with the real adapter and keep their
// journal on disk, against cmd/iotsim in a process of its own. Runners are killed by SIGKILL, stopped, and started
// twice; the simulator counts what became of every device.
//
//	go test ./internal/soak -v                                       a small form of everything
//	go test ./internal/soak -v -run Killed -devices 20000 -kills 200 -timeout 60m
//	go test ./internal/soak -v -run Killed -devices 20000 -kills 200 -timeout 60m -seed N    with the same random numbers
package soak
