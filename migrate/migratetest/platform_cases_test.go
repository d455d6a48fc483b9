package migratetest

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A badAdapter is the platform's own driver but for its flaw.
type badAdapter struct {
	iot.Instance
	mover  iot.Mover
	source iot.Receiver
	bench  *platformBench
	flaw   flaw
}

func badConnection(b *platformBench, f flaw) Connection {
	conn := b.cloud.Connection()
	source := &badAdapter{Instance: conn.Platform.Source, mover: conn.Platform.Mover, source: conn.Source, bench: b, flaw: f}
	target := &badAdapter{Instance: conn.Platform.Target, mover: conn.Platform.Mover, source: conn.Target, bench: b, flaw: f}
	if f == "reads the source" {
		target.Instance = source.Instance
	}
	source.stand(&conn.Platform.Source)
	target.stand(&conn.Platform.Target)
	conn.Platform.Mover, conn.Source = source, source
	return conn
}

// stand lets the adapter stand for all parts of an instance.
func (a *badAdapter) stand(i *iot.Instance) {
	i.Registry, i.StateReader, i.TopologyReader, i.ForwardingReader, i.ModelReader = a, a, a, a, a
	i.Commander, i.Registrar, i.Subscriber, i.HistoryReader, i.ModelVersionReader = a, a, a, a, a
	c, w := badConfig{a, i.Config}, badConfigure{a, i.Configure}
	i.Config.Rules, i.Config.Parsers, i.Config.Labels, i.Config.DeviceGroups, i.Config.Jobs = c, c, c, c, c
	i.Configure.Labels, i.Configure.DeviceGroups = w, w
}

// cut leaves out what is behind the first page, or turns a list round.
func cut[T any](a *badAdapter, flaw flaw, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := 0
		for x, err := range seq {
			if n++; a.flaw == flaw && n > 50 || !yield(x, err) {
				return
			}
		}
	}
}

func (a *badAdapter) Products(ctx context.Context) iter.Seq2[iot.Product, error] {
	return cut(a, "first page of products", a.Instance.Products(ctx))
}

func (a *badAdapter) Devices(ctx context.Context, product string) iter.Seq2[iot.Device, error] {
	seq := a.Instance.Devices(ctx, product)
	if a.flaw == "reads ahead" || a.flaw == "oldest first" {
		list, err := collect("", seq)
		if a.flaw == "oldest first" {
			slices.Reverse(list)
		}
		seq = func(yield func(iot.Device, error) bool) {
			for _, d := range list {
				if !yield(d, nil) {
					return
				}
			}
			if err != nil {
				yield(iot.Device{}, err)
			}
		}
	}
	return seq
}

func (a *badAdapter) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	if a.flaw == "ignores done contexts" {
		ctx = context.WithoutCancel(ctx)
	}
	if a.flaw == "cuts long batches" {
		names = names[:min(len(names), iot.MaxStates)]
	}
	list, err := a.Instance.States(ctx, product, names)
	switch {
	case a.flaw == "sorts states":
		slices.SortFunc(list, func(x, y iot.DeviceState) int { return x.ID.Compare(y.ID) })
	case a.flaw == "retries" && errors.Is(err, iot.Throttled):
		return a.Instance.States(ctx, product, names)
	}
	return list, err
}

func (a *badAdapter) Children(ctx context.Context, g iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	return cut(a, "first page of children", a.Instance.Children(ctx, g))
}

func (a *badAdapter) Rules(ctx context.Context) iter.Seq2[iot.Rule, error] {
	return cut(a, "first page of rules", a.Instance.Rules(ctx))
}

func (a *badAdapter) GroupStatus(ctx context.Context, id string) (iot.GroupStatus, error) {
	s, err := a.Instance.GroupStatus(ctx, id)
	if a.flaw == "no group is an empty one" {
		err = nil
	}
	return s, err
}

func (a *badAdapter) ThingModel(ctx context.Context, product string) (json.RawMessage, error) {
	m, err := a.Instance.ThingModel(ctx, product)
	if a.flaw == "no model is an empty one" && err != nil {
		return json.RawMessage(`{}`), nil
	}
	return m, err
}

func (a *badAdapter) ModelVersions(ctx context.Context, product string) ([]iot.ModelVersion, error) {
	list, err := a.Instance.ModelVersions(ctx, product)
	if a.flaw == "a product without a model is none" && err == nil && len(list) == 0 {
		return nil, &iot.Error{Kind: iot.NotFound}
	}
	return list, err
}

func (a *badAdapter) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	switch a.flaw {
	case "cuts long lists of properties":
		identifiers = identifiers[:min(len(identifiers), iot.MaxHistoryProperties)]
	case "takes in the end":
		to = to.Add(time.Millisecond)
	}
	page, err := a.Instance.PropertyHistory(ctx, id, identifiers, from, to)
	switch a.flaw {
	case "newest first":
		slices.Reverse(page.Rows)
	case "first page of history":
		page.Next = time.Time{}
	case "asks twice":
		return a.Instance.PropertyHistory(ctx, id, identifiers, from, to)
	case "no device has no history":
		if errors.Is(err, iot.NotFound) {
			err = nil
		}
	}
	return page, err
}

func (a *badAdapter) ServiceHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	page, err := a.Instance.ServiceHistory(ctx, id, identifier, from, to)
	if a.flaw == "loses inputs" {
		for i := range page.Rows {
			page.Rows[i].Input = nil
		}
	}
	return page, err
}

