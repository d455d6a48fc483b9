package fake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/iotferry/iotferry/iot"
)

// CreateConsumerGroupRequest creates a consumer group. GroupName has 4 to 30 characters.
type CreateConsumerGroupRequest struct{ IotInstanceId, GroupName string }

// CreateConsumerGroupResponse is the new group's ID.
type CreateConsumerGroupResponse struct{ GroupId string }

// CreateConsumerGroup creates a consumer group.
func (c *Cloud) CreateConsumerGroup(
	ctx context.Context, r CreateConsumerGroupRequest,
) (CreateConsumerGroupResponse, error) {
	op := Op{Name: "CreateConsumerGroup", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (CreateConsumerGroupResponse, error) {
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return CreateConsumerGroupResponse{}, err
		}
		if n := utf8.RuneCountInString(r.GroupName); n < 4 || n > 30 {
			return CreateConsumerGroupResponse{}, refuse(codeBadGroup, "a group's name has 4 to 30 characters, not %d", n)
		}
		taken := func(g *group) bool { return g.name == r.GroupName }
		if slices.ContainsFunc(in.groups, taken) {
			return CreateConsumerGroupResponse{}, refuse(codeGroupTaken, "there is a consumer group %q already", r.GroupName)
		}
		g := in.addGroup(c.groupID(in), r.GroupName, c.at)
		return CreateConsumerGroupResponse{g.id}, nil
	})
}

// groupID makes the ID of a new group.
func (c *Cloud) groupID(in *instance) string {
	c.serial++
	seed := mix(seedOf(in.id, "group"), c.serial)
	return fmt.Sprintf("%016x%010x", seed, len(in.groups))
}

// QueryConsumerGroupListRequest asks for a page of groups. PageSize is 1 to 1,000, 10 by default. With Fuzzy
// the name has to contain GroupName, else to be it; an empty one matches all.
type QueryConsumerGroupListRequest struct {
	IotInstanceId         string
	CurrentPage, PageSize int
	GroupName             string
	Fuzzy                 bool
}

// QueryConsumerGroupListResponse is a page of groups.
type QueryConsumerGroupListResponse struct {
	Total, PageCount, CurrentPage, PageSize int
	ConsumerGroupDTO                        []ConsumerGroupInfo
}

// ConsumerGroupInfo is one group.
type ConsumerGroupInfo struct {
	GroupId, GroupName string
	CreateTime         time.Time
}

// QueryConsumerGroupList lists the groups of an instance.
func (c *Cloud) QueryConsumerGroupList(
	ctx context.Context, r QueryConsumerGroupListRequest,
) (QueryConsumerGroupListResponse, error) {
	op := Op{Name: "QueryConsumerGroupList", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (QueryConsumerGroupListResponse, error) {
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return QueryConsumerGroupListResponse{}, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 1000)
		if err != nil {
			return QueryConsumerGroupListResponse{}, err
		}
		list := slices.DeleteFunc(slices.Clone(in.groups), func(g *group) bool {
			return g.name != r.GroupName && !(r.GroupName == "" || r.Fuzzy && strings.Contains(g.name, r.GroupName))
		})
		out := QueryConsumerGroupListResponse{
			Total: len(list), PageCount: pages(len(list), size), CurrentPage: page, PageSize: size,
		}
		for _, g := range cut(list, page, size) {
			out.ConsumerGroupDTO = append(out.ConsumerGroupDTO, ConsumerGroupInfo{g.id, g.name, millis(g.created)})
		}
		return out, nil
	})
}

// QueryConsumerGroupStatusRequest asks for the state of a group.
type QueryConsumerGroupStatusRequest struct{ IotInstanceId, GroupId string }

// QueryConsumerGroupStatusResponse is the state of a group.
type QueryConsumerGroupStatusResponse struct {
	AccumulationCount                  int // messages that wait, those in flight not included
	LastConsumerTime                   time.Time
	ConsumerGroupClientConnectionInfos []ConsumerConnection
}

// ConsumerConnection is one client of a group.
type ConsumerConnection struct {
	ClientId, ClientIpPort string
	OnlineTime             time.Time
}

// QueryConsumerGroupStatus reads a group's backlog and its clients.
func (c *Cloud) QueryConsumerGroupStatus(
	ctx context.Context, r QueryConsumerGroupStatusRequest,
) (QueryConsumerGroupStatusResponse, error) {
	op := Op{Name: "QueryConsumerGroupStatus", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (QueryConsumerGroupStatusResponse, error) {
		var out QueryConsumerGroupStatusResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		g := in.group(r.GroupId)
		if g == nil {
			return out, noGroup(r.GroupId)
		}
		c.dropIdle(g)
		out.AccumulationCount = g.backlog(c.at)
		out.LastConsumerTime = millis(g.consumed(c.at))
		for i, x := range g.consumers {
			out.ConsumerGroupClientConnectionInfos = append(out.ConsumerGroupClientConnectionInfos,
				ConsumerConnection{x.clientID, fmt.Sprintf("198.51.100.1:%d", 40000+i), millis(x.since)})
		}
		return out, nil
	})
}

func noGroup(id string) error {
	return refuse(codeNoGroup, "there is no consumer group %q on this instance", id)
}

// SubscribeRelation is a server-side subscription of a product: one per product and type. All its groups
// show the same events, the union of what they get.
type SubscribeRelation struct {
	IotInstanceId, ProductKey string
	Type                      string // AMQP or MNS
	ConsumerGroupIds          []string
	DeviceDataFlag            bool
	DeviceStatusChangeFlag    bool
	DeviceLifeCycleFlag       bool
	DeviceTopoLifeCycleFlag   bool
	MnsConfiguration          string // the queue's name

	// Messages of these classes are never sent here: a subscription only keeps them.
	FoundDeviceListFlag, ThingHistoryFlag, DeviceTagFlag, OtaEventFlag, OtaVersionFlag, OtaJobFlag bool
}

