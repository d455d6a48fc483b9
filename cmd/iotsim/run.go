package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/sim"
	"github.com/iotferry/iotferry/iot"
)

// run returns 0 after an end that was asked for, 1 if the simulator could not go on, and 2 for bad input.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return complain(stderr, err, 2)
	}
	account, err := readFleet(f.fleet)
	if err != nil {
		return complain(stderr, err, 2)
	}
	err = serve(ctx, f, account, stdout, slog.New(slog.NewTextHandler(stderr, nil)))
	switch {
	case errors.Is(err, iot.Invalid):
		return complain(stderr, err, 2)
	case err != nil:
		return complain(stderr, err, 1)
	}
	return 0
}

// complain writes an error as one line.
func complain(stderr io.Writer, err error, code int) int {
	line := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, err.Error())
	fmt.Fprintln(stderr, "iotsim:", line)
	return code
}

// readFleet reads a fleet file, which has to have an instance to move to.
func readFleet(name string) (*fleet.Fleet, error) {
	file, err := openFleet(name)
	if err != nil {
		return nil, fmt.Errorf("fleet file: %w", err)
	}
	defer file.Close()
	f, err := fleet.Read(file)
	if err != nil {
		return nil, fmt.Errorf("fleet file %s: %w", name, err)
	}
	if _, ok := f.Target(); !ok {
		return nil, fmt.Errorf("fleet file %s: instances: no Enterprise instance to move to", name)
	}
	return f, nil
}

func openFleet(name string) (fs.File, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if known, e := fleets.Open(name); e == nil {
			return known, nil
		}
	}
	return file, err
}

// serve runs the simulator until ctx is done.
func serve(ctx context.Context, f flags, account *fleet.Fleet, stdout io.Writer, logger *slog.Logger) error {
	clock, faults := new(sim.Clock), new(sim.Faults)
	cloud, err := fake.New(account, fake.Options{
		Clock: clock, Hook: faults.Hook, Quotas: f.quota, NoDevices: !f.devices,
	})
	if err != nil {
		return err
	}
	caFile, remove, err := placeCA(f.caFile)
	if err != nil {
		return err
	}
	defer remove()
	target, _ := account.Target()
	server, err := sim.Start(ctx, cloud, sim.Config{
		Target: target.ID, Addr: f.addr, Host: f.host, Port: f.port, CAFile: caFile,
		AccessKeyID: account.Account.AccessKeyID, AccessKeySecret: account.Account.AccessKeySecret,
		Quotas: f.quota, Clock: clock, Faults: faults, Logger: logger,
	})
	switch {
	case ctx.Err() != nil:
		return nil // it was told to end before it was ready
	case err != nil:
		return err
	}
	if _, err := stdout.Write(server.Endpoints().Line()); err != nil {
		logger.Warn("nobody reads where it listens", "error", err)
	}
	logger.Info("ready", "products", len(account.Products), "devices", len(account.Devices))
	err = server.Wait()
	logger.Info("ended")
	return err
}

// placeCA returns where the CA's certificate is written. A temporary file is removed in the end.
func placeCA(name string) (file string, remove func(), err error) {
	if name != "" {
		file, err = filepath.Abs(name) // clients may run in another folder
		return file, func() {}, err
	}
	f, err := os.CreateTemp("", "iotsim-ca-*.pem")
	if err != nil {
		return "", nil, err
	}
	_ = f.Close() // it is written by name
	return f.Name(), func() { _ = os.Remove(f.Name()) }, nil
}
