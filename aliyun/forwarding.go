package aliyun

import (
	"context"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

const (
	rulePage  = 100  // rows of ListRule
	groupPage = 1000 // of QueryConsumerGroupList
)

// A rule is a row of ListRule.
type rule struct{ Id, Name, ProductKey, ShortTopic, Status, DataType, Select, Where string }

// Rules reads the actions of each rule by a call of their own.
func (in *instance) Rules(ctx context.Context) iter.Seq2[iot.Rule, error] {
	const api = "ListRule"
	rows := pages(api, rulePage, func(page string) ([]rule, int, error) {
		var out struct {
			Total int
			Data  struct{ RuleInfo []rule }
		}
		err := in.read(ctx, api, rpc.Params{"CurrentPage": page, "PageSize": strconv.Itoa(rulePage)}, &out)
		return out.Data.RuleInfo, out.Total, err
	})
	return eachOf(rows, func(row rule) (iot.Rule, error) {
		outputs, err := in.outputs(ctx, row.Id)
		if err != nil {
			return iot.Rule{}, err
		}
		r := row.rule()
		r.Actions = kindsOf(outputs)
		return r, nil
	})
}

func (in *instance) Groups(ctx context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	const api = "QueryConsumerGroupList"
	return pages(api, groupPage, func(page string) ([]iot.ConsumerGroup, int, error) {
		var out struct {
			Total int
			Data  struct {
				ConsumerGroupDTO []struct{ GroupId, GroupName string }
			}
		}
		err := in.read(ctx, api, rpc.Params{"CurrentPage": page, "PageSize": strconv.Itoa(groupPage)}, &out)
		var list []iot.ConsumerGroup
		for _, row := range out.Data.ConsumerGroupDTO {
			list = append(list, iot.ConsumerGroup{ID: row.GroupId, Name: row.GroupName})
		}
		return list, out.Total, err
	})
}

func (in *instance) GroupStatus(ctx context.Context, groupID string) (iot.GroupStatus, error) {
	const api = "QueryConsumerGroupStatus"
	if err := named(api, groupID); err != nil {
		return iot.GroupStatus{}, err
	}
	var out struct {
		AccumulationCount          int
		LastConsumerTime           string
		ClientConnectionStatusList struct {
			ConsumerGroupClientConnectionInfo []struct{ ClientId string }
		}
	}
	if err := in.read(ctx, api, rpc.Params{"GroupId": groupID}, &out); err != nil {
		return iot.GroupStatus{}, err
	}
	return iot.GroupStatus{
		Backlog: out.AccumulationCount, LastConsumed: instant(out.LastConsumerTime),
		Clients: len(out.ClientConnectionStatusList.ConsumerGroupClientConnectionInfo),
	}, nil
}
