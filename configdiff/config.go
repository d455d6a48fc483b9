package configdiff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Config is the configuration of one instance, devices apart. It can be kept as JSON, and compared later; it may hold what rules
// need to reach other products, so keep it where only its owner can read it.
type Config struct {
	Instance      iot.InstanceInfo           `json:"instance"`
	Products      []string                   `json:"products"` // those of the instance that were asked for, sorted
	Rules         []iot.RuleDetail           `json:"rules,omitempty"`
	Parsers       []iot.Parser               `json:"parsers,omitempty"`
	Groups        []iot.ConsumerGroup        `json:"groups,omitempty"` // all of the instance
	Subscriptions []iot.Subscription         `json:"subscriptions,omitempty"`
	Models        map[string]json.RawMessage `json:"models,omitempty"`  // by product key
	Scripts       map[string]iot.Script      `json:"scripts,omitempty"` // by product key
	DeviceGroups  []iot.DeviceGroup          `json:"deviceGroups,omitempty"`
	Jobs          []iot.Job                  `json:"jobs,omitempty"` // those that have ended included, like updates
	Updates       []UpdateBatch              `json:"updates,omitempty"`
	Scenes        []iot.Scene                `json:"scenes,omitempty"`
	Unread        []Unread                   `json:"unread,omitempty"`
}

// An UpdateBatch is an update batch, and, while it is in flight, the devices that it has not updated yet.
type UpdateBatch struct {
	iot.OTAJob
	Unfinished int            `json:"unfinished,omitempty"` // how many devices
	Devices    []iot.DeviceID `json:"devices,omitempty"`    // the first of them: see [Options].Examples
}

// An Unread is a kind that was not read, on an instance.
type Unread struct {
	Kind     Kind   `json:"kind"`
	Instance string `json:"instance"`
	Why      string `json:"why"`
}

// readTries is how often something is read that is throttled, or fails for a moment: after waits of 1, 4, 16 and 64 s.
const readTries = 5

// patiently reads again, from the beginning, what was throttled or could not be reached, for a minute and a half.
func patiently[T any](ctx context.Context, clock iot.Clock, read func() (T, error)) (T, error) {
	if clock == nil {
		clock = iot.SystemClock()
	}
	for try := range readTries - 1 {
		v, err := read()
		if kind := iot.KindOf(err); kind != iot.Throttled && kind != iot.Transient || ctx.Err() != nil {
			return v, err
		}
		if err := clock.WaitUntil(ctx, clock.Now().Add(time.Second<<(2*try))); err != nil {
			return v, err
		}
	}
	return read()
}

// A reader reads one instance. What is not allowed, or has no driver, becomes an [Unread]; every other error ends it.
type reader struct {
	ctx   context.Context
	at    iot.View
	clock iot.Clock
	out   *Config

	examples int // of devices
}

// Read reads the configuration of an instance, about the products of o or all that it has. It reads again, for a minute and a half, what is
// throttled or fails for a moment. A kind that the driver cannot read, or that the credentials do not allow, is listed in Config.Unread.
func Read(ctx context.Context, at iot.View, o Options) (*Config, error) {
	r := &reader{ctx: ctx, at: at, clock: o.Clock, examples: o.examples(), out: &Config{
		Instance: at.Info, Models: map[string]json.RawMessage{}, Scripts: map[string]iot.Script{},
	}}
	if err := r.products(o.Products); err != nil {
		return nil, err
	}
	config := at.Config
	for _, part := range []struct {
		kind  Kind
		there bool
		read  func() error
	}{
		{Rule, config.Rules != nil, r.rules}, {Parser, config.Parsers != nil, r.parsers}, {ConsumerGroup, true, r.groups},
		{Subscription, true, r.subscriptions}, {ThingModel, true, r.models}, {Script, config.Scripts != nil, r.scripts},
		{DeviceGroup, config.DeviceGroups != nil, r.deviceGroups}, {Job, config.Jobs != nil, r.jobs},
		{Update, config.Jobs != nil, r.updates}, {Scene, config.Jobs != nil, r.scenes},
	} {
		if !part.there {
			r.unread(part.kind, noMeans)
			continue
		}
		err := part.read()
		if errors.Is(err, iot.Denied) {
			r.unread(part.kind, notAllowed)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("configdiff: read the %ss of %s: %w", part.kind, at.Info, err)
		}
	}
	r.withoutGroups()
	return r.out, nil
}

// withoutGroups leaves out what names consumer groups, if these were not read: each instance has IDs of its own for them.
func (r *reader) withoutGroups() {
	if !unread(r.out, ConsumerGroup) {
		return
	}
	for _, k := range []Kind{Rule, Parser, Subscription} {
		if !unread(r.out, k) {
			r.unread(k, "it may name consumer groups, and those were not read")
		}
	}
}

func (r *reader) unread(k Kind, why string) {
	r.out.Unread = append(r.out.Unread, Unread{k, r.at.Info.String(), why})
}

