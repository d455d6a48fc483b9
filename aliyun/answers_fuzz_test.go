package aliyun_test

import (
	"errors"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/iot"
)

// FuzzAnswers gives one answer to every call. Whatever it is: a move tells of the devices that were asked for, each once, and
// of none for which the answer is not sure; reads show nothing else than what was asked for, and come to an end.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"Success":true,"Data":{"Details":{"item":[{"DeviceName":"m-0001","Status":"SUCCEEDED"},{"DeviceName":"m-0002","Status":"DEVICE_FAILED","Code":6100}]}}}`,
		`{"Success":true,"Data":{"Details":{"item":[{"DeviceName":"m-0001","Status":"SUCCEEDED"},{"DeviceName":"m-0001","Status":"SUCCEEDED"}]}}}`,
		`{"Success":true,"DeviceStatusList":{"DeviceStatus":[{"DeviceName":"m-0002","Status":"ONLINE","LastOnlineTime":"2026-03-01T09:00:00.123Z"}]}}`,
		`{"Success":true,"PageCount":3,"Total":250,"Data":{"DeviceInfo":[{"DeviceName":"m-0001","DeviceSecret":"s","DeviceStatus":"ONLINE"}]}}`,
		`{"Success":true,"Data":{"Total":1,"List":{"deviceInfo":[{"ProductKey":"a1Meter0001","DeviceName":"m-0001"}]}}}`,
		`{"Success":false,"Code":"iot.system.SystemException","ErrorMessage":"系统异常"}`,
		`{"Success":"true","Data":null}`, `{"Success":true,"Data":[]}`, `[]`, `<html>502</html>`, ``,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		calls := 0
		config := testConfig("http://127.0.0.1:1")
		config.Transport = roundTrip(func(r *request) (*response, error) {
			if calls++; calls > 30 {
				return nil, errors.New("the answers never end")
			}
			return &response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		p := openClient(t, config).Platform()
		moved(t, p, names(2))
		states, err := p.Target.States(t.Context(), meter, names(2))
		if err == nil {
			shown(t, states)
		}
		ended(t, p.Source.Devices(t.Context(), meter))
		ended(t, p.Source.Products(t.Context()))
		ended(t, p.Source.Distributed(t.Context(), meter))
		ended(t, p.Source.Children(t.Context(), iot.DeviceID{ProductKey: meter, DeviceName: "m-0001"}))
		ended(t, p.Source.Groups(t.Context()))
		ended(t, p.Source.Rules(t.Context()))
	})
}

func moved(t *testing.T, p iot.Platform, asked []string) {
	results, err := p.Mover.Move(t.Context(), meter, asked)
	if kind := iot.KindOf(err); kind == iot.Transient && len(results) > 0 {
		t.Errorf("%v, and %v", err, results)
	}
	for i, r := range results {
		if !slices.Contains(asked, r.DeviceName) {
			t.Errorf("device %q was not asked for", r.DeviceName)
		}
		if slices.ContainsFunc(results[:i], func(o iot.MoveResult) bool { return o.DeviceName == r.DeviceName }) {
			t.Errorf("device %q is told of twice", r.DeviceName)
		}
	}
}

func shown(t *testing.T, states []iot.DeviceState) {
	for _, s := range states {
		if s.ID.ProductKey != meter || !slices.Contains(names(2), s.ID.DeviceName) {
			t.Errorf("device %s was not asked for", s.ID)
		}
	}
}

// ended reads a list to its end. An error is the last of it.
func ended[T any](t *testing.T, list iter.Seq2[T, error]) {
	failed := false
	for _, err := range list {
		if failed {
			t.Error("the list goes on after an error")
		}
		failed = err != nil
	}
}
