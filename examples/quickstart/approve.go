package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/migrate"
)

// approver returns who answers gates, and what to call when the campaign is over.
func (p program) approver(f flags) (migrate.Approver, func()) {
	if !f.ask {
		return migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "the demo"}, nil
		}), func() {}
	}
	out := p.stdout
	if f.json {
		out = p.stderr
	}
	person := &person{out: out, lines: make(chan string), gone: make(chan struct{})}
	go person.read(p.stdin)
	return person, func() { close(person.gone) }
}

// A person answers gates at the terminal.
type person struct {
	out   io.Writer
	lines chan string   // closed at the end of the input
	gone  chan struct{} // closed when nobody asks any more
}

// read hands lines on. A read that waits for a terminal cannot be taken back: it ends with the process.
func (p *person) read(in io.Reader) {
	defer close(p.lines)
	for text := bufio.NewScanner(in); text.Scan(); {
		select {
		case p.lines <- text.Text():
		case <-p.gone:
			return
		}
	}
}

// Approve asks until the person says yes or no. The end of the input is a no.
func (p *person) Approve(ctx context.Context, g migrate.Gate) (migrate.Decision, error) {
	fmt.Fprintf(p.out, "\nGate %s of lane %s: %s\n", g.Stage, g.Lane, show.Text(g.About))
	fmt.Fprintf(p.out, "So far in this lane: %d proven, %d failed, %d asleep.\n", g.Proven, g.Failed, g.Asleep)
	if g.OneWay {
		fmt.Fprintln(p.out, "There is NO WAY BACK past this gate.")
	}
	for {
		fmt.Fprint(p.out, "Approve? [yes/no] ")
		select {
		case <-ctx.Done():
			fmt.Fprintln(p.out)
			return migrate.Decision{}, ctx.Err()
		case text, ok := <-p.lines:
			if d := answer(text, ok); d != nil {
				return *d, nil
			}
		}
	}
}

// answer returns nil for what is neither yes nor no.
func answer(text string, ok bool) *migrate.Decision {
	const by = "you"
	if !ok {
		return &migrate.Decision{Kind: migrate.Refuse, By: by, Note: "nobody answers: the input has ended"}
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "y", "yes":
		return &migrate.Decision{Kind: migrate.Approve, By: by}
	case "n", "no":
		return &migrate.Decision{Kind: migrate.Refuse, By: by}
	}
	return nil
}
