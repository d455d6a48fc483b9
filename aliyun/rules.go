package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// The platform documents no largest page of parsers and their topics. This one is what lists of the platform allow at least.
const parserPage = 50

// An output is an action of a rule, or a destination of a parser.
type output struct {
	DestinationId, Name, Type, Configuration string
	ErrorActionFlag, IsFailover              bool
}

// Rule reads the rule and its actions by a call each.
func (in *instance) Rule(ctx context.Context, ruleID string) (iot.RuleDetail, error) {
	const api = "GetRule"
	if err := named(api, ruleID); err != nil {
		return iot.RuleDetail{}, err
	}
	var out struct{ RuleInfo rule }
	if err := in.read(ctx, api, rpc.Params{"RuleId": ruleID}, &out); err != nil {
		return iot.RuleDetail{}, err
	}
	outputs, err := in.outputs(ctx, ruleID)
	if err != nil {
		return iot.RuleDetail{}, err
	}
	r := iot.RuleDetail{Rule: out.RuleInfo.rule(), DataType: out.RuleInfo.DataType, Select: out.RuleInfo.Select, Where: out.RuleInfo.Where}
	r.Actions = kindsOf(outputs)
	for _, o := range outputs {
		r.Outputs = append(r.Outputs, iot.RuleAction{Type: o.Type, Configuration: configuration(o.Configuration), OnError: o.ErrorActionFlag})
	}
	return r, nil
}

func (r rule) rule() iot.Rule {
	return iot.Rule{ID: r.Id, Name: r.Name, ProductKey: r.ProductKey, Topic: r.ShortTopic, Running: r.Status == "RUNNING"}
}

// configuration returns the platform's JSON, or, where it is none, a JSON text of it.
func configuration(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) // a text can always be one
	return quoted
}

// outputs returns a rule's actions.
func (in *instance) outputs(ctx context.Context, ruleID string) ([]output, error) {
	var out struct {
		RuleActionList struct{ RuleActionInfo []output }
	}
	err := in.read(ctx, "ListRuleActions", rpc.Params{"RuleId": ruleID}, &out)
	return out.RuleActionList.RuleActionInfo, err
}

func kindsOf(outputs []output) []string {
	var kinds []string
	for _, o := range outputs {
		kinds = append(kinds, o.Type)
	}
	return kinds
}

// Parsers reads each parser, its topics and its destinations by calls of their own.
func (in *instance) Parsers(ctx context.Context) iter.Seq2[iot.Parser, error] {
	const api = "ListParser"
	type parser struct{ ParserId string }
	rows := pages(api, parserPage, func(page string) ([]parser, int, error) {
		var out struct {
			Total int
			Data  struct{ ParserList []parser }
		}
		err := in.read(ctx, api, rpc.Params{"CurrentPage": page, "PageSize": strconv.Itoa(parserPage)}, &out)
		return out.Data.ParserList, out.Total, err
	})
	return eachOf(rows, func(row parser) (iot.Parser, error) { return in.parser(ctx, row.ParserId) })
}

func (in *instance) parser(ctx context.Context, id string) (iot.Parser, error) {
	var out struct {
		Data struct{ DataSourceId, Name, Status, Script, ScriptDraft string }
	}
	if err := in.read(ctx, "GetParser", rpc.Params{"ParserId": id}, &out); err != nil {
		return iot.Parser{}, err
	}
	d := out.Data
	p := iot.Parser{ID: id, Name: d.Name, Running: d.Status == "RUNNING", Script: d.Script, Draft: d.ScriptDraft}
	for s, err := range in.topics(ctx, d.DataSourceId) {
		if errors.Is(err, iot.NotFound) { // the data source was deleted, and the parser is there
			break
		}
		if err != nil {
			return iot.Parser{}, err
		}
		p.Sources = append(p.Sources, s)
	}
	var err error
	if p.Destinations, err = in.destinations(ctx, id); err != nil {
		return iot.Parser{}, err
	}
	return p, nil
}

// topics returns the topics of a data source; a parser may have none.
func (in *instance) topics(ctx context.Context, dataSource string) iter.Seq2[iot.ParserSource, error] {
	const api = "ListDataSourceItem"
	if dataSource == "" || dataSource == "0" {
		return func(func(iot.ParserSource, error) bool) {}
	}
	return pages(api, parserPage, func(page string) ([]iot.ParserSource, int, error) {
		var out struct {
			Total           int
			DataSourceItems struct {
				Items []struct{ Topic, ScopeType, ProductKey, DeviceName string } `json:"dataSourceItem"`
			}
		}
		query := rpc.Params{"DataSourceId": dataSource, "Page": page, "PageSize": strconv.Itoa(parserPage)}
		err := in.read(ctx, api, query, &out)
		var list []iot.ParserSource
		for _, x := range out.DataSourceItems.Items {
			list = append(list, iot.ParserSource{Topic: x.Topic, Scope: x.ScopeType, ProductKey: x.ProductKey, DeviceName: x.DeviceName})
		}
		return list, out.Total, err
	})
}

func (in *instance) destinations(ctx context.Context, parser string) ([]iot.ParserOutput, error) {
	var out struct {
		Data struct {
			Destinations []output `json:"destinations"`
		}
	}
	if err := in.read(ctx, "ListParserDestination", rpc.Params{"ParserId": parser}, &out); err != nil {
		return nil, err
	}
	var list []iot.ParserOutput
	for _, o := range out.Data.Destinations {
		list = append(list, iot.ParserOutput{
			ID: o.DestinationId, Name: o.Name, Type: o.Type, Configuration: configuration(o.Configuration), OnError: o.IsFailover,
		})
	}
	return list, nil
}
