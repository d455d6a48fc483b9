package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
)

// A SynchronisedConfig configures [Synchronised]. The zero value is ready to use.
type SynchronisedConfig struct {
	// Span is how much history the target has to hold; zero means [tslsync.MinWindow]. Ask no sooner than Span after data
	// synchronisation was switched on: what was reported before the switch need not be copied.
	Span time.Duration
	// Lag is how long a row may take to arrive at the target; zero means an hour.
	Lag time.Duration
	// Confidence and Bound say how large the sample is: see [tslsync.SampleSize]. Zero means 0.95 and 0.01.
	Confidence, Bound float64
	// Seed decides which devices and hours are in the sample.
	Seed uint64
	// HiddenPasses says what follows if the target shows none of the sampled devices before they move. The platform does
	// not document whether it shows them. False keeps all inconclusive; true lets all pass unobserved: let
	// [History] prove each wave then.
	HiddenPasses bool
	// Every is how long after a look that found no proof the next one is taken; zero means an hour. Before, the devices get no
	// finding, which is inconclusive.
	Every time.Duration
	// Pacer is asked before every call that reads history, besides what the platform's driver does to keep quotas: see
	// [tslsync.HistoryLimits]. Nil asks nobody.
	Pacer iot.Pacer
}

func (c SynchronisedConfig) filled() SynchronisedConfig {
	if c.Span == 0 {
		c.Span = tslsync.MinWindow
	}
	if c.Lag == 0 {
		c.Lag = time.Hour
	}
	if c.Every == 0 {
		c.Every = time.Hour
	}
	if c.Confidence == 0 {
		c.Confidence = 0.95
	}
	if c.Bound == 0 {
		c.Bound = 0.01
	}
	return c
}

func (c SynchronisedConfig) wrong() string {
	switch {
	case c.Lag < 0 || c.Every < 0:
		return fmt.Sprintf("Lag is %v and Every %v: they must be 0 or more", c.Lag, c.Every)
	case c.Span < c.Lag+3*time.Hour || c.Span > iot.HistoryKept:
		return fmt.Sprintf("Span is %v: 3 hours more than Lag up to 30 days can be compared", c.Span)
	}
	if _, err := tslsync.SampleSize(1, c.Confidence, c.Bound); err != nil {
		return err.Error()
	}
	return ""
}

// Synchronised proves that data synchronisation copies history, while it can be compared: of the devices that still live at the
// source, both instances hold the same. It is about the lane, not about the devices that it is asked about: all of them
// share verdict and evidence. Its place is the stage that waits for data synchronisation; its name is "synchronised".
//
// It compares a sample, row by row: of devices taken by chance a stretch of whole hours taken by chance from Span, and the newest
// hour besides. If nothing is missing, synchronisation has not stalled, and with Confidence less than Bound of all hours of devices lack
// rows, as far as gaps come by chance. Where the sample needs more hours than there are devices, each is compared for several. It
// does not prove that each device has each row: [tslsync.Compare] compares everything.
//
// A look ends at the first device that lacks rows, so that waiting costs little quota. It never fails a device: rows may be on
// their way. A sample in which the source has no row at all proves nothing. The devices of the lane's products are listed
// once, and the sample is remembered for as long as the verifier lives. If none is left at the source, there is nothing to compare,
// and all pass unobserved.
func Synchronised(c SynchronisedConfig) migrate.Verifier {
	const name = "synchronised"
	c = c.filled()
	if wrong := c.wrong(); wrong != "" {
		return broken(name, "SynchronisedConfig: %s", wrong)
	}
	samples := &samples{known: map[string]sample{}}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) {
			if len(s.Devices) == 0 {
				return
			}
			verdict, evidence, err := c.look(ctx, s, samples)
			if err != nil {
				yield(migrate.Finding{}, err)
				return
			}
			if verdict == "" {
				return // looked at not long ago
			}
			for _, d := range s.Devices {
				if !yield(migrate.Finding{Device: d.ID, Verdict: verdict, Evidence: evidence}, nil) {
					return
				}
			}
		}
	})
}

// A sample says what is compared: devices, and how many hours of each.
type sample struct {
	devices []iot.DeviceID
	hours   int
	next    time.Time // no look before it
}

// samples are those drawn before, by lane and campaign.
type samples struct {
	mu    sync.Mutex
	known map[string]sample
}