// An eventFlag is the flag of a class of messages.
type eventFlag struct {
	event iot.Event
	set   *bool
}

func (r *SubscribeRelation) flags() []eventFlag {
	return []eventFlag{
		{iot.DeviceData, &r.DeviceDataFlag}, {iot.StatusChange, &r.DeviceStatusChangeFlag},
		{iot.Lifecycle, &r.DeviceLifeCycleFlag}, {iot.TopologyChange, &r.DeviceTopoLifeCycleFlag},
		{iot.FoundDevices, &r.FoundDeviceListFlag}, {iot.HistoryData, &r.ThingHistoryFlag}, {iot.LabelChange, &r.DeviceTagFlag},
		{iot.OTAEvent, &r.OtaEventFlag}, {iot.OTAVersion, &r.OtaVersionFlag}, {iot.OTAJobStatus, &r.OtaJobFlag},
	}
}

func (r SubscribeRelation) events() (list []iot.Event) {
	for _, x := range r.flags() {
		if *x.set {
			list = append(list, x.event)
		}
	}
	return list
}

func (r *SubscribeRelation) flag(events []iot.Event) {
	for _, x := range r.flags() {
		*x.set = *x.set || slices.Contains(events, x.event)
	}
}

const maxGroupsPerProduct = 10

// QuerySubscribeRelationRequest asks for a product's subscription of a type: AMQP or MNS.
type QuerySubscribeRelationRequest struct{ IotInstanceId, ProductKey, Type string }

// QuerySubscribeRelation reads a subscription.
func (c *Cloud) QuerySubscribeRelation(
	ctx context.Context, r QuerySubscribeRelationRequest,
) (SubscribeRelation, error) {
	op := Op{Name: "QuerySubscribeRelation", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (SubscribeRelation, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return SubscribeRelation{}, err
		}
		out, ok := v.relation(r.Type)
		if !ok {
			return out, refuse(codeNoRelation, "product %s has no subscription of type %q", r.ProductKey, r.Type)
		}
		return out, nil
	})
}

func (v *view) relation(kind string) (SubscribeRelation, bool) {
	out := SubscribeRelation{IotInstanceId: v.in.id, ProductKey: v.product.key, Type: kind}
	switch {
	case kind == "MNS" && v.mns != nil:
		out.MnsConfiguration = v.mns.Queue
		out.flag(v.mns.Events)
	case kind == "AMQP" && len(v.links) > 0:
		for _, l := range v.links {
			out.ConsumerGroupIds = append(out.ConsumerGroupIds, l.group.id)
			out.flag(l.events)
		}
	default:
		return out, false
	}
	return out, true
}

// CreateSubscribeRelation creates the subscription of a product and type.
func (c *Cloud) CreateSubscribeRelation(ctx context.Context, r SubscribeRelation) error {
	return c.setRelation(ctx, "CreateSubscribeRelation", r, false)
}

// UpdateSubscribeRelation replaces the subscription of a product and type. For a group that stays and
// loses the device data, what it has not consumed of them is gone.
func (c *Cloud) UpdateSubscribeRelation(ctx context.Context, r SubscribeRelation) error {
	return c.setRelation(ctx, "UpdateSubscribeRelation", r, true)
}

func (c *Cloud) setRelation(ctx context.Context, name string, r SubscribeRelation, exists bool) error {
	op := Op{Name: name, Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	_, err := call(ctx, c, op, func(Fault) (struct{}, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return struct{}{}, err
		}
		if err := v.checkRelation(r, exists); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, c.applyRelation(v, r)
	})
	return err
}

func (v *view) checkRelation(r SubscribeRelation, exists bool) error {
	_, there := v.relation(r.Type)
	switch {
	case exists && !there:
		return refuse(codeNoRelation, "product %s has no subscription of type %q", r.ProductKey, r.Type)
	case !exists && there:
		return refuse(codeRelationHere, "product %s has a subscription of type %q already", r.ProductKey, r.Type)
	case len(r.events()) == 0:
		return refuse(codeBadRelation, "a subscription has at least one kind of messages")
	case r.Type == "MNS" && v.in.id != "":
		return refuse(codeBadRelation, "Enterprise instances have no MNS subscriptions")
	case r.Type == "MNS" && r.MnsConfiguration != "":
		return nil
	case r.Type != "AMQP" || len(r.ConsumerGroupIds) == 0 || len(r.ConsumerGroupIds) > maxGroupsPerProduct:
		return refuse(codeBadRelation, "a subscription is of type AMQP with 1 to %d groups, or MNS with a queue", maxGroupsPerProduct)
	}
	for _, id := range r.ConsumerGroupIds {
		if v.in.group(id) == nil {
			return noGroup(id)
		}
	}
	return nil
}

func (c *Cloud) applyRelation(v *view, r SubscribeRelation) error {
	if r.Type == "MNS" {
		v.mns = &iot.Subscription{ProductKey: r.ProductKey, Type: iot.MNS, Queue: r.MnsConfiguration, Events: r.events()}
		return nil
	}
	for _, l := range slices.Clone(v.links) {
		if !slices.Contains(r.ConsumerGroupIds, l.group.id) {
			l.cut()
		}
	}
	for _, id := range r.ConsumerGroupIds {
		c.subscribe(v, v.in.group(id), r.events())
	}
	return nil
}
