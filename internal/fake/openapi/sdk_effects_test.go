package openapi_test

import (
	"context"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"

	"github.com/iotferry/iotferry/internal/fake"
)

func (p *pair) rules() {
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			p.Fatal(err)
		}
		return n
	}
	r := vendor.CreateListRuleRequest()
	r.CurrentPage, r.PageSize = "1", "100"
	out := expect(p, "ListRule", p.client.ListRule, r, (*fake.Cloud).ListRule, fake.ListRuleRequest{CurrentPage: 1, PageSize: 100},
		func(a fake.ListRuleResponse, want *vendor.ListRuleResponse) {
			want.Total, want.Page, want.PageSize = a.Total, a.Page, a.PageSize
			want.Data.RuleInfo = list(a.RuleInfo, func(x fake.RuleInfo) vendor.RuleInfo {
				return vendor.RuleInfo{
					Id: number(x.Id), Name: x.Name, ProductKey: x.ProductKey, ShortTopic: x.ShortTopic, Topic: x.Topic,
					Status: x.Status, DataType: x.DataType, Select: x.Select, Where: x.Where,
				}
			})
		})
	actions := vendor.CreateListRuleActionsRequest()
	actions.RuleId = requests.Integer(out.RuleInfo[0].Id)
	expect(p, "ListRuleActions", p.client.ListRuleActions, actions, (*fake.Cloud).ListRuleActions,
		fake.ListRuleActionsRequest{RuleId: out.RuleInfo[0].Id},
		func(a fake.ListRuleActionsResponse, want *vendor.ListRuleActionsResponse) {
			want.RuleActionList.RuleActionInfo = list(a.RuleActionInfo, func(x fake.RuleActionInfo) vendor.RuleActionInfo {
				return vendor.RuleActionInfo{
					Id: int64(x.Id), RuleId: number(x.RuleId), Type: x.Type, Status: x.Status,
					Configuration: x.Configuration, ErrorActionFlag: x.ErrorActionFlag,
				}
			})
		})
}

func (p *pair) subscriptions() {
	create := vendor.CreateCreateConsumerGroupRequest()
	create.GroupName = "new 组&=+~*"
	group := expect(p, "CreateConsumerGroup", p.client.CreateConsumerGroup, create, (*fake.Cloud).CreateConsumerGroup,
		fake.CreateConsumerGroupRequest{GroupName: create.GroupName},
		func(a fake.CreateConsumerGroupResponse, want *vendor.CreateConsumerGroupResponse) {
			want.GroupId = a.GroupId
		})

	groups := vendor.CreateQueryConsumerGroupListRequest()
	groups.CurrentPage, groups.PageSize, groups.GroupName, groups.Fuzzy = "1", "1000", "组", "true"
	found := expect(p, "QueryConsumerGroupList", p.client.QueryConsumerGroupList, groups, (*fake.Cloud).QueryConsumerGroupList,
		fake.QueryConsumerGroupListRequest{CurrentPage: 1, PageSize: 1000, GroupName: "组", Fuzzy: true},
		func(a fake.QueryConsumerGroupListResponse, want *vendor.QueryConsumerGroupListResponse) {
			want.Total, want.PageCount, want.CurrentPage, want.PageSize = a.Total, a.PageCount, a.CurrentPage, a.PageSize
			want.Data.ConsumerGroupDTO = list(a.ConsumerGroupDTO, func(x fake.ConsumerGroupInfo) vendor.ConsumerGroupDTO {
				return vendor.ConsumerGroupDTO{GroupId: x.GroupId, GroupName: x.GroupName, CreateTime: utc(x.CreateTime)}
			})
		})
	if found.Total != 1 {
		p.Errorf("%d groups are like 组, want 1", found.Total)
	}

	p.both(func(c *fake.Cloud) error {
		_, err := c.Consume("", alarms, "client-1")
		return err
	})
	p.advance(90 * time.Second)
	p.both(func(c *fake.Cloud) error {
		_, err := c.Consume("", alarms, "client-2")
		return err
	})
	status := vendor.CreateQueryConsumerGroupStatusRequest()
	status.GroupId = alarms
	backlog := expect(p, "QueryConsumerGroupStatus", p.client.QueryConsumerGroupStatus, status, (*fake.Cloud).QueryConsumerGroupStatus,
		fake.QueryConsumerGroupStatusRequest{GroupId: alarms},
		func(a fake.QueryConsumerGroupStatusResponse, want *vendor.QueryConsumerGroupStatusResponse) {
			want.AccumulationCount, want.LastConsumerTime = a.AccumulationCount, utc(a.LastConsumerTime)
			want.ClientConnectionStatusList.ConsumerGroupClientConnectionInfo = list(a.ConsumerGroupClientConnectionInfos,
				func(x fake.ConsumerConnection) vendor.ConsumerGroupClientConnectionInfo {
					return vendor.ConsumerGroupClientConnectionInfo{ClientId: x.ClientId, ClientIpPort: x.ClientIpPort, OnlineTime: millis(x.OnlineTime)}
				})
		})
	if backlog.AccumulationCount == 0 || len(backlog.ConsumerGroupClientConnectionInfos) == 0 {
		p.Errorf("the group has nothing to tell: %+v", backlog)
	}
	p.relations(group.GroupId)
}

