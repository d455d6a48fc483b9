package fake

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

func (d *driver) Rules(ctx context.Context) iter.Seq2[iot.Rule, error] {
	return paged(func(page int) ([]iot.Rule, bool, error) {
		out, err := read(ctx, d, "ListRule", func() (ListRuleResponse, error) {
			return d.cloud.ListRule(ctx, ListRuleRequest{d.id, page, 100})
		})
		if err != nil {
			return nil, false, err
		}
		var list []iot.Rule
		for _, row := range out.RuleInfo {
			r := ruleOf(row)
			r.Actions, err = d.actions(ctx, row.Id)
			if errors.Is(err, iot.NotFound) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, false, err
			}
			list = append(list, r)
		}
		return list, page < out.PageCount, nil
	})
}

func (d *driver) actions(ctx context.Context, ruleID string) ([]string, error) {
	out, err := read(ctx, d, "ListRuleActions", func() (ListRuleActionsResponse, error) {
		return d.cloud.ListRuleActions(ctx, ListRuleActionsRequest{d.id, ruleID})
	})
	var kinds []string
	for _, a := range out.RuleActionInfo {
		kinds = append(kinds, a.Type)
	}
	return kinds, err
}

func (d *driver) Subscriptions(ctx context.Context, productKey string) ([]iot.Subscription, error) {
	var list []iot.Subscription
	for _, kind := range []string{"AMQP", "MNS"} {
		r, err := d.relation(ctx, productKey, kind)
		switch {
		case hasCode(err, codeNoRelation):
		case err != nil:
			return nil, err
		default:
			list = append(list, subscriptionOf(r))
		}
	}
	return list, nil
}

func (d *driver) relation(ctx context.Context, productKey, kind string) (SubscribeRelation, error) {
	return read(ctx, d, "QuerySubscribeRelation", func() (SubscribeRelation, error) {
		return d.cloud.QuerySubscribeRelation(ctx, QuerySubscribeRelationRequest{d.id, productKey, kind})
	})
}

func subscriptionOf(r SubscribeRelation) iot.Subscription {
	s := iot.Subscription{ProductKey: r.ProductKey, Type: iot.AMQP, Groups: r.ConsumerGroupIds, Events: r.events()}
	if r.Type == "MNS" {
		s.Type, s.Queue = iot.MNS, r.MnsConfiguration
	}
	return s
}

func (d *driver) Groups(ctx context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	return paged(func(page int) ([]iot.ConsumerGroup, bool, error) {
		out, err := read(ctx, d, "QueryConsumerGroupList", func() (QueryConsumerGroupListResponse, error) {
			return d.cloud.QueryConsumerGroupList(ctx, QueryConsumerGroupListRequest{
				IotInstanceId: d.id, CurrentPage: page, PageSize: 1000,
			})
		})
		var list []iot.ConsumerGroup
		for _, row := range out.ConsumerGroupDTO {
			list = append(list, iot.ConsumerGroup{ID: row.GroupId, Name: row.GroupName})
		}
		return list, page < out.PageCount, err
	})
}

func (d *driver) GroupStatus(ctx context.Context, groupID string) (iot.GroupStatus, error) {
	out, err := read(ctx, d, "QueryConsumerGroupStatus", func() (QueryConsumerGroupStatusResponse, error) {
		return d.cloud.QueryConsumerGroupStatus(ctx, QueryConsumerGroupStatusRequest{d.id, groupID})
	})
	return iot.GroupStatus{
		Backlog: out.AccumulationCount, Clients: len(out.ConsumerGroupClientConnectionInfos), LastConsumed: out.LastConsumerTime,
	}, err
}

func (d *driver) CreateGroup(ctx context.Context, name string) (iot.ConsumerGroup, error) {
	out, err := write(ctx, d, "CreateConsumerGroup", func() (CreateConsumerGroupResponse, error) {
		return d.cloud.CreateConsumerGroup(ctx, CreateConsumerGroupRequest{d.id, name})
	})
	if err != nil {
		return iot.ConsumerGroup{}, err
	}
	return iot.ConsumerGroup{ID: out.GroupId, Name: name}, nil
}

// Subscribe creates the subscription, or replaces it if there is one.
func (d *driver) Subscribe(ctx context.Context, s iot.Subscription) error {
	r := d.relationOf(s)
	api, do := "UpdateSubscribeRelation", d.cloud.UpdateSubscribeRelation
	_, err := d.relation(ctx, s.ProductKey, r.Type)
	switch {
	case hasCode(err, codeNoRelation):
		api, do = "CreateSubscribeRelation", d.cloud.CreateSubscribeRelation
	case err != nil:
		return err
	}
	_, err = write(ctx, d, api, func() (struct{}, error) { return struct{}{}, do(ctx, r) })
	return err
}

func (d *driver) relationOf(s iot.Subscription) SubscribeRelation {
	r := SubscribeRelation{
		IotInstanceId: d.id, ProductKey: s.ProductKey, Type: "AMQP", ConsumerGroupIds: slices.Clone(s.Groups),
	}
	if s.Type == iot.MNS {
		r.Type, r.ConsumerGroupIds, r.MnsConfiguration = "MNS", nil, s.Queue
	}
	r.flag(s.Events)
	return r
}
