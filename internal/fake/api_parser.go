package fake

import (
	"context"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// ListParserRequest asks for a page of parsers. PageSize is 1 to 1,000, 10 by default: the platform documents none.
type ListParserRequest struct {
	IotInstanceId         string
	CurrentPage, PageSize int
}

// ParserInfo is a parser: of a list its ID, name and status.
type ParserInfo struct {
	ParserId, DataSourceId string
	Name, Status           string
	Script, ScriptDraft    string
}

// ListParserResponse is a page of parsers.
type ListParserResponse struct {
	Total      int
	ParserList []ParserInfo
}

const maxParserPage = 1000

// ListParser lists the parsers of an instance.
func (c *Cloud) ListParser(ctx context.Context, r ListParserRequest) (ListParserResponse, error) {
	op := Op{Name: "ListParser", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (ListParserResponse, error) {
		var out ListParserResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, maxParserPage)
		if err != nil {
			return out, err
		}
		out.Total = len(in.parsers)
		for _, p := range cut(in.parsers, page, size) {
			out.ParserList = append(out.ParserList, ParserInfo{ParserId: p.ID, Name: p.Name, Status: runningWord(p.Running)})
		}
		return out, nil
	})
}

// parser returns the parser of an ID.
func (c *Cloud) parser(instanceID, id string) (iot.Parser, error) {
	in, err := c.instance(instanceID)
	if err != nil {
		return iot.Parser{}, err
	}
	for _, p := range in.parsers {
		if p.ID == id {
			return p, nil
		}
	}
	return iot.Parser{}, refuse(codeNoParser, "there is no parser %q on this instance", id)
}

// ParserRequest names a parser.
type ParserRequest struct{ IotInstanceId, ParserId string }

// GetParser reads one parser. Its data source has the ID of the parser: each has one of its own.
func (c *Cloud) GetParser(ctx context.Context, r ParserRequest) (ParserInfo, error) {
	op := Op{Name: "GetParser", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (ParserInfo, error) {
		p, err := c.parser(r.IotInstanceId, r.ParserId)
		if err != nil {
			return ParserInfo{}, err
		}
		return ParserInfo{
			ParserId: p.ID, DataSourceId: p.ID, Name: p.Name, Status: runningWord(p.Running), Script: p.Script, ScriptDraft: p.Draft,
		}, nil
	})
}

// ListDataSourceItemRequest asks for a page of the topics of a data source. PageSize is as that of ListParser.
type ListDataSourceItemRequest struct {
	IotInstanceId, DataSourceId string
	Page, PageSize              int
}

// ListDataSourceItemResponse is a page of topics.
type ListDataSourceItemResponse struct {
	Total, Page, PageSize int
	DataSourceItem        []iot.ParserSource
}

// ListDataSourceItem lists the topics of a data source.
func (c *Cloud) ListDataSourceItem(ctx context.Context, r ListDataSourceItemRequest) (ListDataSourceItemResponse, error) {
	op := Op{Name: "ListDataSourceItem", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (ListDataSourceItemResponse, error) {
		var out ListDataSourceItemResponse
		p, err := c.parser(r.IotInstanceId, r.DataSourceId)
		if err != nil {
			return out, refuse(codeNoDataSource, "there is no data source %q on this instance", r.DataSourceId)
		}
		page, size, err := pageOf(r.Page, r.PageSize, 10, maxParserPage)
		if err != nil {
			return out, err
		}
		out = ListDataSourceItemResponse{Total: len(p.Sources), Page: page, PageSize: size}
		out.DataSourceItem = slices.Clone(cut(p.Sources, page, size))
		return out, nil
	})
}

// ListParserDestinationResponse holds the destinations of a parser.
type ListParserDestinationResponse struct{ Destinations []iot.ParserOutput }

// ListParserDestination lists the destinations of a parser.
func (c *Cloud) ListParserDestination(ctx context.Context, r ParserRequest) (ListParserDestinationResponse, error) {
	op := Op{Name: "ListParserDestination", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (ListParserDestinationResponse, error) {
		p, err := c.parser(r.IotInstanceId, r.ParserId)
		return ListParserDestinationResponse{slices.Clone(p.Destinations)}, err
	})
}
