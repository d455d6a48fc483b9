package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/quota"
	"github.com/iotferry/iotferry/tslsync"
)

// The defaults of [SynchronisedConfig].
const (
	DefaultShare      = 0.2  // of the quotas of the calls that read history
	DefaultConfidence = 0.95 // of a sample
	DefaultBound      = 0.01 // the share of devices that may lack rows without the sample showing it
)

// A SynchronisedConfig configures [Synchronised]. The zero value is ready to use.
type SynchronisedConfig struct {
	// Window is that of the stage, for which zero means 7 to 30 days.
	Window tslsync.Window
	// Span is how much history the target has to hold at the end; zero means all since the window began.
	Span time.Duration
	// Lag is how long a row may take to arrive at the target; zero means an hour. What is younger is not compared.
	Lag time.Duration
	// Quiet is for how long all devices may report nothing; zero means a day. See [tslsync.WindowFacts].
	Quiet time.Duration
	// Every is how long after a comparison the next one begins, of what is newer; zero means a day. Once the least time is over, what
	// the target lacks is looked at every hour.
	Every time.Duration

	// Share is what the comparison may use of the account's quotas of the calls that read history, so that it never starves a
	// migration: above 0 to 1, and zero means a fifth. All lanes that share the condition share it.
	Share float64
	// Workload is what a device reports, to foresee how long a comparison takes; Devices and Span are not read. Zero means ten
	// properties every ten minutes, an event and a service daily.
	Workload tslsync.Workload
	// Confidence and Bound say how many devices are compared where the quotas leave no time for all: see [tslsync.SampleSize]. Zero
	// means 0.95 and 0.01. AlwaysSample samples whatever the time.
	Confidence, Bound float64
	AlwaysSample      bool
	// Seed decides which devices are in the sample.
	Seed uint64

	// HiddenPasses says what follows if the target shows none of the devices before they move. The platform does not document
	// whether it shows them. False lets the condition not hold; true lets it hold unobserved, from the least time on: let
	// [History] prove each wave then.
	HiddenPasses bool
}

// Synchronised is the condition that data synchronisation has copied the history: of the devices that still live at the source, the
// target has all that the source holds, as [tslsync.Window.Decide] asks for. Its place is [migrate.Stage.Closes] of the stage that
// waits for data synchronisation; its name is "synchronised".
//
// From the beginning of the window on it compares row by row, device by device, and again daily what is newer and what was lacking,
// with a share of the quotas of its own. Where the journal says where it is, in [migrate.Observation.Progress]: a look makes up to
// 1,000 calls, and the next one goes on. All devices are compared if that fits, see [SynchronisedConfig.Forecast], else a
// sample of devices taken by chance: no difference in it says with Confidence that less than Bound of all devices lack rows.
//
// Rows that are older than the source keeps are not missing, nor is what was reported before the window began. A fleet that is silent at
// the end proves nothing. If no device is left at the source, there is nothing to compare, and the condition holds.
func Synchronised(c SynchronisedConfig) migrate.Condition {
	const name = "synchronised"
	c = c.filled()
	if err := c.check(); err != nil {
		return brokenCondition(name, err)
	}
	s := &synchronised{SynchronisedConfig: c, lists: map[string]deviceList{}}
	return migrate.NewCondition(name, s.look)
}

func brokenCondition(name string, err error) migrate.Condition {
	err = fmt.Errorf("verify %s: %w", name, err)
	return migrate.NewCondition(name, func(context.Context, *migrate.Waiting) (migrate.Observation, error) {
		return migrate.Observation{}, err
	})
}

// Assumed is a condition that always holds, for what nobody can or wants to observe. Plan and report show its name, and the journal
// says why.
func Assumed(name, why string) migrate.Condition {
	return migrate.NewCondition(name, func(context.Context, *migrate.Waiting) (migrate.Observation, error) {
		return migrate.Observation{Holds: true, Evidence: migrate.Evidence{Source: migrate.NotObserved, Seen: why}}, nil
	})
}

