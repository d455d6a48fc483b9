package aliyun_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// relations answers QuerySubscribeRelation by type, and remembers what the others were told.
func relations(byType map[string]any, change any) *script {
	return &script{answer: func(api string, q url.Values) any {
		if api != "QuerySubscribeRelation" {
			return change
		}
		if answer, ok := byType[q.Get("Type")]; ok {
			return answer
		}
		return &fake.APIError{Code: "iot.subscribe.NotExistedSubscribeRelation"}
	}}
}

func TestSubscriptions(t *testing.T) {
	amqp := fromJSON(t, `{"ConsumerGroupIds":["g1","g2"],"DeviceDataFlag":true,"DeviceTopoLifeCycleFlag":"true","OtaJobFlag":true}`)
	want := iot.Subscription{ProductKey: meter, Type: iot.AMQP, Groups: []string{"g1", "g2"}, Events: []iot.Event{iot.DeviceData, iot.TopologyChange, iot.OTAJobStatus}}
	queue := func(name string, events ...iot.Event) iot.Subscription {
		return iot.Subscription{ProductKey: meter, Type: iot.MNS, Queue: name, Events: events}
	}
	for name, test := range map[string]struct {
		answers map[string]any
		want    []iot.Subscription
	}{
		"none":                   {nil, nil},
		"an answer with nothing": {map[string]any{"AMQP": map[string]any{"DeviceDataFlag": false}}, nil},
		"AMQP":                   {map[string]any{"AMQP": amqp}, []iot.Subscription{want}},
		"MNS": {
			map[string]any{"MNS": map[string]any{"MnsConfiguration": "aliyun-iot-q", "DeviceLifeCycleFlag": true, "DeviceStatusChangeFlag": true}},
			[]iot.Subscription{queue("aliyun-iot-q", iot.StatusChange, iot.Lifecycle)},
		},
		"MNS in JSON": {
			map[string]any{"MNS": map[string]any{"MnsConfiguration": `{"queueName":"q","region":"cn-shanghai"}`}}, []iot.Subscription{queue("q")},
		},
		"both": {map[string]any{"AMQP": amqp, "MNS": map[string]any{"MnsConfiguration": "q"}}, []iot.Subscription{want, queue("q")}},
	} {
		got, err := relations(test.answers, nil).client(t).Platform().Source.Subscriptions(t.Context(), meter)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestSubscriptionsOfNoProduct(t *testing.T) {
	s := relations(map[string]any{"AMQP": &fake.APIError{Code: "iot.prod.NotExistedProduct"}}, nil)
	_, err := s.client(t).Platform().Source.Subscriptions(t.Context(), meter)
	expectKind(t, "no product", err, iot.NotFound)
}

// Enterprise instances have no MNS: they are not asked.
func TestSubscriptionsOfTheTarget(t *testing.T) {
	s := relations(map[string]any{"MNS": &fake.APIError{Code: "iot.something.NoSuchType"}}, nil)
	if got, err := s.client(t).Platform().Target.Subscriptions(t.Context(), meter); err != nil || len(got) > 0 || len(s.calls) != 1 {
		t.Errorf("got %v, %v after %d calls", got, err, len(s.calls))
	}
}

var toGroup = iot.Subscription{ProductKey: meter, Type: iot.AMQP, Groups: []string{"g1", "g2"}, Events: []iot.Event{iot.StatusChange}}

func TestSubscribeCreates(t *testing.T) {
	s := relations(nil, nil)
	if err := s.client(t).Platform().Target.Subscribe(t.Context(), toGroup); err != nil {
		t.Fatal(err)
	}
	sent := s.last(t)
	want := map[string]string{
		"Action": "CreateSubscribeRelation", "IotInstanceId": testTarget, "ProductKey": meter, "Type": "AMQP",
		"ConsumerGroupIds.1": "g1", "ConsumerGroupIds.2": "g2", "MnsConfiguration": "",
		"DeviceDataFlag": "false", "DeviceStatusChangeFlag": "true", "DeviceLifeCycleFlag": "false", "DeviceTopoLifeCycleFlag": "false",
		"OtaJobFlag": "false", "ThingHistoryFlag": "false",
	}
	for key, value := range want {
		if sent.Get(key) != value {
			t.Errorf("%s is %q, want %q", key, sent.Get(key), value)
		}
	}
}

// An update sets every class of messages that there is a name for, and does not take away anything else.
func TestSubscribeUpdates(t *testing.T) {
	s := relations(map[string]any{
		"AMQP": fromJSON(t, `{"ConsumerGroupIds":["old"],"DeviceDataFlag":true,"OtaJobFlag":true,"FoundDeviceListFlag":true,"SubscribeFlags":"x"}`),
		"MNS":  fromJSON(t, `{"MnsConfiguration":"{\"queueName\":\"q\",\"x\":1}","DeviceTagFlag":true}`),
	}, nil)
	at := s.client(t).Platform().Source
	to := toGroup
	to.Events = append(to.Events, iot.FoundDevices, iot.LabelChange)
	if err := at.Subscribe(t.Context(), to); err != nil {
		t.Fatal(err)
	}
	sent := s.last(t)
	for key, value := range map[string]string{
		"Action": "UpdateSubscribeRelation", "ConsumerGroupIds.1": "g1", "DeviceDataFlag": "false", "DeviceStatusChangeFlag": "true",
		"OtaJobFlag": "false", "FoundDeviceListFlag": "true", "DeviceTagFlag": "true", "OtaEventFlag": "false", "SubscribeFlags": "x",
	} {
		if sent.Get(key) != value {
			t.Errorf("%s is %q, want %q", key, sent.Get(key), value)
		}
	}
	if err := at.Subscribe(t.Context(), iot.Subscription{ProductKey: meter, Type: iot.MNS, Queue: "q", Events: []iot.Event{iot.DeviceData}}); err != nil {
		t.Fatal(err)
	}
	if sent := s.last(t); sent.Get("MnsConfiguration") != `{"queueName":"q","x":1}` || sent.Get("DeviceTagFlag") != "false" || sent.Has("ConsumerGroupIds.1") {
		t.Errorf("MNS: sent %v", sent)
	}
}

// If another client was faster, or the platform hides that there is a subscription, it is updated after all.
func TestSubscribeAfterAConflict(t *testing.T) {
	var apis []string
	s := &script{answer: func(api string, _ url.Values) any {
		apis = append(apis, api)
		switch api {
		case "CreateSubscribeRelation":
			return &fake.APIError{Code: "iot.subscribe.AlreadyExistedSubscribeRelation"}
		default:
			return nil
		}
	}}
	if err := s.client(t).Platform().Source.Subscribe(t.Context(), toGroup); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"QuerySubscribeRelation", "CreateSubscribeRelation", "UpdateSubscribeRelation"}, apis); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSubscribeErrors(t *testing.T) {
	for name, test := range map[string]struct {
		read, change *fake.APIError
		want         iot.Kind
		calls        int
	}{
		"no product":      {read: &fake.APIError{Code: "iot.prod.NotExistedProduct"}, want: iot.NotFound, calls: 1},
		"read throttled":  {read: &fake.APIError{HTTPStatus: 400, Code: "Throttling"}, want: iot.Throttled, calls: 1},
		"write throttled": {change: &fake.APIError{HTTPStatus: 400, Code: "Throttling"}, want: iot.Throttled, calls: 2},
		"write lost":      {change: &fake.APIError{HTTPStatus: 500, Code: "InternalError"}, want: iot.UnknownOutcome, calls: 2},
	} {
		answers := map[string]any{}
		if test.read != nil {
			answers["AMQP"] = test.read
		}
		var change any
		if test.change != nil {
			change = test.change
		}
		s := relations(answers, change)
		expectKind(t, name, s.client(t).Platform().Source.Subscribe(t.Context(), toGroup), test.want)
		if len(s.calls) != test.calls {
			t.Errorf("%s: %d calls, want %d", name, len(s.calls), test.calls)
		}
	}
}

func TestSubscriberRefuses(t *testing.T) {
	s := says(nil)
	p := s.client(t).Platform()
	for name, bad := range map[string]iot.Subscription{
		"no product": {Type: iot.AMQP, Groups: []string{"g"}}, "no group": {ProductKey: meter, Type: iot.AMQP},
		"an empty group": {ProductKey: meter, Type: iot.AMQP, Groups: []string{"g", ""}},
		"no queue":       {ProductKey: meter, Type: iot.MNS}, "no type": {ProductKey: meter},
		"a new event": {ProductKey: meter, Type: iot.AMQP, Groups: []string{"g"}, Events: []iot.Event{"weather"}},
	} {
		expectKind(t, name, p.Source.Subscribe(t.Context(), bad), iot.Invalid)
	}
	expectKind(t, "MNS at the target", p.Target.Subscribe(t.Context(), iot.Subscription{ProductKey: meter, Type: iot.MNS, Queue: "q"}), iot.Invalid)
	for _, name := range []string{"", "abc", "1234567890123456789012345678901"} {
		_, err := p.Source.CreateGroup(t.Context(), name)
		expectKind(t, "group "+name, err, iot.Invalid)
	}
	if _, err := p.Source.CreateGroup(t.Context(), "消费组一"); err != nil {
		t.Errorf("four characters: %v", err)
	}
	if len(s.calls) != 1 {
		t.Errorf("%d calls were made, want 1", len(s.calls))
	}
}
