package fake

import (
	"context"
)

// ListRuleRequest asks for a page of rules. PageSize is 1 to 100, 10 by default; CurrentPage at most 1,000.
type ListRuleRequest struct {
	IotInstanceId         string
	CurrentPage, PageSize int
}

// ListRuleResponse is a page of rules, newest first.
type ListRuleResponse struct {
	Total, PageCount, Page, PageSize int
	RuleInfo                         []RuleInfo
}

// RuleInfo is a data-forwarding rule.
type RuleInfo struct {
	Id, Name   string
	ProductKey string
	ShortTopic string // below the product: /+/user/update
	Topic      string
	Status     string // RUNNING or STOP
	DataType   string // JSON or BINARY
	Select     string
	Where      string
}

const maxRulePages = 1000

// ListRule lists the rules of an instance. A migrated rule has a new ID.
func (c *Cloud) ListRule(ctx context.Context, r ListRuleRequest) (ListRuleResponse, error) {
	op := Op{Name: "ListRule", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (ListRuleResponse, error) {
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return ListRuleResponse{}, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 100)
		if err != nil {
			return ListRuleResponse{}, err
		}
		if page > maxRulePages {
			return ListRuleResponse{}, refuse(codeBadPage, "page %d: at most %d can be asked for", page, maxRulePages)
		}
		out := ListRuleResponse{
			Total: len(in.rules), PageCount: pages(len(in.rules), size), Page: page, PageSize: size,
		}
		for i := (page - 1) * size; i < min(page*size, len(in.rules)); i++ {
			out.RuleInfo = append(out.RuleInfo, in.rules[len(in.rules)-1-i].info())
		}
		return out, nil
	})
}

func (r *rule) info() RuleInfo {
	return RuleInfo{
		Id: r.id, Name: r.name, ProductKey: r.view.product.key, ShortTopic: r.filter,
		Topic: "/" + r.view.product.key + r.filter, Status: runningWord(!r.stopped), DataType: r.dataType,
		Select: r.query, Where: r.where,
	}
}

// ListRuleActionsRequest asks for the actions of a rule.
type ListRuleActionsRequest struct{ IotInstanceId, RuleId string }

// ListRuleActionsResponse holds the actions.
type ListRuleActionsResponse struct{ RuleActionInfo []RuleActionInfo }

// RuleActionInfo is one action of a rule.
type RuleActionInfo struct {
	Id              int
	RuleId          string
	Type            string // OTS, FC, RDS, ONS, MNS, AMQP, REPUBLISH...
	Status          string // NORMAL
	Configuration   string // JSON
	ErrorActionFlag bool
}

// ListRuleActions lists the actions of a rule. An ID of another instance is not found.
func (c *Cloud) ListRuleActions(ctx context.Context, r ListRuleActionsRequest) (ListRuleActionsResponse, error) {
	op := Op{Name: "ListRuleActions", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (ListRuleActionsResponse, error) {
		var out ListRuleActionsResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		rule, err := in.rule(r.RuleId)
		if err != nil {
			return out, err
		}
		for i, o := range rule.outputs {
			out.RuleActionInfo = append(out.RuleActionInfo, RuleActionInfo{
				Id: i + 1, RuleId: rule.id, Type: o.Type, Status: "NORMAL", Configuration: string(o.Configuration), ErrorActionFlag: o.OnError,
			})
		}
		return out, nil
	})
}

// rule returns the rule of an ID.
func (in *instance) rule(id string) (*rule, error) {
	for _, r := range in.rules {
		if r.id == id {
			return r, nil
		}
	}
	return nil, refuse(codeNoRule, "there is no rule %q on this instance", id)
}

// runningWord is the status of rules and parsers.
func runningWord(running bool) string {
	if running {
		return "RUNNING"
	}
	return "STOP"
}

// GetRuleRequest asks for one rule.
type GetRuleRequest struct{ IotInstanceId, RuleId string }

// GetRule reads one rule. An ID of another instance is not found.
func (c *Cloud) GetRule(ctx context.Context, r GetRuleRequest) (RuleInfo, error) {
	op := Op{Name: "GetRule", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (RuleInfo, error) {
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return RuleInfo{}, err
		}
		rule, err := in.rule(r.RuleId)
		if err != nil {
			return RuleInfo{}, err
		}
		return rule.info(), nil
	})
}