func (c SynchronisedConfig) filled() SynchronisedConfig {
	if c.Lag == 0 {
		c.Lag = time.Hour
	}
	if c.Every == 0 {
		c.Every = day
	}
	if c.Share == 0 {
		c.Share = DefaultShare
	}
	if c.Confidence == 0 {
		c.Confidence = DefaultConfidence
	}
	if c.Bound == 0 {
		c.Bound = DefaultBound
	}
	w := &c.Workload
	if len(w.Properties)+len(w.Events)+len(w.Services) == 0 {
		for range iot.MaxHistoryProperties {
			w.Properties = append(w.Properties, 144)
		}
		w.Events, w.Services = []float64{1}, []float64{1}
	}
	return c
}

const day = 24 * time.Hour

func (c SynchronisedConfig) check() error {
	switch {
	case c.Lag < 0 || c.Every < time.Hour || c.Quiet < 0:
		return wrong("Lag is %v, Every %v and Quiet %v: they are 0 or more, and Every is an hour or more", c.Lag, c.Every, c.Quiet)
	case c.Span != 0 && (c.Span < 2*time.Hour || c.Span > iot.HistoryKept):
		return wrong("Span is %v: 2 hours to 30 days can be compared", c.Span)
	}
	if err := c.Window.Check(); err != nil {
		return err
	}
	if _, err := tslsync.SampleSize(1, c.Confidence, c.Bound); err != nil {
		return err
	}
	_, err := tslsync.HistoryLimits(c.Share)
	return err
}

func wrong(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: "SynchronisedConfig: " + fmt.Sprintf(format, args...)}
}

// A HistoryForecast says how long comparisons of a lane's history take.
type HistoryForecast struct {
	All    time.Duration // the comparison of all devices, over the least time of the window
	Sample time.Duration // that of the sample
	Drawn  int           // how many devices are in the sample
	Whole  bool          // whether all devices are compared
}

// Forecast foresees the comparisons of a lane with so many devices, by Workload and Share. All of them are compared if that takes no
// longer than the least time of the window, and half a day for what is newer by a day.
func (c SynchronisedConfig) Forecast(devices int) (HistoryForecast, error) {
	c = c.filled()
	if err := c.check(); err != nil {
		return HistoryForecast{}, err
	}
	limits, err := tslsync.HistoryLimits(c.Share)
	if err != nil {
		return HistoryForecast{}, err
	}
	drawn, err := tslsync.SampleSize(devices, c.Confidence, c.Bound)
	if err != nil {
		return HistoryForecast{}, err
	}
	least := max(c.Window.Min, tslsync.MinWindow)
	takes := func(devices int, span time.Duration) time.Duration {
		w := c.Workload
		w.Devices, w.Span = devices, span
		return w.Estimate(limits).Duration
	}
	span := least
	if c.Span > 0 {
		span = c.Span
	}
	f := HistoryForecast{All: takes(devices, span), Sample: takes(drawn, span), Drawn: drawn}
	f.Whole = !c.AlwaysSample && f.All <= least && takes(devices, day) <= day/2
	return f, nil
}

// synchronised is the condition at work. Beside the list of devices under way, which can be made again, it remembers nothing: all
// else is in the journal.
type synchronised struct {
	SynchronisedConfig
	mu    sync.Mutex
	pacer iot.Pacer
	lists map[string]deviceList // by campaign and lane
}

// pace makes the pacer once, on the clock of the first look.
func (c *synchronised) pace(clock iot.Clock) (iot.Pacer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pacer != nil {
		return c.pacer, nil
	}
	limits, err := tslsync.HistoryLimits(c.Share)
	if err != nil {
		return nil, err
	}
	c.pacer, err = quota.New(clock, quota.Limits(limits), quota.Reserve(0))
	return c.pacer, err
}

