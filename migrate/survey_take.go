package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
)

// surveyReaders is how many gateways are read at once. The pace is kept by the driver's pacer: this only
// hides the network's latency.
const surveyReaders = 16

// surveyTries is how often a list is read before its error ends the survey: after waits of 1, 2, 4, 8 and 16 s.
const surveyTries = 6

// TakeSurvey reads the source, and of its products what the target has already. It changes nothing, as a
// View cannot. On a fleet that changes meanwhile, what was listed twice is taken once; what does not fit
// together is for the planner to refuse.
//
// Equal instances give equal surveys, whatever the order in which they answer. A list that is throttled
// or fails for a moment is read again, for half a minute. Errors are wrapped with what was being read; when ctx
// is done, reading ends and its error is returned.
func TakeSurvey(ctx context.Context, source, target iot.View, account string, d Declared) (*Survey, error) {
	s := &Survey{Account: account, Source: source.Info, Target: target.Info, Declared: d}
	for _, view := range []iot.View{source, target} {
		if err := view.Check(); err != nil {
			return nil, fmt.Errorf("survey: %w", err)
		}
	}
	if err := s.checkHead(); err != nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	if err := s.read(ctx, source, target); err != nil {
		return nil, fmt.Errorf("survey: %w", err)
	}
	return s, nil
}

func (s *Survey) read(ctx context.Context, source, target iot.View) error {
	products, err := collect(ctx, source.Products)
	if err != nil {
		return fmt.Errorf("read products of %s: %w", source.Info, err)
	}
	slices.SortFunc(products, func(a, b iot.Product) int { return cmp.Compare(a.Key, b.Key) })
	products = slices.CompactFunc(products, func(a, b iot.Product) bool { return a.Key == b.Key })
	if err := s.checkDeclared(slices.Values(products)); err != nil { // before hours of reading
		return err
	}
	keys := make(map[string]string, len(products)) // one text per key, for all IDs to share
	for _, p := range products {
		keys[p.Key] = p.Key
		sp, err := readProduct(ctx, p, source, target)
		if err != nil {
			return err
		}
		s.Products = append(s.Products, sp)
	}
	if err := s.readTopology(ctx, source, keys); err != nil {
		return err
	}
	if err := s.readFollowers(ctx, source); err != nil {
		return err
	}
	s.Rules, err = collect(ctx, source.Rules)
	if err != nil {
		return fmt.Errorf("read rules of %s: %w", source.Info, err)
	}
	slices.SortFunc(s.Rules, compareRules)
	return nil
}

func readProduct(ctx context.Context, p iot.Product, source, target iot.View) (SurveyProduct, error) {
	sp := SurveyProduct{Product: p}
	var err error
	if sp.Devices, err = readDevices(ctx, source, p.Key); err != nil {
		return sp, err
	}
	sp.Distributed, err = collect(ctx, func(ctx context.Context) iter.Seq2[iot.DeviceID, error] {
		return source.Distributed(ctx, p.Key)
	})
	if err != nil {
		return sp, fmt.Errorf("read distributed devices of product %s: %w", p.Key, err)
	}
	sp.Distributed = uniqueDevices(sp.Distributed)
	sp.Subscriptions, err = patiently(ctx, func() ([]iot.Subscription, error) { return source.Subscriptions(ctx, p.Key) })
	if err != nil {
		return sp, fmt.Errorf("read subscriptions of product %s: %w", p.Key, err)
	}
	slices.SortFunc(sp.Subscriptions, compareSubscriptions)
	return sp, sp.readTarget(ctx, target)
}

// readDevices reads a product's devices in the order of their names. While devices are being created,
// paging shows some of them twice.
func readDevices(ctx context.Context, v iot.View, key string) ([]iot.Device, error) {
	devices, err := patiently(ctx, func() (devices []iot.Device, err error) {
		for d, err := range v.Devices(ctx, key) {
			if err != nil {
				return nil, err
			}
			d.ID.ProductKey = key
			devices = append(devices, d)
		}
		return devices, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read devices of product %s at %s: %w", key, v.Info, err)
	}
	slices.SortStableFunc(devices, func(a, b iot.Device) int { return a.ID.Compare(b.ID) })
	return slices.CompactFunc(devices, func(a, b iot.Device) bool { return a.ID == b.ID }), nil
}

// readTarget reads what the target has of the product.
func (p *SurveyProduct) readTarget(ctx context.Context, target iot.View) error {
	_, err := patiently(ctx, func() (iot.Product, error) { return target.Product(ctx, p.Product.Key) })
	if errors.Is(err, iot.NotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read product %s of %s: %w", p.Product.Key, target.Info, err)
	}
	p.AtTarget = true
	devices, err := readDevices(ctx, target, p.Product.Key)
	for _, d := range devices {
		p.TargetDevices = append(p.TargetDevices, d.ID)
	}
	return err
}

// readTopology reads the sub-devices of all gateways, several gateways at once.
func (s *Survey) readTopology(ctx context.Context, source iot.View, keys map[string]string) error {
	for _, p := range s.Products {
		if p.Product.NodeType != iot.Gateway {
			continue
		}
		for _, d := range p.Devices {
			s.Gateways = append(s.Gateways, SurveyGateway{ID: d.ID})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(surveyReaders)
	for i := range s.Gateways {
		group.Go(func() error { return s.Gateways[i].read(ctx, source, keys) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.Gateways = slices.DeleteFunc(s.Gateways, func(g SurveyGateway) bool { return len(g.Subs) == 0 })
	return nil
}

func (g *SurveyGateway) read(ctx context.Context, source iot.View, keys map[string]string) error {
	subs, err := collect(ctx, func(ctx context.Context) iter.Seq2[iot.DeviceID, error] {
		return source.Children(ctx, g.ID)
	})
	if err != nil {
		return fmt.Errorf("read sub-devices of gateway %s: %w", g.ID, err)
	}
	for i := range subs {
		if key, ok := keys[subs[i].ProductKey]; ok {
			subs[i].ProductKey = key
		}
	}
	g.Subs = slices.Clip(uniqueDevices(subs))
	return nil
}

// collect reads all that a sequence yields.
func collect[T any](ctx context.Context, read func(context.Context) iter.Seq2[T, error]) ([]T, error) {
	return patiently(ctx, func() (all []T, err error) {
		for item, err := range read(ctx) {
			if err != nil {
				return nil, err
			}
			all = append(all, item)
		}
		return all, nil
	})
}

// patiently reads again, from the beginning, what was throttled or could not be reached: the account's
// quotas are shared with all its other programs, and a survey of hours must not end at the first hiccup.
func patiently[T any](ctx context.Context, read func() (T, error)) (T, error) {
	for try := range surveyTries - 1 {
		v, err := read()
		if kind := iot.KindOf(err); kind != iot.Throttled && kind != iot.Transient {
			return v, err
		}
		wait := time.NewTimer(time.Second << try)
		select {
		case <-ctx.Done():
			wait.Stop()
			return v, ctx.Err()
		case <-wait.C:
		}
	}
	return read()
}

func uniqueDevices(ids []iot.DeviceID) []iot.DeviceID {
	slices.SortFunc(ids, iot.DeviceID.Compare)
	return slices.Compact(ids)
}

func compareRules(a, b iot.Rule) int {
	return cmp.Or(cmp.Compare(a.ProductKey, b.ProductKey), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

func compareSubscriptions(a, b iot.Subscription) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Queue, b.Queue), slices.Compare(a.Groups, b.Groups))
}
