package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// directs are 120 devices, 12 of which are offline.
func directs(t *testing.T, clock iot.Clock, reportEvery time.Duration) *migratetest.Cloud {
	t.Helper()
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 120, OfflineEvery: 10})
	cloud, err := migratetest.Open(bytes.NewReader(fleet), migratetest.Options{Clock: clock, ReportEvery: reportEvery})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// What the backend measures of its devices' moves is what the platform in memory knows of them; the way back is measured for itself.
func TestContinuity(t *testing.T) {
	clock := migratetest.NewClock(town.Begin())
	cloud := directs(t, clock, time.Minute)
	b := start(t, t.TempDir(), cloud, clock)
	defer b.stop()
	messages := b.service.config.Messages
	b.pass(2 * time.Minute)
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	for _, stage := range []string{"confirm-gray", "rest"} {
		b.await(migrate.EntryGate)
		b.pass(2 * time.Minute) // whoever moves next has sent something
		b.decide("approve", `{"lane":"`+migratetest.DirectProduct+`","stage":"`+stage+`","by":"ann"}`)
	}
	b.await(migrate.EntryEnd)
	there := messages.Continuity().There
	checkContinuity(t, cloud, messages, town.Begin().Add(2*time.Minute))
	if there.Measured < 90 || there.P50 < 30*time.Second || there.Max > 3*time.Minute || there.Twice > 0 {
		t.Error(there)
	}

	b.decide("rollback", `{"by":"ann"}`)
	b.await(migrate.EntryHome)
	b.pass(2 * time.Minute)
	c := messages.Continuity()
	if diff := cmp.Diff(there, c.There); diff != "" {
		t.Errorf("the way there after the way back (-want +got):\n%s", diff)
	}
	if c.Back.Measured != 108 || c.Back.P50 < 30*time.Second || c.Back.Max > 3*time.Minute || c.Back.Twice > 0 {
		t.Error(c.Back)
	}
	if text := c.String(); !strings.HasPrefix(text, "there: ") || !strings.Contains(text, "\nbackend: back: 108 of 120 devices measured") {
		t.Errorf("figures %q", text)
	}
	if page := b.call(http.StatusOK, http.MethodGet, "/continuity", ""); page["back"].(map[string]any)["measured"] != 108.0 {
		t.Errorf("the page tells %v", page["back"])
	}
}

// pass lets time pass, while the backend reads.
func (b *backend) pass(d time.Duration) {
	b.t.Helper()
	clock := b.service.config.Runner.Clock
	if err := clock.WaitUntil(b.t.Context(), clock.Now().Add(d)); err != nil {
		b.t.Fatal(err)
	}
}

// checkContinuity compares the report with what is true of messages from a time on.
func checkContinuity(t *testing.T, cloud *migratetest.Cloud, m *Messages, from time.Time) {
	t.Helper()
	for _, d := range m.Continuity().There.Devices {
		last, first := cloud.Crossing(d.ID)
		if last.Before(from) {
			last = time.Time{}
		}
		if !d.LastFrom.Equal(last) || !d.FirstTo.Equal(first) {
			t.Errorf("%s: %v to %v, true is %v to %v", d.ID, d.LastFrom, d.FirstTo, last, first)
		}
	}
}

// A campaign for which nothing is left ends at once, takes nothing from what was measured, and keeps no process from starting.
func TestSecondCampaign(t *testing.T) {
	dir := t.TempDir()
	cloud, clock := meters(t)
	b := start(t, dir, cloud, clock)
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"spring"}`)
	b.await(migrate.EntryGate)
	b.approve("confirm-gray")
	b.await(migrate.EntryGate)
	b.approve("rest")
	b.await(migrate.EntryEnd)
	there := b.service.config.Messages.Continuity().There
	b.call(http.StatusCreated, http.MethodPost, "/campaigns", `{"name":"autumn"}`)
	b.await(migrate.EntryEnd)
	if got := b.service.config.Messages.Continuity().There; got.Measured == 0 || got.Measured != there.Measured {
		t.Errorf("after the second campaign: %v", got)
	}
	b.stop()

	b = start(t, dir, cloud, clock)
	defer b.stop()
	if got := b.service.config.Messages.Continuity().There; len(got.Devices) != 500 || len(b.service.Names()) != 2 {
		t.Errorf("after the restart: campaigns %v, %v", b.service.Names(), got)
	}
}

// In real time the backend reads by itself, and holds messages back until older ones have come.
func TestRealTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := directs(t, nil, 10*time.Second)
		entries, err := journal.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		owner, err := newCustomer(t.Context(), cloud, iot.SystemClock(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c := configure(owner, iot.SystemClock(), Store{Dir: t.TempDir()}, entries)
		c.Runner.Approver = migrate.ApproverFunc(func(ctx context.Context, g migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "ann"}, iot.SystemClock().WaitUntil(ctx, time.Now().Add(2*time.Minute))
		})
		c.Close = entries.Close
		s, err := NewService(c)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Minute)
		from := time.Now()
		campaign, err := s.Start(t.Context(), "spring")
		if err != nil {
			t.Fatal(err)
		}
		for campaign.status(t.Context()).Outcome == migrate.OutcomeRunning {
			<-time.After(10 * time.Second)
		}
		if got := campaign.status(t.Context()); got.Outcome != migrate.OutcomeProven {
			t.Errorf("at the end: %+v", got)
		}
		checkContinuity(t, cloud, owner.messages, from)
		if r := owner.messages.Continuity().There; r.Measured < 90 || r.Twice > 0 {
			t.Error(r)
		}
		began := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v to close, while devices went on to send", took)
		}
	})
}
