// Historydiff says what two instances know of devices that are yet to move: it compares thing models, and what data
// synchronisation has copied of the devices' history, row by row. The fleet is that of s4-tsl.json, or of a file of yours, on
// the platform in memory, where seven days pass at once. A few rows are lost on the way, so that there is something to find.
//
//	go run ./examples/historydiff
//	go run ./examples/historydiff -json           one line of JSON for each hour that differs, and for each change of a model
//	go run ./examples/historydiff -gaps=false     nothing is lost
//	go run ./examples/historydiff -fleet FILE     another fleet with a thing model
//
// It ends with 0 if both instances agree, with 1 if they differ or could not be read, and with 2 for bad input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/iot"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// flags are what the command line says.
type flags struct {
	fleet   string
	json    bool
	gaps    bool
	devices int
}

func parse(args []string, stdout io.Writer) (f flags, err error) {
	set := flag.NewFlagSet("historydiff", flag.ContinueOnError)
	set.StringVar(&f.fleet, "fleet", "", "a fleet `file` instead of s4-tsl.json")
	set.BoolVar(&f.json, "json", false, "print JSON Lines instead of a table")
	set.BoolVar(&f.gaps, "gaps", true, "lose a few rows on the way to the target")
	set.IntVar(&f.devices, "devices", 2, "how many devices to compare, taken by chance")
	if err = tutorial.Parse(set, args, stdout); err == nil && f.devices < 1 {
		err = &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf("-devices %d: 1 or more can be compared", f.devices)}
	}
	return f, err
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	same := false
	if err == nil {
		same, err = compare(ctx, f, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "historydiff: %s\n", show.Text(err.Error()))
	}
	switch {
	case errors.Is(err, iot.Invalid), errors.Is(err, os.ErrNotExist):
		return 2
	case err != nil, !same:
		return 1
	}
	return 0
}

func compare(ctx context.Context, f flags, w io.Writer) (same bool, err error) {
	account, err := synchronised(ctx, f)
	if err != nil {
		return false, err
	}
	var out printer = &table{w: w}
	if f.json {
		out = newLines(w)
	}
	changes, err := account.models(ctx, out)
	if err != nil {
		return false, err
	}
	difference, err := account.history(ctx, f.devices, out)
	if err != nil {
		return false, err
	}
	if err := out.end(difference); err != nil {
		return false, err
	}
	return changes == 0 && difference.Empty(), nil
}