// unanswered lets an API without an answer look like the others.
func unanswered[Q any](call func(*fake.Cloud, context.Context, Q) error) func(*fake.Cloud, context.Context, Q) (struct{}, error) {
	return func(c *fake.Cloud, ctx context.Context, q Q) (struct{}, error) { return struct{}{}, call(c, ctx, q) }
}

func (p *pair) relations(group string) {
	p.relation(meter, "AMQP")
	p.relation(meter, "MNS")
	ids := []string{"DEFAULT_GROUP", group}
	create := vendor.CreateCreateSubscribeRelationRequest()
	create.ProductKey, create.Type, create.ConsumerGroupIds = gateway, "AMQP", &ids
	create.DeviceTopoLifeCycleFlag, create.DeviceDataFlag, create.OtaEventFlag = "true", "True", "false"
	direct := fake.SubscribeRelation{
		ProductKey: gateway, Type: "AMQP", ConsumerGroupIds: ids, DeviceTopoLifeCycleFlag: true, DeviceDataFlag: true,
	}
	expect(p, "CreateSubscribeRelation", p.client.CreateSubscribeRelation, create,
		unanswered((*fake.Cloud).CreateSubscribeRelation), direct, func(struct{}, *vendor.CreateSubscribeRelationResponse) {})
	p.relation(gateway, "AMQP")

	update := vendor.CreateUpdateSubscribeRelationRequest()
	ids = ids[1:]
	update.ProductKey, update.Type, update.ConsumerGroupIds = gateway, "AMQP", &ids
	update.DeviceStatusChangeFlag, update.DeviceLifeCycleFlag = "true", "true"
	direct = fake.SubscribeRelation{
		ProductKey: gateway, Type: "AMQP", ConsumerGroupIds: ids, DeviceStatusChangeFlag: true, DeviceLifeCycleFlag: true,
	}
	expect(p, "UpdateSubscribeRelation", p.client.UpdateSubscribeRelation, update,
		unanswered((*fake.Cloud).UpdateSubscribeRelation), direct, func(struct{}, *vendor.UpdateSubscribeRelationResponse) {})
	p.relation(gateway, "AMQP")
}

func (p *pair) relation(key, kind string) {
	p.Helper()
	r := vendor.CreateQuerySubscribeRelationRequest()
	r.ProductKey, r.Type = key, kind
	expect(p, "QuerySubscribeRelation", p.client.QuerySubscribeRelation, r, (*fake.Cloud).QuerySubscribeRelation,
		fake.QuerySubscribeRelationRequest{ProductKey: key, Type: kind},
		func(a fake.SubscribeRelation, want *vendor.QuerySubscribeRelationResponse) {
			want.ProductKey, want.Type, want.MnsConfiguration = a.ProductKey, a.Type, a.MnsConfiguration
			want.ConsumerGroupIds = append([]string{}, a.ConsumerGroupIds...)
			want.DeviceDataFlag, want.DeviceStatusChangeFlag = a.DeviceDataFlag, a.DeviceStatusChangeFlag
			want.DeviceLifeCycleFlag, want.DeviceTopoLifeCycleFlag = a.DeviceLifeCycleFlag, a.DeviceTopoLifeCycleFlag
		})
}