func key(s *migrate.Subject) string { return s.Campaign + "\x00" + s.Lane.ID }

// again says when to look again.
func (all *samples) again(s *migrate.Subject, next time.Time) {
	all.mu.Lock()
	defer all.mu.Unlock()
	drawn := all.known[key(s)]
	drawn.next = next
	all.known[key(s)] = drawn
}

// of draws the sample of a lane. While one caller draws, others wait for it.
func (all *samples) of(ctx context.Context, s *migrate.Subject, c SynchronisedConfig) (sample, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if known, ok := all.known[key(s)]; ok {
		return known, nil
	}
	var err error
	devices := tslsync.Sample(devicesAt(ctx, s, &err), c.largest(), c.Seed)
	if err != nil {
		return sample{}, err
	}
	drawn := sample{devices: devices, hours: 1}
	if n := len(devices); n > 0 {
		drawn.hours = min((c.largest()+n-1)/n, c.hours())
	}
	all.known[key(s)] = drawn
	return drawn, nil
}

// largest is how many hours of devices are compared in a lane without end: at least as many as in any other.
func (c SynchronisedConfig) largest() int {
	const endless = 1 << 40
	n, err := tslsync.SampleSize(endless, c.Confidence, c.Bound)
	if err != nil {
		return endless // not with a configuration that was checked
	}
	return n
}

// hours is how many whole hours there are to draw from.
func (c SynchronisedConfig) hours() int { return int((c.Span - c.Lag - 2*time.Hour) / time.Hour) }

// devicesAt yields the devices of the lane's products with a thing model that live at the source.
func devicesAt(ctx context.Context, s *migrate.Subject, failed *error) iter.Seq[iot.DeviceID] {
	return func(yield func(iot.DeviceID) bool) {
		for _, p := range s.Lane.Products {
			if p.DataFormat != iot.Alink {
				continue
			}
			for d, err := range s.Source.Devices(ctx, p.Key) {
				if err != nil {
					*failed = fmt.Errorf("verify: list devices of %s at %s: %w", p.Key, s.Source.Info, err)
					return
				}
				if !yield(d.ID) {
					return
				}
			}
		}
	}
}

// look returns no verdict if it is not yet time to look again.
func (c SynchronisedConfig) look(ctx context.Context, s *migrate.Subject, all *samples) (migrate.Verdict, migrate.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return "", migrate.Evidence{}, fmt.Errorf("verify: %w", err)
	}
	drawn, err := all.of(ctx, s, c)
	if err != nil {
		return "", migrate.Evidence{}, err
	}
	if s.Now.Before(drawn.next) {
		return "", migrate.Evidence{}, nil
	}
	source := fmt.Sprintf("history at %s and at %s", s.Source.Info, s.Target.Info)
	if len(drawn.devices) == 0 {
		return migrate.Pass, migrate.Evidence{Source: source, At: s.Now, Seen: "not observed: no device with a thing model is left at the source"}, nil
	}
	found, err := c.compare(ctx, s, drawn)
	if err != nil {
		return "", migrate.Evidence{}, err
	}
	verdict, seen := c.judge(found)
	if verdict != migrate.Pass {
		all.again(s, s.Now.Add(c.Every))
	}
	return verdict, migrate.Evidence{Source: source, At: s.Now, Seen: seen}, nil
}

// compared is what a comparison of a sample found, up to the first device that lacks rows.
type compared struct {
	rows   int64        // that both instances have
	lacks  tslsync.Hour // the first hour that the target does not have as the source; zero if there is none
	hidden iot.DeviceID // the first device that the target does not show
	devs   int          // how many both instances show
}

// compare stops where the verdict can no longer change.
func (c SynchronisedConfig) compare(ctx context.Context, s *migrate.Subject, drawn sample) (compared, error) {
	var found compared
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	both := tslsync.Comparison{
		Source: inTurn{s.Source.HistoryReader, turn}, Target: inTurn{s.Target.HistoryReader, turn}, Clock: stopped(s.Now), Pacer: c.Pacer,
		Model: func(productKey string) (*tslsync.Model, error) { return modelAt(ctx, s.Source.View, productKey) },
	}
	for _, id := range drawn.devices {
		absent, err := found.compare(ctx, both, c.cursors(id, drawn.hours, s.Now))
		switch {
		case errors.Is(err, errLacks):
			return found, nil
		case err != nil:
			return found, fmt.Errorf("verify: compare %s and %s: %w", s.Source.Info, s.Target.Info, err)
		case absent == tslsync.Target && found.hidden.IsZero():
			found.hidden = id
		case absent == "":
			found.devs++
		}
		if !found.hidden.IsZero() && found.devs > 0 {
			return found, nil
		}
	}
	return found, nil
}

