package openapi

import (
	"encoding/json"

	"github.com/iotferry/iotferry/internal/fake"
)

func ruleListRequest(p *params) fake.ListRuleRequest {
	p.lacks("SearchName", "ResourceGroupId")
	return fake.ListRuleRequest{
		IotInstanceId: p.text("IotInstanceId"), CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
	}
}

// ruleListAnswer has no PageCount, as the platform's has none.
func ruleListAnswer(a fake.ListRuleResponse) members {
	return members{"Total": a.Total, "Page": a.Page, "PageSize": a.PageSize, "Data": members{"RuleInfo": rows(a.RuleInfo, ruleRow)}}
}

func ruleRow(r fake.RuleInfo) members {
	return members{
		"Id": json.Number(r.Id), "Name": r.Name, "ProductKey": r.ProductKey, "ShortTopic": r.ShortTopic, "Topic": r.Topic,
		"Status": r.Status, "DataType": r.DataType, "Select": r.Select, "Where": r.Where,
	}
}

func ruleRequest(p *params) fake.GetRuleRequest {
	return fake.GetRuleRequest{IotInstanceId: p.text("IotInstanceId"), RuleId: p.required("RuleId")}
}

func ruleAnswer(a fake.RuleInfo) members { return members{"RuleInfo": ruleRow(a)} }

func ruleActionsRequest(p *params) fake.ListRuleActionsRequest {
	return fake.ListRuleActionsRequest{IotInstanceId: p.text("IotInstanceId"), RuleId: p.required("RuleId")}
}

func ruleActionsAnswer(a fake.ListRuleActionsResponse) members {
	list := rows(a.RuleActionInfo, func(r fake.RuleActionInfo) members {
		return members{
			"Id": r.Id, "RuleId": json.Number(r.RuleId), "Type": r.Type, "Status": r.Status,
			"Configuration": r.Configuration, "ErrorActionFlag": r.ErrorActionFlag,
		}
	})
	return members{"RuleActionList": members{"RuleActionInfo": list}}
}
