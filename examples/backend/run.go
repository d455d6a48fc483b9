package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/iotferry/iotferry/examples/internal/show"
)

// flags are the command line.
type flags struct {
	addr  string
	dir   string
	fleet string
	fast  bool

	commands int
}

func parse(args []string, stdout io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("backend", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.addr, "addr", "localhost:8080", "`ADDRESS` to listen to")
	set.StringVar(&f.dir, "dir", "", "`DIRECTORY` of plans and journals; it is made if it is not there")
	set.StringVar(&f.fleet, "fleet", "", "fleet `FILE` of the platform in memory; without it the embedded demo.json")
	set.BoolVar(&f.fast, "fast", false, "let time be virtual")
	set.IntVar(&f.commands, "commands", 20, "send `N` commands a second to the fleet's devices; 0 for none")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		set.SetOutput(stdout)
		set.Usage()
		return f, err
	case err != nil:
		return f, fmt.Errorf("%w: -h lists the flags", err)
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case f.dir == "":
		return f, errors.New("-dir is missing: it has to say where plans and journals are kept")
	}
	return f, nil
}

// run returns 0 after a graceful stop, 1 if the service could not go on, and 2 for bad input.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		var s *Service
		if s, err = open(ctx, f, slog.New(slog.NewTextHandler(stderr, nil))); err == nil {
			if err = listen(ctx, f, s, stdout); err == nil {
				return 0
			}
			fmt.Fprintln(stderr, "backend:", show.Text(err.Error()))
			return 1
		}
	}
	fmt.Fprintln(stderr, "backend:", show.Text(err.Error()))
	return 2
}

// listen serves until ctx is done, then finishes the requests and stops the campaigns where they are.
func listen(ctx context.Context, f flags, s *Service, stdout io.Writer) error {
	defer func() {
		_ = s.Close() // its campaigns have stopped, whatever else did not work
		if c := s.config.Commands; c != nil {
			fmt.Fprintln(stdout, "backend:", c.Figures())
		}
		if m := s.config.Messages; m != nil {
			if c := m.Continuity(); len(c.There.Devices) > 0 {
				fmt.Fprintln(stdout, "backend:", c)
			}
		}
	}()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	fmt.Fprintf(stdout, "backend: listening on http://%s\n", listener.Addr())
	if f.fast {
		fmt.Fprintln(stdout, "backend: time is virtual: waits of hours or days pass at once")
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err = server.Shutdown(patience)
	<-failed
	return err
}
