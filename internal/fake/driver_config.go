package fake

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"maps"

	"github.com/iotferry/iotferry/iot"
)

func (d *driver) Rule(ctx context.Context, ruleID string) (iot.RuleDetail, error) {
	info, err := read(ctx, d, "GetRule", func() (RuleInfo, error) {
		return d.cloud.GetRule(ctx, GetRuleRequest{d.id, ruleID})
	})
	if err != nil {
		return iot.RuleDetail{}, err
	}
	out, err := read(ctx, d, "ListRuleActions", func() (ListRuleActionsResponse, error) {
		return d.cloud.ListRuleActions(ctx, ListRuleActionsRequest{d.id, ruleID})
	})
	if err != nil {
		return iot.RuleDetail{}, err
	}
	r := iot.RuleDetail{Rule: ruleOf(info), DataType: info.DataType, Select: info.Select, Where: info.Where}
	for _, a := range out.RuleActionInfo {
		r.Actions = append(r.Actions, a.Type)
		r.Outputs = append(r.Outputs, iot.RuleAction{
			Type: a.Type, Configuration: json.RawMessage(a.Configuration), OnError: a.ErrorActionFlag,
		})
	}
	return r, nil
}

func ruleOf(info RuleInfo) iot.Rule {
	return iot.Rule{
		ID: info.Id, Name: info.Name, ProductKey: info.ProductKey, Topic: info.ShortTopic, Running: info.Status == "RUNNING",
	}
}

func (d *driver) Parsers(ctx context.Context) iter.Seq2[iot.Parser, error] {
	const size = 100
	return paged(func(page int) ([]iot.Parser, bool, error) {
		out, err := read(ctx, d, "ListParser", func() (ListParserResponse, error) {
			return d.cloud.ListParser(ctx, ListParserRequest{d.id, page, size})
		})
		if err != nil {
			return nil, false, err
		}
		list := make([]iot.Parser, 0, len(out.ParserList))
		for _, row := range out.ParserList {
			p, err := d.parser(ctx, row.ParserId)
			if errors.Is(err, iot.NotFound) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, false, err
			}
			list = append(list, p)
		}
		return list, page*size < out.Total, nil
	})
}

func (d *driver) parser(ctx context.Context, id string) (iot.Parser, error) {
	info, err := read(ctx, d, "GetParser", func() (ParserInfo, error) {
		return d.cloud.GetParser(ctx, ParserRequest{d.id, id})
	})
	if err != nil {
		return iot.Parser{}, err
	}
	p := iot.Parser{ID: info.ParserId, Name: info.Name, Running: info.Status == "RUNNING", Script: info.Script, Draft: info.ScriptDraft}
	const size = 100
	sources := paged(func(page int) ([]iot.ParserSource, bool, error) {
		out, err := read(ctx, d, "ListDataSourceItem", func() (ListDataSourceItemResponse, error) {
			return d.cloud.ListDataSourceItem(ctx, ListDataSourceItemRequest{d.id, info.DataSourceId, page, size})
		})
		return out.DataSourceItem, page*size < out.Total, err
	})
	for s, err := range sources {
		if err != nil {
			return iot.Parser{}, err
		}
		p.Sources = append(p.Sources, s)
	}
	out, err := read(ctx, d, "ListParserDestination", func() (ListParserDestinationResponse, error) {
		return d.cloud.ListParserDestination(ctx, ParserRequest{d.id, id})
	})
	p.Destinations = out.Destinations
	return p, err
}

func (d *driver) Script(ctx context.Context, productKey string) (iot.Script, error) {
	out, err := read(ctx, d, "GetThingScript", func() (GetThingScriptResponse, error) {
		return d.cloud.GetThingScript(ctx, GetThingScriptRequest{d.id, productKey})
	})
	return iot.Script{Language: out.ScriptType}, err
}

func (d *driver) Labels(ctx context.Context, id iot.DeviceID) (map[string]string, error) {
	out, err := read(ctx, d, "QueryDeviceProp", func() (QueryDevicePropResponse, error) {
		return d.cloud.QueryDeviceProp(ctx, DeviceRequest{d.id, id.ProductKey, id.DeviceName})
	})
	return out.Props, err
}

