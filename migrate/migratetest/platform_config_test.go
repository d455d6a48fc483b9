package migratetest

import (
	"context"
	"errors"
	"iter"

	"github.com/iotferry/iotferry/iot"
)

// badConfig reads beyond a view, but for its flaw.
type badConfig struct {
	a *badAdapter
	iot.ConfigReaders
}

func (c badConfig) Rule(ctx context.Context, id string) (iot.RuleDetail, error) {
	r, err := c.Rules.Rule(ctx, id)
	if c.a.flaw == "rules without actions" {
		r.Outputs = nil
	}
	return r, err
}

func (c badConfig) Parsers(ctx context.Context) iter.Seq2[iot.Parser, error] {
	return cut(c.a, "first page of parsers", c.ConfigReaders.Parsers.Parsers(ctx))
}

func (c badConfig) Labels(ctx context.Context, id iot.DeviceID) (map[string]string, error) {
	labels, err := c.ConfigReaders.Labels.Labels(ctx, id)
	if c.a.flaw == "no device has no labels" && errors.Is(err, iot.NotFound) {
		err = nil
	}
	return labels, err
}

func (c badConfig) DeviceGroups(ctx context.Context) iter.Seq2[iot.DeviceGroup, error] {
	return func(yield func(iot.DeviceGroup, error) bool) {
		for g, err := range c.ConfigReaders.DeviceGroups.DeviceGroups(ctx) {
			if c.a.flaw == "groups of the first level" && g.Parent != "" {
				continue
			}
			if !yield(g, err) {
				return
			}
		}
	}
}

func (c badConfig) GroupDevices(ctx context.Context, id string) iter.Seq2[iot.DeviceID, error] {
	return c.ConfigReaders.DeviceGroups.GroupDevices(ctx, id)
}

func (c badConfig) DeviceGroupsOf(ctx context.Context, id iot.DeviceID) ([]string, error) {
	return c.ConfigReaders.DeviceGroups.DeviceGroupsOf(ctx, id)
}

func (c badConfig) Jobs(ctx context.Context) iter.Seq2[iot.Job, error] {
	return c.ConfigReaders.Jobs.Jobs(ctx)
}

func (c badConfig) Scenes(ctx context.Context) iter.Seq2[iot.Scene, error] {
	return c.ConfigReaders.Jobs.Scenes(ctx)
}

func (c badConfig) OTAJobs(ctx context.Context, product string) iter.Seq2[iot.OTAJob, error] {
	return cut(c.a, "first page of update jobs", c.ConfigReaders.Jobs.OTAJobs(ctx, product))
}

func (c badConfig) OTATasks(ctx context.Context, job string) iter.Seq2[iot.OTATask, error] {
	return cut(c.a, "first page of update tasks", c.ConfigReaders.Jobs.OTATasks(ctx, job))
}

// badConfigure writes it, but for its flaw.
type badConfigure struct {
	a *badAdapter
	iot.ConfigWriters
}

func (w badConfigure) SetLabels(ctx context.Context, id iot.DeviceID, labels map[string]string) error {
	if w.a.flaw == "labels replace each other" && len(labels) > 1 {
		labels = map[string]string{"owner": labels["owner"]}
	}
	err := w.Labels.SetLabels(ctx, id, labels)
	if w.a.flaw == "a lost label is a transient" && errors.Is(err, iot.UnknownOutcome) {
		return iot.Transient
	}
	return err
}

func (w badConfigure) CreateDeviceGroup(ctx context.Context, g iot.DeviceGroup) (iot.DeviceGroup, error) {
	if w.a.flaw == "groups have no parent" {
		g.Parent = ""
	}
	return w.DeviceGroups.CreateDeviceGroup(ctx, g)
}

func (w badConfigure) AddToDeviceGroup(ctx context.Context, id string, devices []iot.DeviceID) (iot.GroupAdded, error) {
	added, err := w.DeviceGroups.AddToDeviceGroup(ctx, id, devices)
	if w.a.flaw == "counts what was there" {
		added.Added, added.Already = added.Added+added.Already, 0
	}
	return added, err
}
