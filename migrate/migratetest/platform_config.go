package migratetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// benchSetup is configuration of the source with more of everything than fits on a page.
func benchSetup() Setup {
	s := Setup{
		Labels: map[iot.DeviceID]map[string]string{directID(1): {"site": "hangzhou", "owner": "<b>&"}},
		Shadows: map[iot.DeviceID]json.RawMessage{
			directID(1): json.RawMessage(`{"state":{"reported":{"a":1}},"version":3}`),
		},
		Scripts: map[string]string{DirectProduct: "JavaScript"},
		DeviceGroups: []iot.DeviceGroup{
			{ID: "site0001", Name: "site_1", Description: "a site"},
			{ID: "floor001", Name: "floor_1", Parent: "site0001"},
		},
		Members: map[string][]iot.DeviceID{"floor001": {directID(1)}},
		Rules:   []iot.RuleDetail{},
	}
	for n := range 60 {
		s.Members["site0001"] = append(s.Members["site0001"], directID(n))
	}
	for n := range 210 {
		s.DeviceGroups = append(s.DeviceGroups, iot.DeviceGroup{ID: fmt.Sprintf("many%04d", n), Name: fmt.Sprintf("many_%d", n)})
	}
	for n := range 120 {
		s.Jobs = append(s.Jobs, iot.Job{ID: fmt.Sprintf("job-%03d", n), Name: "Reboot", Type: "CUSTOM_JOB", Status: "IN_PROGRESS"})
		s.Scenes = append(s.Scenes, iot.Scene{ID: fmt.Sprintf("scene-%03d", n), Name: "Lights", Running: n%2 == 0})
		s.OTAJobs = append(s.OTAJobs, iot.OTAJob{
			ID: fmt.Sprintf("ota-%03d", n), ProductKey: DirectProduct, FirmwareID: fmt.Sprintf("fw%02d", n/60), Firmware: fmt.Sprintf("Meter %d", n/60),
			Version: "2.0", Type: "UPGRADE_FIRMWARE", Status: "COMPLETED",
		})
		s.Parsers = append(s.Parsers, iot.Parser{ID: fmt.Sprint(7000 + n), Name: fmt.Sprintf("parser_%d", n), Running: true})
	}
	s.OTATasks = map[string][]iot.OTATask{}
	for n := range 130 {
		s.OTATasks["ota-000"] = append(s.OTATasks["ota-000"], iot.OTATask{Device: directID(n), Status: "QUEUED"})
	}
	p := &s.Parsers[0]
	p.Script, p.Draft, p.Running = "writeTable(1, payload())", "// later", false
	p.Destinations = []iot.ParserOutput{{ID: "8001", Name: "table", Type: "OTS", Configuration: json.RawMessage(`{"tableName":"t"}`), OnError: true}}
	for n := range 101 {
		p.Sources = append(p.Sources, iot.ParserSource{
			Topic: fmt.Sprintf("/+/user/update%d", n), Scope: "BASIC", ProductKey: DirectProduct, DeviceName: "+",
		})
	}
	s.Rules = append(s.Rules, iot.RuleDetail{
		Rule:     iot.Rule{ID: "4711", Name: "to_table", ProductKey: DirectProduct, Topic: "/+/user/update", Actions: []string{"OTS", "AMQP"}},
		DataType: "BINARY", Select: "deviceName() AS d", Where: "a > 1",
		Outputs: []iot.RuleAction{
			{Type: "OTS", Configuration: json.RawMessage(`{"tableName":"t"}`)},
			{Type: "AMQP", Configuration: json.RawMessage(`{"groupId":"DEFAULT_GROUP"}`), OnError: true},
		},
	})
	return s
}

// platformConfig reads what a driver can read beyond a view. What it has no means for is left out of the suite.
func platformConfig(ctx context.Context, b *platformBench) error {
	s := benchSetup()
	if err := b.cloud.SetupSource(s); err != nil {
		return err
	}
	at := b.Platform.Source.Config
	for _, part := range []struct {
		there bool
		run   func(context.Context, iot.ConfigReaders, Setup) error
	}{
		{at.Rules != nil, configRules}, {at.Parsers != nil, configParsers}, {at.Scripts != nil, configScripts},
		{at.Labels != nil, configLabels}, {at.DeviceGroups != nil, configGroups}, {at.Shadows != nil, configShadows},
		{at.Jobs != nil, configJobs},
	} {
		if !part.there {
			continue
		}
		if err := part.run(ctx, at, s); err != nil {
			return err
		}
	}
	return nil
}

