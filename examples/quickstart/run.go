package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// The exit codes.
const (
	exitProven   = 0
	exitUnproven = 1
	exitBad      = 2
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return program{stdin: stdin, stdout: stdout, stderr: stderr}.run(ctx, args)
}

// A program is the command with what it is connected to.
type program struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	fault  func(migratetest.Op) migratetest.Fault // nil, but in tests
}

// flags are the command line.
type flags struct {
	fleet     string
	how       town.How
	ask       bool
	preflight bool
	json      bool
}

func (p program) run(ctx context.Context, args []string) (code int) {
	f, err := p.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitProven
	case err != nil:
		return p.fail(err, exitBad)
	}
	f.how.Fault = p.fault
	j, err := prepare(ctx, f.fleet, f.how)
	switch {
	case ctx.Err() != nil:
		return p.fail(errInterrupted, exitUnproven)
	case err != nil:
		return p.fail(err, exitBad)
	}
	defer func() {
		if err := j.town.Close(); err != nil {
			code = max(code, p.fail(err, exitUnproven))
		}
	}()
	if code, done := p.showPreflight(f, j); done {
		return code
	}
	if err := j.mayStart(); err != nil {
		return p.fail(err, exitBad)
	}
	return p.migrate(ctx, f, j)
}

func (p program) parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.fleet, "fleet", "", "fleet `FILE` to migrate; without it the embedded demo.json")
	set.BoolVar(&f.ask, "ask", false, "ask you to approve each gate; else the demo approves them itself")
	set.BoolVar(&f.preflight, "preflight", false, "stop after the preflight")
	set.BoolVar(&f.json, "json", false, "write JSON for machines")
	f.how.Flags(set)
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		set.SetOutput(p.stdout)
		set.Usage()
		return f, err
	case err != nil:
		return f, fmt.Errorf("%w: -h lists the flags", err)
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q: a fleet file is given by -fleet", set.Arg(0))
	}
	return f, nil
}

// showPreflight prints the preflight and reports whether that was all.
func (p program) showPreflight(f flags, j *journey) (code int, done bool) {
	switch {
	case f.json && f.preflight:
		return p.writeJSON(preflightOf(j.plan), exitProven), true
	case !f.json:
		if err := j.preflight.WriteText(p.stdout); err != nil {
			return p.fail(err, exitUnproven), true
		}
	}
	return exitProven, f.preflight
}

var errInterrupted = errors.New("interrupted")

// fail prints the one error.
func (p program) fail(err error, code int) int {
	fmt.Fprintln(p.stderr, "quickstart:", show.Text(err.Error()))
	return code
}

// openFleet opens a fleet file; an empty name is the embedded demo.
func openFleet(name string) (io.ReadCloser, error) {
	if name == "" {
		return io.NopCloser(demo()), nil
	}
	return os.Open(name)
}