// look goes on with the comparison under way, begins one that is due, or says what the last one found.
func (c *synchronised) look(ctx context.Context, w *migrate.Waiting) (migrate.Observation, error) {
	var p place
	if len(w.Progress) > 0 {
		if err := json.Unmarshal(w.Progress, &p); err != nil {
			return migrate.Observation{}, fmt.Errorf("verify: progress of the comparison: %w", err)
		}
	}
	if p.Now == nil {
		if next := c.due(p.Last, w); w.Clock.Now().Before(next) {
			return c.tell(p, w, next)
		}
		if behind, err := c.behind(ctx, w, p.Last); err != nil {
			return migrate.Observation{}, err
		} else if behind {
			return c.tell(p, w, c.due(p.Last, w))
		}
		p.Now = c.newPass(p.Last, w)
	}
	further, err := c.compare(ctx, w, &p)
	switch {
	case err != nil && !further:
		return migrate.Observation{}, err
	case p.Now == nil:
		return c.tell(p, w, c.due(p.Last, w))
	}
	seen := p.Now.soFar()
	next := w.Clock.Now()
	if err != nil {
		seen, next = seen+"; it could not go on: "+err.Error(), next.Add(time.Minute)
	}
	return c.observe(w, p, migrate.Observation{Evidence: migrate.Evidence{Seen: seen}, Next: next})
}

// observe completes an observation.
func (c *synchronised) observe(w *migrate.Waiting, p place, o migrate.Observation) (migrate.Observation, error) {
	if o.Evidence.Source == "" {
		o.Evidence.Source = fmt.Sprintf("history at %s and at %s", w.Source.Info, w.Target.Info)
	}
	o.Evidence.At = w.Clock.Now()
	var err error
	if o.Progress, err = json.Marshal(p); err != nil {
		return o, fmt.Errorf("verify: progress of the comparison: %w", err)
	}
	return o, nil
}

// tell says what the last comparison proves.
func (c *synchronised) tell(p place, w *migrate.Waiting, next time.Time) (migrate.Observation, error) {
	o := migrate.Observation{Next: next}
	last := p.Last
	switch {
	case last == nil:
		o.Evidence.Seen = "the window has just begun: there is no whole hour to compare"
		return c.observe(w, p, o)
	case last.Total == 0:
		o.Holds = true
		o.Evidence = migrate.Evidence{Source: migrate.NotObserved, Seen: "no device with a thing model is left at the source"}
		return c.observe(w, p, o)
	case last.Hidden:
		o.Holds = c.HiddenPasses && !w.Clock.Now().Before(w.Wait.Least)
		o.Evidence.Seen = "the target shows no device before it moves: the platform may show history only after the move"
		if c.HiddenPasses {
			o.Evidence.Source = migrate.NotObserved
		}
		return c.observe(w, p, o)
	}
	decision, err := c.Window.Decide(c.facts(last, w.Wait), w.Clock.Now())
	if err != nil {
		return o, err
	}
	o.Holds = len(decision.Unproven) == 0
	o.Evidence.Seen = c.says(last)
	if !o.Holds {
		o.Evidence.Seen = strings.Join(decision.Unproven, " ") + last.example()
	}
	return c.observe(w, p, o)
}

// facts are what the journal and the last comparison tell of the window.
func (c *synchronised) facts(last *pass, w migrate.WaitReport) tslsync.WindowFacts {
	f := tslsync.WindowFacts{
		Opening: tslsync.Opening{At: w.Begun, By: w.By}, Devices: last.Total, Compared: last.Found, Span: c.Span, Lag: c.Lag, Quiet: c.Quiet,
	}
	f.Compared.From, f.Compared.Until = last.Since, last.To
	if last.Drawn < last.Total {
		f.Sample = last.Drawn
	}
	if w.Early != nil {
		f.Override = tslsync.Override{By: w.Early.By, Reason: w.Early.Note, At: w.Early.At}
	}
	return f
}

// says what was found if nothing is lacking.
func (c *synchronised) says(last *pass) string {
	text := fmt.Sprintf("the target has all that the source holds of %d devices from %s to %s", last.Found.Devices, stamp(last.Since), stamp(last.To))
	if last.Drawn < last.Total {
		text += fmt.Sprintf(", a sample of %d: with a confidence of %g, less than %g of all lack rows", last.Total, c.Confidence, c.Bound)
	}
	return text
}

// size is how many devices of a lane to compare.
func (c *synchronised) size(lane migrate.Lane) (whole bool, err error) {
	f, err := c.Forecast(lane.Devices)
	return f.Whole, err
}

// draw is how many of the devices that live at the source are compared.
func (c *synchronised) draw(lane migrate.Lane, devices int) (int, error) {
	whole, err := c.size(lane)
	if err != nil || whole {
		return math.MaxInt, err
	}
	return tslsync.SampleSize(devices, c.Confidence, c.Bound)
}