func configRules(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	got, err := at.Rules.Rule(ctx, "4711")
	if err != nil {
		return fmt.Errorf("contract of Rule: %w", err)
	}
	if err := differ("Rule", s.Rules[0], got); err != nil {
		return err
	}
	_, err = at.Rules.Rule(ctx, "1")
	return refused("Rule that does not exist", err, iot.NotFound)
}

func configParsers(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	got, err := collect("Parsers", at.Parsers.Parsers(ctx))
	if err != nil {
		return err
	}
	return differ("Parsers", s.Parsers, got)
}

func configScripts(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	got, err := at.Scripts.Script(ctx, DirectProduct)
	if err != nil {
		return fmt.Errorf("contract of Script: %w", err)
	}
	if err := differ("Script", iot.Script{Language: s.Scripts[DirectProduct]}, got); err != nil {
		return err
	}
	_, err = at.Scripts.Script(ctx, GatewayProduct)
	return refused("Script of a product that has none", err, iot.NotFound)
}

func configLabels(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	for _, n := range []int{1, 2} {
		got, err := at.Labels.Labels(ctx, directID(n))
		if err != nil {
			return fmt.Errorf("contract of Labels: %w", err)
		}
		want := s.Labels[directID(n)]
		if len(want) == 0 && len(got) == 0 {
			continue
		}
		if err := differ("Labels", want, got); err != nil {
			return err
		}
	}
	_, err := at.Labels.Labels(ctx, iot.DeviceID{ProductKey: DirectProduct, DeviceName: "no-such-device"})
	return refused("Labels of no device", err, iot.NotFound)
}

func configGroups(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	groups, err := collect("DeviceGroups", at.DeviceGroups.DeviceGroups(ctx))
	if err != nil {
		return err
	}
	parents := map[string]bool{"": true}
	for _, g := range groups {
		if parents[g.ID] || !parents[g.Parent] {
			return fmt.Errorf("contract of DeviceGroups: group %s comes twice, or before its parent %q", g.ID, g.Parent)
		}
		parents[g.ID] = true
		if !slices.Contains(s.DeviceGroups, g) {
			return fmt.Errorf("contract of DeviceGroups: there is no group %+v", g)
		}
	}
	if len(groups) != len(s.DeviceGroups) {
		return fmt.Errorf("contract of DeviceGroups: %d groups, want %d", len(groups), len(s.DeviceGroups))
	}
	devices, err := collect("GroupDevices", at.DeviceGroups.GroupDevices(ctx, "site0001"))
	if err != nil {
		return err
	}
	slices.SortFunc(devices, iot.DeviceID.Compare)
	if err := differ("GroupDevices", s.Members["site0001"], devices); err != nil {
		return err
	}
	of, err := at.DeviceGroups.DeviceGroupsOf(ctx, directID(1))
	if err != nil {
		return fmt.Errorf("contract of DeviceGroupsOf: %w", err)
	}
	slices.Sort(of)
	if err := differ("DeviceGroupsOf", []string{"floor001", "site0001"}, of); err != nil {
		return err
	}
	return lastError("GroupDevices of no group", at.DeviceGroups.GroupDevices(ctx, "nothing1"), iot.NotFound)
}

func configShadows(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	for _, n := range []int{1, 2} {
		got, err := at.Shadows.Shadow(ctx, directID(n))
		if err != nil {
			return fmt.Errorf("contract of Shadow: %w", err)
		}
		if err := differ("Shadow", string(s.Shadows[directID(n)]), string(got)); err != nil {
			return err
		}
	}
	return nil
}