func (p *pair) commands() {
	name := deviceNames(1)[0]
	body := []byte("\x00\xff \x7f+/=&温度")
	pub := vendor.CreatePubRequest()
	pub.ProductKey, pub.TopicFullName, pub.Qos = meter, "/"+meter+"/"+name+"/user/get", "1"
	pub.MessageContent = base64.StdEncoding.EncodeToString(body)
	pub.UserProp = &[]vendor.PubUserProp{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	expect(p, "Pub", p.client.Pub, pub, (*fake.Cloud).Pub,
		fake.PubRequest{ProductKey: meter, TopicFullName: pub.TopicFullName, MessageContent: body, Qos: 1},
		func(a fake.PubResponse, want *vendor.PubResponse) { want.MessageId = a.MessageId })

	high := false
	for range 16 { // about half of the fake's message IDs have the highest bit
		rrpc := vendor.CreateRRpcRequest()
		rrpc.ProductKey, rrpc.DeviceName, rrpc.Timeout = meter, name, "2000"
		rrpc.RequestBase64Byte = base64.StdEncoding.EncodeToString(body)
		answer := expect(p, "RRpc", p.client.RRpc, rrpc, (*fake.Cloud).RRpc,
			fake.RRpcRequest{ProductKey: meter, DeviceName: name, Timeout: 2000, RequestByte: body},
			func(a fake.RRpcResponse, want *vendor.RRpcResponse) {
				want.RrpcCode, want.PayloadBase64Byte = a.RrpcCode, base64.StdEncoding.EncodeToString(a.PayloadByte)
				want.MessageId = int64(a.MessageId << 1 >> 1)
			})
		high = high || answer.MessageId>>63 == 1
	}
	if !high {
		p.Error("no message ID has the highest bit")
	}
	for _, identifier := range []string{"Ping", "Reboot"} {
		service := vendor.CreateInvokeThingServiceRequest()
		service.ProductKey, service.DeviceName, service.Identifier, service.Args = climate, "c-1", identifier, `{"a": 1}`
		expect(p, "InvokeThingService", p.client.InvokeThingService, service, (*fake.Cloud).InvokeThingService,
			fake.InvokeThingServiceRequest{ProductKey: climate, DeviceName: "c-1", Identifier: identifier, Args: `{"a": 1}`},
			func(a fake.InvokeThingServiceResponse, want *vendor.InvokeThingServiceResponse) {
				want.Data = vendor.DataInInvokeThingService{MessageId: a.MessageId, Result: a.Result}
			})
	}
	set := vendor.CreateSetDevicePropertyRequest()
	set.ProductKey, set.DeviceName, set.Items = climate, "c-1", `{"Setpoint": 21.5}`
	expect(p, "SetDeviceProperty", p.client.SetDeviceProperty, set, (*fake.Cloud).SetDeviceProperty,
		fake.SetDevicePropertyRequest{ProductKey: climate, DeviceName: "c-1", Items: set.Items},
		func(a fake.SetDevicePropertyResponse, want *vendor.SetDevicePropertyResponse) {
			want.Data.MessageId = a.MessageId
		})
}

// moves migrates twelve devices in one call, of which the platform takes ten, and one that does not exist.
func (p *pair) moves() {
	names := deviceNames(24)
	p.both(func(c *fake.Cloud) error { return ready(p.Context(), c, names[0]) })
	for _, batch := range [][]string{names[1:13], {names[13], "nobody"}} {
		r := vendor.CreateBatchGrayMigrationDeviceRequest()
		r.ProductKey, r.DeviceNames = meter, &batch
		expect(p, "BatchGrayMigrationDevice", p.client.BatchGrayMigrationDevice, r, (*fake.Cloud).BatchGrayMigrationDevice,
			fake.BatchGrayMigrationDeviceRequest{ProductKey: meter, DeviceNames: batch},
			func(a fake.BatchGrayMigrationDeviceResponse, want *vendor.BatchGrayMigrationDeviceResponse) {
				want.Data.Details.Item = list(a.Details, func(x fake.MigrationResult) vendor.Item {
					return vendor.Item{DeviceName: x.DeviceName, Status: x.Status, Code: x.Code, Message: x.Message}
				})
			})
	}
	for i, name := range names {
		if got := p.served.MovedTimes(id(meter, name)) == 1; got != (i < 11 || i == 13) {
			p.Errorf("%s was moved: %v", name, got)
		}
	}
}

// ready makes a task of the meters gray-completed by moving one device.
func ready(ctx context.Context, c *fake.Cloud, name string) error {
	task, err := c.Console().CreateTask(ctx, meter, target)
	if err != nil {
		return err
	}
	if _, err := c.Console().Gray(ctx, task, []string{name}); err != nil {
		return err
	}
	return c.Console().Confirm(ctx, task)
}
