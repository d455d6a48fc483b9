package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// A relation is a product's subscription of one type, as the platform has it.
type relation struct {
	ConsumerGroupIds []string
	MnsConfiguration string

	DeviceDataFlag, DeviceStatusChangeFlag, DeviceLifeCycleFlag, DeviceTopoLifeCycleFlag           bool
	FoundDeviceListFlag, ThingHistoryFlag, DeviceTagFlag, OtaEventFlag, OtaVersionFlag, OtaJobFlag bool

	SubscribeFlags string // of an undocumented form: an update keeps it as it is
}

// A flag says whether a relation carries a class of messages.
type flag struct {
	name  string
	event iot.Event
	set   *bool
}

func (r *relation) flags() []flag {
	return []flag{
		{"DeviceDataFlag", iot.DeviceData, &r.DeviceDataFlag}, {"DeviceStatusChangeFlag", iot.StatusChange, &r.DeviceStatusChangeFlag},
		{"DeviceLifeCycleFlag", iot.Lifecycle, &r.DeviceLifeCycleFlag},
		{"DeviceTopoLifeCycleFlag", iot.TopologyChange, &r.DeviceTopoLifeCycleFlag},
		{"FoundDeviceListFlag", iot.FoundDevices, &r.FoundDeviceListFlag}, {"ThingHistoryFlag", iot.HistoryData, &r.ThingHistoryFlag},
		{"DeviceTagFlag", iot.LabelChange, &r.DeviceTagFlag}, {"OtaEventFlag", iot.OTAEvent, &r.OtaEventFlag},
		{"OtaVersionFlag", iot.OTAVersion, &r.OtaVersionFlag}, {"OtaJobFlag", iot.OTAJobStatus, &r.OtaJobFlag},
	}
}

// params returns the parameters that create the relation or update it to this.
func (r *relation) params() rpc.Params {
	out := rpc.Params{"MnsConfiguration": r.MnsConfiguration, "SubscribeFlags": r.SubscribeFlags}
	out.Repeat("ConsumerGroupIds", r.ConsumerGroupIds)
	for _, f := range r.flags() {
		out[f.name] = strconv.FormatBool(*f.set)
	}
	return out
}

// word is the platform's for a type of subscription.
func word(t iot.SubscriptionType) string { return strings.ToUpper(string(t)) }

// Subscriptions does not ask the target for MNS, which Enterprise instances do not have.
func (in *instance) Subscriptions(ctx context.Context, productKey string) ([]iot.Subscription, error) {
	kinds := []iot.SubscriptionType{iot.AMQP}
	if in.id == "" {
		kinds = append(kinds, iot.MNS)
	}
	var list []iot.Subscription
	for _, kind := range kinds {
		r, found, err := in.relation(ctx, productKey, kind)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, r.subscription(productKey, kind))
		}
	}
	return list, nil
}

// relation reads a subscription. It is not documented how the platform says that there is none: an error of its own
// that something does not exist, or an answer without group and queue.
func (in *instance) relation(ctx context.Context, productKey string, kind iot.SubscriptionType) (relation, bool, error) {
	const api = "QuerySubscribeRelation"
	if err := named(api, productKey); err != nil {
		return relation{}, false, err
	}
	var out relation
	err := in.read(ctx, api, rpc.Params{"ProductKey": productKey, "Type": word(kind)}, &out)
	if errors.Is(err, iot.NotFound) && strings.Contains(codeOf(err), "Relation") {
		return relation{}, false, nil
	}
	return out, len(out.ConsumerGroupIds) > 0 || out.MnsConfiguration != "", err
}

func (r relation) subscription(productKey string, kind iot.SubscriptionType) iot.Subscription {
	s := iot.Subscription{ProductKey: productKey, Type: kind}
	if kind == iot.MNS {
		s.Queue = queueOf(r.MnsConfiguration)
	} else {
		s.Groups = r.ConsumerGroupIds
	}
	for _, f := range r.flags() {
		if *f.set {
			s.Events = append(s.Events, f.event)
		}
	}
	return s
}