func configJobs(ctx context.Context, at iot.ConfigReaders, s Setup) error {
	jobs, err := collect("Jobs", at.Jobs.Jobs(ctx))
	if err != nil {
		return err
	}
	if err := differ("Jobs", s.Jobs, jobs); err != nil {
		return err
	}
	scenes, err := collect("Scenes", at.Jobs.Scenes(ctx))
	if err != nil {
		return err
	}
	if err := differ("Scenes", s.Scenes, scenes); err != nil {
		return err
	}
	updates, err := collect("OTAJobs", at.Jobs.OTAJobs(ctx, DirectProduct))
	if err != nil {
		return err
	}
	if err := differ("OTAJobs", s.OTAJobs, updates); err != nil {
		return err
	}
	tasks, err := collect("OTATasks", at.Jobs.OTATasks(ctx, "ota-000"))
	if err != nil {
		return err
	}
	return differ("OTATasks", s.OTATasks["ota-000"], tasks)
}

// platformConfigure writes labels and groups of devices, each twice.
func platformConfigure(ctx context.Context, b *platformBench) error {
	at := b.Platform.Source
	if at.Configure.Labels != nil && at.Config.Labels != nil {
		if err := writeLabels(ctx, b, at); err != nil {
			return err
		}
	}
	if at.Configure.DeviceGroups != nil && at.Config.DeviceGroups != nil {
		return writeGroups(ctx, b, at)
	}
	return nil
}

func writeLabels(ctx context.Context, b *platformBench, at iot.Instance) error {
	want := map[string]string{"site": "hangzhou", "owner": `"a"=<b>&`}
	for _, labels := range []map[string]string{{"site": "nowhere"}, want, want} {
		if err := at.Configure.Labels.SetLabels(ctx, directID(2), labels); err != nil {
			return fmt.Errorf("contract of SetLabels: %w", err)
		}
	}
	got, err := at.Config.Labels.Labels(ctx, directID(2))
	if err != nil {
		return fmt.Errorf("contract of Labels: %w", err)
	}
	if err := differ("SetLabels", want, got); err != nil {
		return err
	}
	b.disturb("SaveDeviceProp", Fault{Lost: true})
	err = at.Configure.Labels.SetLabels(ctx, directID(2), want)
	if err := refused("SetLabels without an answer", err, iot.UnknownOutcome); err != nil {
		return err
	}
	return b.silent("SetLabels without labels", func() error {
		return refused("SetLabels without labels", at.Configure.Labels.SetLabels(ctx, directID(2), nil), iot.Invalid)
	})
}

func writeGroups(ctx context.Context, b *platformBench, at iot.Instance) error {
	w := at.Configure.DeviceGroups
	site, err := w.CreateDeviceGroup(ctx, iot.DeviceGroup{Name: "site_7", Description: "seven"})
	if err != nil || site.ID == "" {
		return fmt.Errorf("contract of CreateDeviceGroup: got %+v, %w", site, err)
	}
	_, err = w.CreateDeviceGroup(ctx, iot.DeviceGroup{Name: "site_7"})
	if err := refused("CreateDeviceGroup with a name that is taken", err, iot.Conflict); err != nil {
		return err
	}
	floor, err := w.CreateDeviceGroup(ctx, iot.DeviceGroup{Name: "floor_7", Parent: site.ID})
	if err != nil {
		return fmt.Errorf("contract of CreateDeviceGroup: %w", err)
	}
	ids := []iot.DeviceID{directID(4), directID(5), {ProductKey: DirectProduct, DeviceName: "no-such-device"}}
	for i, want := range []iot.GroupAdded{{Added: 2}, {Already: 2}} {
		got, err := w.AddToDeviceGroup(ctx, floor.ID, ids)
		if err != nil {
			return fmt.Errorf("contract of AddToDeviceGroup: %w", err)
		}
		if err := differ(fmt.Sprintf("AddToDeviceGroup, time %d", i+1), want, got); err != nil {
			return err
		}
	}
	groups, err := collect("DeviceGroups", at.Config.DeviceGroups.DeviceGroups(ctx))
	if err != nil {
		return err
	}
	if err := differ("CreateDeviceGroup", []iot.DeviceGroup{site, floor}, groups); err != nil {
		return err
	}
	return b.silent("AddToDeviceGroup with 201 devices", func() error {
		_, err := w.AddToDeviceGroup(ctx, floor.ID, make([]iot.DeviceID, iot.MaxGroupDevices+1))
		return refused("AddToDeviceGroup with 201 devices", err, iot.Invalid)
	})
}