func (d *driver) SetLabels(ctx context.Context, id iot.DeviceID, labels map[string]string) error {
	const api = "SaveDeviceProp"
	if n := len(labels); n == 0 || n > iot.MaxLabels {
		return tooManyOf(api, "labels", n, iot.MaxLabels)
	}
	_, err := write(ctx, d, api, func() (struct{}, error) {
		return struct{}{}, d.cloud.SaveDeviceProp(ctx, SaveDevicePropRequest{
			DeviceRequest{d.id, id.ProductKey, id.DeviceName}, maps.Clone(labels),
		})
	})
	return err
}

func (d *driver) Shadow(ctx context.Context, id iot.DeviceID) (json.RawMessage, error) {
	out, err := read(ctx, d, "GetDeviceShadow", func() (GetDeviceShadowResponse, error) {
		return d.cloud.GetDeviceShadow(ctx, DeviceRequest{d.id, id.ProductKey, id.DeviceName})
	})
	if out.ShadowMessage == "" {
		return nil, err
	}
	return json.RawMessage(out.ShadowMessage), err
}

func (d *driver) Jobs(ctx context.Context) iter.Seq2[iot.Job, error] {
	return listing(ctx, d, "ListJob", func(page PageRequest) ([]iot.Job, int, error) {
		out, err := d.cloud.ListJob(ctx, page)
		return out.Data, out.Total, err
	})
}

func (d *driver) Scenes(ctx context.Context) iter.Seq2[iot.Scene, error] {
	return listing(ctx, d, "QuerySceneRule", func(page PageRequest) ([]iot.Scene, int, error) {
		out, err := d.cloud.QuerySceneRule(ctx, page)
		return out.RuleList, out.Total, err
	})
}

// OTAJobs asks for the batches of each update package of the product.
func (d *driver) OTAJobs(ctx context.Context, productKey string) iter.Seq2[iot.OTAJob, error] {
	firmwares := listing(ctx, d, "ListOTAFirmware", func(page PageRequest) ([]Firmware, int, error) {
		out, err := d.cloud.ListOTAFirmware(ctx, ListOTAFirmwareRequest{page, productKey})
		return out.FirmwareInfo, out.Total, err
	})
	return func(yield func(iot.OTAJob, error) bool) {
		for f, err := range firmwares {
			if err != nil {
				yield(iot.OTAJob{}, err)
				return
			}
			batches := listing(ctx, d, "ListOTAJobByFirmware", func(page PageRequest) ([]iot.OTAJob, int, error) {
				out, err := d.cloud.ListOTAJobByFirmware(ctx, ListOTAJobByFirmwareRequest{page, f.FirmwareId})
				return out.SimpleOTAJobInfo, out.Total, err
			})
			for j, err := range batches {
				if errors.Is(err, iot.NotFound) { // the package was deleted meanwhile
					break
				}
				j.Firmware, j.Version = f.FirmwareName, f.DestVersion
				if err != nil {
					j = iot.OTAJob{}
				}
				if !yield(j, err) || err != nil {
					return
				}
			}
		}
	}
}

func (d *driver) OTATasks(ctx context.Context, jobID string) iter.Seq2[iot.OTATask, error] {
	return listing(ctx, d, "ListOTATaskByJob", func(page PageRequest) ([]iot.OTATask, int, error) {
		out, err := d.cloud.ListOTATaskByJob(ctx, ListOTATaskByJobRequest{page, jobID})
		return out.SimpleOTATaskInfo, out.Total, err
	})
}

// listing yields the rows of a list of the instance that is paged by numbers.
func listing[T any](
	ctx context.Context, d *driver, api string, fetch func(PageRequest) (rows []T, total int, err error),
) iter.Seq2[T, error] {
	const size = 100
	return paged(func(page int) ([]T, bool, error) {
		total := 0
		rows, err := read(ctx, d, api, func() (rows []T, err error) {
			rows, total, err = fetch(PageRequest{d.id, page, size})
			return rows, err
		})
		return rows, page*size < total, err
	})
}