// queueOf returns the name of the queue in an MNS configuration. Its form is not documented: a JSON object with the name, in whatever
// case its key is, or else the name itself.
func queueOf(configuration string) string {
	var object struct{ QueueName string }
	if json.Unmarshal([]byte(configuration), &object) == nil && object.QueueName != "" {
		return object.QueueName
	}
	return configuration
}

// Subscribe keeps what an existing subscription has beyond the classes of messages of package iot.
func (in *instance) Subscribe(ctx context.Context, s iot.Subscription) error {
	const create, update = "CreateSubscribeRelation", "UpdateSubscribeRelation"
	if err := in.checkSubscription(s); err != nil {
		return err
	}
	was, found, err := in.relation(ctx, s.ProductKey, s.Type)
	if err != nil {
		return err
	}
	if !found {
		err = in.relate(ctx, create, was, s)
		if !errors.Is(err, iot.Conflict) {
			return err
		} // somebody else was faster, or the platform has another way to say that there is none
	}
	return in.relate(ctx, update, was, s)
}

// relate creates or updates a subscription.
func (in *instance) relate(ctx context.Context, api string, was relation, s iot.Subscription) error {
	to := was
	to.ConsumerGroupIds, to.MnsConfiguration = s.Groups, ""
	if s.Type == iot.MNS {
		to.ConsumerGroupIds, to.MnsConfiguration = nil, s.Queue
		if s.Queue == queueOf(was.MnsConfiguration) {
			to.MnsConfiguration = was.MnsConfiguration // with whatever else is in it
		}
	}
	for _, f := range to.flags() {
		*f.set = slices.Contains(s.Events, f.event)
	}
	query := to.params()
	query["ProductKey"], query["Type"] = s.ProductKey, word(s.Type)
	return in.write(ctx, rpc.Call{API: api, Query: query}, nil)
}

func (in *instance) checkSubscription(s iot.Subscription) error {
	const api = "CreateSubscribeRelation"
	switch {
	case s.ProductKey == "":
		return refuse(api, "the product key is empty")
	case s.Type == iot.AMQP && (len(s.Groups) == 0 || slices.Contains(s.Groups, "")):
		return refuse(api, "an AMQP subscription needs the IDs of one or more consumer groups")
	case s.Type == iot.MNS && in.id != "":
		return refuse(api, "Enterprise instances have no MNS subscriptions")
	case s.Type == iot.MNS && s.Queue == "":
		return refuse(api, "an MNS subscription needs the name of a queue")
	case s.Type != iot.AMQP && s.Type != iot.MNS:
		return refuse(api, fmt.Sprintf("%q is no type of subscription", s.Type))
	}
	known := new(relation).flags()
	for _, event := range s.Events {
		if !slices.ContainsFunc(known, func(f flag) bool { return f.event == event }) {
			return refuse(api, fmt.Sprintf("%q is no class of messages", event))
		}
	}
	return nil
}

// The limits of a consumer group's name, in characters: CreateConsumerGroup.
const minGroupName, maxGroupName = 4, 30

func (in *instance) CreateGroup(ctx context.Context, name string) (iot.ConsumerGroup, error) {
	const api = "CreateConsumerGroup"
	if n := utf8.RuneCountInString(name); n < minGroupName || n > maxGroupName {
		return iot.ConsumerGroup{}, refuse(api, fmt.Sprintf(
			"the group's name has %d characters, %d to %d are allowed", n, minGroupName, maxGroupName))
	}
	var out struct{ GroupId string }
	if err := in.write(ctx, rpc.Call{API: api, Query: rpc.Params{"GroupName": name}}, &out); err != nil {
		return iot.ConsumerGroup{}, err
	}
	return iot.ConsumerGroup{ID: out.GroupId, Name: name}, nil
}
