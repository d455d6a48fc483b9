package aliyun_test

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

func TestProduct(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want iot.Product
	}{
		"all that is known": {
			`{"ProductKey":"a1Meter0001","ProductName":"Meter","NodeType":0,"DataFormat":1,"AuthType":"secret","NetType":3,"DeviceCount":7,"Id2":false}`,
			iot.Product{Name: "Meter", NodeType: iot.Direct, DataFormat: iot.Alink, Auth: iot.AuthSecret, Network: iot.WiFi, Devices: 7},
		},
		"nothing": {`{}`, iot.Product{NodeType: iot.Direct, DataFormat: iot.Custom, Auth: iot.AuthSecret, Network: iot.OtherNet}},
		"numbers in strings": {
			`{"NodeType":"1","DataFormat":"0","NetType":"6","DeviceCount":"12","Id2":"false"}`,
			iot.Product{NodeType: iot.Gateway, DataFormat: iot.Custom, Auth: iot.AuthSecret, Network: iot.Cellular, Devices: 12},
		},
		"nulls": {
			`{"ProductName":null,"NodeType":null,"AuthType":null,"ProtocolType":null,"Id2":null}`,
			iot.Product{NodeType: iot.Direct, DataFormat: iot.Custom, Auth: iot.AuthSecret, Network: iot.OtherNet},
		},
		"a sub-device": {
			`{"NodeType":0,"ProtocolType":"modbus","NetType":7}`,
			iot.Product{NodeType: iot.SubDevice, DataFormat: iot.Custom, Auth: iot.AuthSecret, Network: iot.Ethernet},
		},
		"a gateway with a protocol": {
			`{"NodeType":1,"ProtocolType":"modbus","NetType":8}`,
			iot.Product{NodeType: iot.Gateway, DataFormat: iot.Custom, Auth: iot.AuthSecret, Network: iot.OtherNet},
		},
		"ID2 by type": {`{"AuthType":"id2"}`, iot.Product{NodeType: iot.Direct, DataFormat: iot.Custom, Auth: iot.AuthID2, Network: iot.OtherNet}},
		"ID2 by flag": {
			`{"AuthType":"secret","Id2":true}`, iot.Product{NodeType: iot.Direct, DataFormat: iot.Custom, Auth: iot.AuthID2, Network: iot.OtherNet},
		},
		"X.509": {`{"AuthType":"x509"}`, iot.Product{NodeType: iot.Direct, DataFormat: iot.Custom, Auth: iot.AuthX509, Network: iot.OtherNet}},
	} {
		test.want.Key = meter
		got, err := says(fromJSON(t, `{"Data":`+test.data+`}`)).client(t).Platform().Source.Product(t.Context(), meter)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// A list that breaks off has to fail: what it leaves out would never be migrated.
func TestListsThatBreakOff(t *testing.T) {
	s := &script{answer: func(_ string, q url.Values) any {
		rows := []any{}
		if q.Get("PageNo") == "1" {
			for n := range 50 {
				rows = append(rows, map[string]any{"ProductKey": meter, "DeviceName": "s-" + strconv.Itoa(1000+n)})
			}
		}
		return map[string]any{"Data": map[string]any{"Total": 60, "List": map[string]any{"deviceInfo": rows}}}
	}}
	n, last := 0, error(nil)
	for id, err := range s.client(t).Platform().Source.Children(t.Context(), meterOne) {
		if err != nil {
			last = err
			if !id.IsZero() {
				t.Errorf("%v beside the error", id)
			}
			continue
		}
		n++
	}
	expectKind(t, "children", last, iot.Transient)
	if n != 50 || len(s.calls) != 2 {
		t.Errorf("%d rows in %d calls, want 50 in 2", n, len(s.calls))
	}
}

func TestThingModel(t *testing.T) {
	model := func(text any) any { return map[string]any{"Data": map[string]any{"ThingModelJson": text}} }
	for name, test := range map[string]struct {
		answer any
		want   iot.Kind
	}{
		"none": {model(""), iot.NotFound}, "null": {model(nil), iot.NotFound}, "cut": {model(`{"properties":[`), iot.Transient},
		"cannot have one": {&fake.APIError{Code: "iot.prod.NotSeniorProduct"}, iot.NotFound},
	} {
		_, err := says(test.answer).client(t).Platform().Source.ThingModel(t.Context(), meter)
		expectKind(t, name, err, test.want)
	}
	if got, err := says(model(`{"properties":[]}`)).client(t).Platform().Source.ThingModel(t.Context(), meter); err != nil || string(got) != `{"properties":[]}` {
		t.Errorf("got %s, %v", got, err)
	}
}

// An empty parameter is not sent, and the call would be another one: QueryDevice would list the account.
func TestEmptyNamesAreNotSent(t *testing.T) {
	s := says(nil)
	at := s.client(t).Platform().Source
	var none iot.DeviceID
	for name, got := range map[string]said{
		"product": saidBy(at.Product(t.Context(), "")), "devices": all(at.Devices(t.Context(), "")),
		"children": all(at.Children(t.Context(), none)), "gateway": saidBy(at.GatewayOf(t.Context(), none)),
		"model": saidBy(at.ThingModel(t.Context(), "")), "subscriptions": saidBy(at.Subscriptions(t.Context(), "")),
		"group": saidBy(at.GroupStatus(t.Context(), "")), "placed": all(at.Distributed(t.Context(), "")),
	} {
		if got.Error != "invalid " {
			t.Errorf("%s: got %+v, want an invalid error", name, got)
		}
	}
	if len(s.calls) > 0 {
		t.Errorf("%d calls were made", len(s.calls))
	}
}

func TestRules(t *testing.T) {
	s := &script{answer: func(api string, q url.Values) any {
		if api == "ListRuleActions" {
			if q.Get("RuleId") == "151454" {
				return fromJSON(t, `{"RuleActionList":{"RuleActionInfo":[{"Id":1,"Type":"OTS"},{"Id":2,"Type":"AMQP"}]}}`)
			}
			return fromJSON(t, `{"RuleActionList":{}}`)
		}
		return fromJSON(t, `{"Total":2,"Data":{"RuleInfo":[
			{"Id":151454,"Name":"to_ots","ProductKey":"a1Meter0001","ShortTopic":"/+/user/update","Topic":"/sys/x","Status":"RUNNING"},
			{"Id":"151455","Name":"off","Status":"STOP"}]}}`)
	}}
	got := all(s.client(t).Platform().Source.Rules(t.Context()))
	want := said{Value: []iot.Rule{
		{ID: "151454", Name: "to_ots", ProductKey: meter, Topic: "/+/user/update", Running: true, Actions: []string{"OTS", "AMQP"}},
		{ID: "151455", Name: "off"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