func (a *badAdapter) Move(ctx context.Context, product string, names []string) ([]iot.MoveResult, error) {
	if a.flaw == "moves what fits" {
		names = names[:min(len(names), iot.MaxMove)]
	}
	results, err := a.mover.Move(ctx, product, names)
	switch {
	case a.flaw == "believes in success":
		for i := range results {
			results[i].Accepted = true
		}
	case a.flaw == "fills in results" && err == nil:
		results = nil
		for _, name := range names {
			results = append(results, iot.MoveResult{DeviceName: name, Accepted: true})
		}
	case a.flaw == "moves nothing" && err == nil:
		return nil, nil
	case a.flaw == "lost is transient" && err != nil:
		return nil, &iot.Error{Kind: iot.Transient, Err: errors.New("lost")}
	case a.flaw == "one at a time" && len(results) == 1:
		_, _ = a.mover.Move(ctx, product, names)
		if results[0].DeviceName == directName(3) {
			return nil, &iot.Error{Kind: iot.Conflict}
		}
	}
	return results, err
}

func (a *badAdapter) Register(ctx context.Context, id iot.DeviceID) (iot.Credential, error) {
	c, err := a.Instance.Register(ctx, id)
	if a.flaw == "loses secrets" {
		c.Secret = iot.Secret{}
	}
	return c, err
}

func (a *badAdapter) Subscribe(ctx context.Context, s iot.Subscription) error {
	there, err := a.Instance.Subscriptions(ctx, s.ProductKey)
	if a.flaw == "subscribes once" && err == nil && len(there) > 0 {
		return &iot.Error{Kind: iot.Conflict}
	}
	return a.Instance.Subscribe(ctx, s)
}

func (a *badAdapter) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	id, err := a.Instance.Publish(ctx, topic, payload)
	if a.flaw == "no message IDs" {
		id = ""
	}
	return id, err
}

func (a *badAdapter) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	if a.flaw == "speaks text" {
		payload = []byte(string([]rune(string(payload))))
	}
	return a.Instance.Call(ctx, id, payload, timeout)
}

func (a *badAdapter) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	r, err := a.Instance.Invoke(ctx, id, service, args)
	if a.flaw == "answers at once" && err == nil && r.Result == nil {
		r.Result = json.RawMessage("{}")
	}
	return r, err
}

func (a *badAdapter) Receive(ctx context.Context, group string, limit int) ([]iot.Message, error) {
	switch a.flaw {
	case "never settles":
		a.bench.clock.Advance(2 * time.Minute)
		return a.bench.cloud.SourceReceiver().Receive(ctx, group, limit)
	case "settles at once":
		messages, err := a.source.Receive(ctx, group, limit)
		_, _ = a.source.Receive(ctx, group, 1)
		return messages, err
	}
	return a.source.Receive(ctx, group, limit)
}

// TestPlatformCases proves that each contract is tested: every flaw is caught by the case made for it.
func TestPlatformCases(t *testing.T) {
	caught := map[flaw]string{
		"first page of products":   "products",
		"oldest first":             "devices",
		"reads ahead":              "pages",
		"sorts states":             "states",
		"cuts long batches":        "states",
		"first page of children":   "topology",
		"first page of rules":      "rules",
		"no group is an empty one": "groups",
		"no model is an empty one": "thing model",
		"reads the source":         "wrong instance",

		"a product without a model is none": "model versions",
		"cuts long lists of properties":     "history",
		"takes in the end":                  "history",
		"newest first":                      "history",
		"first page of history":             "history",
		"asks twice":                        "history",
		"no device has no history":          "history",
		"loses inputs":                      "history",

		"rules without actions":       "configuration",
		"first page of parsers":       "configuration",
		"no device has no labels":     "configuration",
		"groups of the first level":   "configuration",
		"first page of update jobs":   "configuration",
		"first page of update tasks":  "configuration",
		"labels replace each other":   "configure",
		"groups have no parent":       "configure",
		"counts what was there":       "configure",
		"a lost label is a transient": "configure",

		"moves nothing":         "move",
		"believes in success":   "move refused",
		"moves what fits":       "move limits",
		"lost is transient":     "lost answers",
		"fills in results":      "dropped names",
		"loses secrets":         "register",
		"subscribes once":       "subscribe",
		"no message IDs":        "publish",
		"speaks text":           "call",
		"answers at once":       "services",
		"never settles":         "receive",
		"settles at once":       "redelivery",
		"ignores done contexts": "done context",
		"retries":               "error kinds",
		"one at a time":         "concurrent",
	}
	run := func(t *testing.T, c platformCase, f flaw) error {
		b, err := newPlatformBench()
		if err != nil {
			t.Fatal(err)
		}
		b.Connection = badConnection(b, f)
		return c.run(t.Context(), b)
	}
	for _, c := range platformCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := run(t, c, ""); err != nil {
				t.Errorf("a good adapter: %v", err)
			}
			tested := false
			for flaw, name := range caught {
				if name != c.name {
					continue
				}
				tested = true
				if err := run(t, c, flaw); err == nil {
					t.Errorf("an adapter that %q passes", flaw)
				}
			}
			if !tested {
				t.Error("no flaw proves this case")
			}
		})
	}
}
