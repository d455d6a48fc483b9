package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/migrate"
)

// A progress shows a campaign while it runs. Close ends it.
type progress interface {
	Watch(migrate.Entry, *migrate.State)
	Close()
}

// progress returns bars for a terminal and plain lines for everything else. A question among bars could not be
// read, so there are no bars with -ask.
func (p program) progress(f flags, plan *migrate.Plan) progress {
	if f.json {
		return silence{}
	}
	show.Plan(p.stdout, plan)
	fmt.Fprintln(p.stdout, "MIGRATION on the platform in memory. Time is virtual: what takes hours or days passes in a moment.")
	if f.ask {
		fmt.Fprintln(p.stdout, "The demo performs every console task itself; you approve the gates.")
	} else {
		fmt.Fprintln(p.stdout, "The demo approves every gate and performs every console task itself; with -ask you approve the gates.")
	}
	if !f.ask && isTerminal(p.stdout) {
		return newBars(p.stdout, plan)
	}
	return lines{&show.Lines{W: p.stdout, Plan: plan}}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// lines are the progress for everything but a terminal.
type lines struct{ *show.Lines }

func (lines) Close() {}

// silence is the progress of -json.
type silence struct{}

func (silence) Watch(migrate.Entry, *migrate.State) {}
func (silence) Close()                              {}
