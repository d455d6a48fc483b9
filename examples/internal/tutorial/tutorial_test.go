package tutorial_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
)

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		outcome migrate.Outcome
		err     error
		want    int
	}{
		{migrate.OutcomeProven, nil, 0},
		{migrate.OutcomeUnproven, nil, 1},
		{migrate.OutcomeStopped, nil, 1},
		{migrate.OutcomeProven, errors.New("the topology changed\a"), 1},
		{migrate.OutcomeRunning, context.Canceled, 1},
		{"", &iot.Error{Kind: iot.Invalid, Message: "devices[3]: bad"}, 2},
		{"", &migrate.BlockedError{Issues: []migrate.Issue{{Code: migrate.CodeOnlineQuota}}}, 2},
	} {
		var stderr bytes.Buffer
		tell := func(context.Context, io.Writer, town.How) (*migrate.Report, error) {
			return &migrate.Report{Outcome: test.outcome}, test.err
		}
		if got := tutorial.Run(t.Context(), "tale", nil, tell, io.Discard, &stderr); got != test.want {
			t.Errorf("%s, %v: exit code %d, want %d", test.outcome, test.err, got, test.want)
		}
		said := stderr.String()
		if (said == "") != (test.err == nil) || strings.Contains(said, "\a") || test.err != nil && !strings.HasPrefix(said, "tale: ") {
			t.Errorf("%v: stderr %q", test.err, said)
		}
	}
}

// A story that is interrupted ends with 1.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tell := func(ctx context.Context, w io.Writer, how town.How) (*migrate.Report, error) {
		customer, err := town.OpenFleet(ctx, "s1-direct.json", how)
		if err != nil {
			return nil, err
		}
		c := tutorial.Campaign{Name: "tale", Town: customer, Strategy: scenario.Direct(town.Options(customer))}
		plan, err := c.Plan(ctx, w)
		if err != nil {
			return nil, err
		}
		cancel()
		return c.Run(ctx, w, plan)
	}
	if got := tutorial.Run(ctx, "tale", nil, tell, io.Discard, io.Discard); got != 1 {
		t.Errorf("exit code %d", got)
	}
}

func TestUnknownFleet(t *testing.T) {
	if _, err := town.OpenFleet(t.Context(), "nowhere.json", town.How{}); err == nil {
		t.Error("there is a fleet file of every name")
	}
}