// products keeps those of the wanted products that the instance has.
func (r *reader) products(wanted []string) error {
	if wanted == nil {
		all, err := collect(r, r.at.Products)
		if err != nil {
			return fmt.Errorf("configdiff: read the products of %s: %w", r.at.Info, err)
		}
		for _, p := range all {
			r.out.Products = append(r.out.Products, p.Key)
		}
	}
	for _, key := range wanted {
		_, err := patiently(r.ctx, r.clock, func() (iot.Product, error) { return r.at.Product(r.ctx, key) })
		if errors.Is(err, iot.NotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("configdiff: read product %s of %s: %w", key, r.at.Info, err)
		}
		r.out.Products = append(r.out.Products, key)
	}
	slices.Sort(r.out.Products)
	r.out.Products = slices.Compact(r.out.Products)
	return nil
}

// collect reads a list, again from its beginning if it has to.
func collect[T any](r *reader, read func(context.Context) iter.Seq2[T, error]) ([]T, error) {
	return patiently(r.ctx, r.clock, func() (all []T, err error) {
		for item, err := range read(r.ctx) {
			if err != nil {
				return nil, err
			}
			all = append(all, item)
		}
		return all, nil
	})
}

func (r *reader) has(product string) bool {
	_, found := slices.BinarySearch(r.out.Products, product)
	return found
}

func (r *reader) rules() error {
	list, err := collect(r, r.at.Rules)
	if err != nil {
		return err
	}
	for _, row := range list {
		if !r.has(row.ProductKey) {
			continue
		}
		rule, err := patiently(r.ctx, r.clock, func() (iot.RuleDetail, error) { return r.at.Config.Rules.Rule(r.ctx, row.ID) })
		if errors.Is(err, iot.NotFound) { // deleted meanwhile
			continue
		}
		if err != nil {
			return err
		}
		r.out.Rules = append(r.out.Rules, rule)
	}
	return nil
}

// parsers keeps those that are about a product that was asked for, or about none.
func (r *reader) parsers() error {
	list, err := collect(r, r.at.Config.Parsers.Parsers)
	for _, p := range list {
		concerns := func(s iot.ParserSource) bool { return s.ProductKey == "" || r.has(s.ProductKey) }
		if len(p.Sources) == 0 || slices.ContainsFunc(p.Sources, concerns) {
			r.out.Parsers = append(r.out.Parsers, p)
		}
	}
	return err
}

func (r *reader) groups() (err error) {
	r.out.Groups, err = collect(r, r.at.Groups)
	return err
}

func (r *reader) subscriptions() error {
	return r.each(func(key string) error {
		list, err := patiently(r.ctx, r.clock, func() ([]iot.Subscription, error) { return r.at.Subscriptions(r.ctx, key) })
		r.out.Subscriptions = append(r.out.Subscriptions, list...)
		return err
	})
}

func (r *reader) models() error {
	return r.each(func(key string) error {
		model, err := patiently(r.ctx, r.clock, func() (json.RawMessage, error) { return r.at.ThingModel(r.ctx, key) })
		if err == nil {
			r.out.Models[key] = model
		}
		return err
	})
}

func (r *reader) scripts() error {
	return r.each(func(key string) error {
		script, err := patiently(r.ctx, r.clock, func() (iot.Script, error) { return r.at.Config.Scripts.Script(r.ctx, key) })
		if err == nil {
			r.out.Scripts[key] = script
		}
		return err
	})
}

func (r *reader) updates() error {
	return r.each(func(key string) error {
		list, err := collect(r, func(ctx context.Context) iter.Seq2[iot.OTAJob, error] { return r.at.Config.Jobs.OTAJobs(ctx, key) })
		if err != nil {
			return err
		}
		for _, j := range list {
			u, err := patiently(r.ctx, r.clock, func() (UpdateBatch, error) { return r.update(j) })
			if errors.Is(err, iot.NotFound) { // deleted meanwhile
				continue
			}
			if err != nil {
				return err
			}
			r.out.Updates = append(r.out.Updates, u)
		}
		return nil
	})
}

// update reads what is left of an update batch.
func (r *reader) update(j iot.OTAJob) (UpdateBatch, error) {
	u := UpdateBatch{OTAJob: j}
	if !j.InFlight() {
		return u, nil
	}
	for t, err := range r.at.Config.Jobs.OTATasks(r.ctx, j.ID) {
		if err != nil {
			return u, err
		}
		if !t.InFlight() {
			continue
		}
		if u.Unfinished++; len(u.Devices) < r.examples {
			u.Devices = append(u.Devices, t.Device)
		}
	}
	return u, nil
}

// each reads something of every product; one that has none of it has nothing to compare.
func (r *reader) each(read func(productKey string) error) error {
	for _, key := range r.out.Products {
		if err := read(key); err != nil && !errors.Is(err, iot.NotFound) {
			return err
		}
	}
	return nil
}

func (r *reader) deviceGroups() (err error) {
	r.out.DeviceGroups, err = collect(r, r.at.Config.DeviceGroups.DeviceGroups)
	return err
}

func (r *reader) jobs() (err error) {
	r.out.Jobs, err = collect(r, r.at.Config.Jobs.Jobs)
	return err
}

func (r *reader) scenes() (err error) {
	r.out.Scenes, err = collect(r, r.at.Config.Jobs.Scenes)
	return err
}