var errLacks = errors.New("the target lacks rows")

// compare adds one device. It returns the side that does not have it.
func (f *compared) compare(ctx context.Context, both tslsync.Comparison, cursors iter.Seq[tslsync.Cursor]) (tslsync.Side, error) {
	for step, err := range tslsync.Compare(ctx, both, cursors) {
		if err != nil {
			return "", err
		}
		if len(step.Absent) > 0 {
			return step.Absent[0], nil
		}
		for _, h := range step.Hours {
			f.rows += h.Equal
			if h.Missing > 0 || h.Different > 0 {
				f.lacks = h
				return "", errLacks
			}
		}
	}
	return "", nil
}

// cursors are the stretch of hours that chance gives to a device, and the newest whole hour.
func (c SynchronisedConfig) cursors(id iot.DeviceID, hours int, now time.Time) iter.Seq[tslsync.Cursor] {
	return func(yield func(tslsync.Cursor) bool) {
		first := now.Add(time.Hour - c.Span).Truncate(time.Hour) // no row from before the span
		newest := now.Add(-c.Lag).Truncate(time.Hour).Add(-time.Hour)
		offset := hourOf(id, c.Seed) % uint64(c.hours()-hours+1)
		from := first.Add(time.Duration(offset) * time.Hour)
		if yield(tslsync.NewCursor(id, newest, newest.Add(time.Hour))) {
			yield(tslsync.NewCursor(id, from, from.Add(time.Duration(hours)*time.Hour)))
		}
	}
}

// hourOf draws a number for a device.
func hourOf(id iot.DeviceID, seed uint64) uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("hour "+id.String()), seed))
	return binary.BigEndian.Uint64(sum[:])
}

func (c SynchronisedConfig) judge(f compared) (migrate.Verdict, string) {
	switch {
	case !f.lacks.Start.IsZero():
		return migrate.Inconclusive, fmt.Sprintf("of %s, the target lacks %d rows of %s %s in the hour of %s and has another value in %d; the first is of %s",
			f.lacks.Device, f.lacks.Missing, f.lacks.Report, f.lacks.Identifier, stamp(f.lacks.Start), f.lacks.Different, stamp(f.lacks.First))
	case !f.hidden.IsZero() && f.devs == 0 && c.HiddenPasses:
		return migrate.Pass, "not observed: the target shows no device of the sample before it moves"
	case !f.hidden.IsZero() && f.devs == 0:
		return migrate.Inconclusive, "the target shows no device of the sample: see that data synchronisation is on; the platform may show history only after the move"
	case !f.hidden.IsZero():
		return migrate.Inconclusive, fmt.Sprintf("the target shows others, but not %s", f.hidden)
	case f.rows == 0:
		return migrate.Inconclusive, fmt.Sprintf("%d devices were compared, and the source has no row of them in the hours of the sample", f.devs)
	}
	return migrate.Pass, fmt.Sprintf("all %d rows of a sample of %d devices are there: with a confidence of %g, less than %g of all hours of devices lack rows",
		f.rows, f.devs, c.Confidence, c.Bound)
}

// inTurn lets one call go at a time: the platform allows the account 10 of them a second, and a campaign has other work.
type inTurn struct {
	reader iot.HistoryReader
	turn   chan struct{} // holds the one token while nobody calls
}

// take waits for the turn. It is given back by the function that it returns.
func (r inTurn) take(ctx context.Context) (give func(), err error) {
	select {
	case <-r.turn:
		return func() { r.turn <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r inTurn) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	give, err := r.take(ctx)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	defer give()
	return r.reader.PropertyHistory(ctx, id, identifiers, from, to)
}

func (r inTurn) EventHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	give, err := r.take(ctx)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	defer give()
	return r.reader.EventHistory(ctx, id, identifier, from, to)
}

func (r inTurn) ServiceHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	give, err := r.take(ctx)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	defer give()
	return r.reader.ServiceHistory(ctx, id, identifier, from, to)
}
