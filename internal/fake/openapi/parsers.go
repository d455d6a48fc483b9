package openapi

import (
	"encoding/json"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

func parsersRequest(p *params) fake.ListParserRequest {
	p.lacks("SearchName")
	return fake.ListParserRequest(pageRequest(p))
}

func parsersAnswer(a fake.ListParserResponse) members {
	list := rows(a.ParserList, func(x fake.ParserInfo) members {
		return members{"ParserId": json.Number(x.ParserId), "Name": x.Name, "Status": x.Status}
	})
	return members{"Total": a.Total, "Data": members{"ParserList": list}}
}

func parserRequest(p *params) fake.ParserRequest {
	p.lacks("IsFailover")
	return fake.ParserRequest{IotInstanceId: p.text("IotInstanceId"), ParserId: p.required("ParserId")}
}

func parserAnswer(a fake.ParserInfo) members {
	return members{"Data": members{
		"ParserId": json.Number(a.ParserId), "DataSourceId": json.Number(a.DataSourceId), "Name": a.Name, "Status": a.Status,
		"Script": a.Script, "ScriptDraft": a.ScriptDraft,
	}}
}

func sourceItemsRequest(p *params) fake.ListDataSourceItemRequest {
	p.lacks("SearchName")
	return fake.ListDataSourceItemRequest{
		IotInstanceId: p.text("IotInstanceId"), DataSourceId: p.required("DataSourceId"), Page: p.number("Page"), PageSize: p.number("PageSize"),
	}
}

// The lists of topics and destinations have small letters where the vendor has them.

func sourceItemsAnswer(a fake.ListDataSourceItemResponse) members {
	list := rows(a.DataSourceItem, func(x iot.ParserSource) members {
		return members{"Topic": x.Topic, "ScopeType": x.Scope, "ProductKey": x.ProductKey, "DeviceName": x.DeviceName}
	})
	return members{"Total": a.Total, "Page": a.Page, "PageSize": a.PageSize, "DataSourceItems": members{"dataSourceItem": list}}
}

func destinationsAnswer(a fake.ListParserDestinationResponse) members {
	list := rows(a.Destinations, func(x iot.ParserOutput) members {
		return members{
			"DestinationId": json.Number(x.ID), "Name": x.Name, "Type": x.Type, "Configuration": string(x.Configuration), "IsFailover": x.OnError,
		}
	})
	return members{"Data": members{"destinations": list}}
}
