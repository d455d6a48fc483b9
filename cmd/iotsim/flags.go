package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/internal/fake"
)

// flags are the command line.
type flags struct {
	fleet   string
	quota   fake.QuotaMode
	addr    string
	host    string
	port    int
	caFile  string
	devices bool
}

func parse(args []string, stdout io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("iotsim", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&f.fleet, "fleet", "", "fleet `FILE`, or the name of one of package fleets such as demo.json")
	set.Func("quota", "`documented` or none (default documented)", f.setQuota)
	set.StringVar(&f.addr, "addr", "127.0.0.1", "`ADDRESS` to listen on; the console asks nobody who they are")
	set.StringVar(&f.host, "host", "", "`NAME` by which clients reach that address, for URLs and certificate")
	set.IntVar(&f.port, "port", 0, "the first of nine consecutive `PORTs`; 0 takes free ones")
	set.StringVar(&f.caFile, "ca", "", "`FILE` for the CA's certificate; without it a temporary one")
	set.BoolVar(&f.devices, "devices", true, "simulate the devices")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		set.SetOutput(stdout)
		set.Usage()
		return f, err
	case err != nil:
		return f, fmt.Errorf("%w: -h lists the flags", err)
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q: -h lists the flags", set.Arg(0))
	case f.fleet == "":
		return f, errors.New("-fleet is missing: it has to name a fleet file, such as demo.json")
	}
	return f, nil
}

func (f *flags) setQuota(word string) error {
	switch word {
	case "documented":
		f.quota = fake.DocumentedQuotas
	case "none":
		f.quota = fake.NoQuotas
	default:
		return errors.New("it is neither documented nor none")
	}
	return nil
}
