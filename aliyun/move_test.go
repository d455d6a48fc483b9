package aliyun_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

const meter = "a1Meter0001"

// names returns m-0001, m-0002 and so on.
func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("m-%04d", i+1)
	}
	return out
}

func TestMoveResults(t *testing.T) {
	accepted := func(names ...string) (out []iot.MoveResult) {
		for _, name := range names {
			out = append(out, iot.MoveResult{DeviceName: name, Accepted: true})
		}
		return out
	}
	for name, test := range map[string]struct {
		items string
		want  []iot.MoveResult
	}{
		"both spellings of success": {
			`[{"DeviceName":"m-0001","Status":"DEVICE_SUCCEEDED"},{"DeviceName":"m-0002","Status":"SUCCEEDED"}]`, accepted("m-0001", "m-0002"),
		},
		"another order": {
			`[{"DeviceName":"m-0002","Status":"SUCCEEDED"},{"DeviceName":"m-0001","Status":"SUCCEEDED"}]`, accepted("m-0001", "m-0002"),
		},
		"a refusal": {
			`[{"DeviceName":"m-0001","Status":"DEVICE_FAILED","Code":500,"Message":"系统错误"}]`,
			[]iot.MoveResult{{DeviceName: "m-0001", Code: 500, Message: "系统错误"}},
		},
		"a code as a string": {
			`[{"DeviceName":"m-0001","Status":"DEVICE_FAILED","Code":"6100","Message":null}]`, []iot.MoveResult{{DeviceName: "m-0001", Code: 6100}},
		},
		"a refusal without a code":  {`[{"DeviceName":"m-0001","Status":"DEVICE_FAILED"}]`, []iot.MoveResult{{DeviceName: "m-0001"}}},
		"a device is missing":       {`[{"DeviceName":"m-0002","Status":"SUCCEEDED"}]`, accepted("m-0002")},
		"nothing":                   {`[]`, nil},
		"null":                      {`null`, nil},
		"a status of no meaning":    {`[{"DeviceName":"m-0001","Status":"DEVICE_WAITING"},{"DeviceName":"m-0002","Status":""}]`, nil},
		"another device":            {`[{"DeviceName":"m-0009","Status":"SUCCEEDED"},{"DeviceName":"m-0001","Status":"SUCCEEDED"}]`, accepted("m-0001")},
		"a device twice":            {`[{"DeviceName":"m-0001","Status":"SUCCEEDED"},{"DeviceName":"m-0001","Status":"DEVICE_FAILED"}]`, nil},
		"success without a message": {`[{"DeviceName":"m-0001","Status":"SUCCEEDED","Code":200,"Message":"ok"}]`, accepted("m-0001")},
	} {
		t.Run(name, func(t *testing.T) {
			s := says(fromJSON(t, `{"Data":{"Details":{"item":`+test.items+`}}}`))
			got, err := s.client(t).Platform().Mover.Move(t.Context(), meter, names(2))
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMoveSends(t *testing.T) {
	s := says(nil)
	if _, err := s.client(t).Platform().Mover.Move(t.Context(), meter, names(10)); err != nil {
		t.Fatal(err)
	}
	sent := s.last(t)
	if sent.Get("Action") != "BatchGrayMigrationDevice" || sent.Get("ProductKey") != meter {
		t.Errorf("sent %v", sent)
	}
	for i, name := range names(10) {
		if got := sent.Get(fmt.Sprintf("DeviceNames.%d", i+1)); got != name {
			t.Errorf("name %d is %q, want %q", i+1, got, name)
		}
	}
}

// What the platform would refuse, cut or misunderstand is not sent.
func TestMoveRefuses(t *testing.T) {
	s := says(nil)
	mover := s.client(t).Platform().Mover
	for name, test := range map[string]struct {
		product string
		names   []string
	}{
		"none": {meter, nil}, "eleven": {meter, names(11)}, "twice the same": {meter, []string{"m-0001", "m-0002", "m-0001"}},
		"an empty name": {meter, []string{"m-0001", ""}}, "no product": {"", names(1)},
	} {
		_, err := mover.Move(t.Context(), test.product, test.names)
		expectKind(t, name, err, iot.Invalid)
	}
	if len(s.calls) > 0 {
		t.Errorf("%d calls were made", len(s.calls))
	}
}

func TestMoveErrors(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   iot.Kind
	}{
		{400, "Throttling.User", iot.Throttled},
		{200, "iot.system.SystemException", iot.UnknownOutcome}, // whatever it did before it failed
		{503, "ServiceUnavailable", iot.UnknownOutcome},
		{200, "iot.prod.NotExistedProduct", iot.NotFound},
		{403, "Forbidden.RAM", iot.Denied},
	} {
		s := says(&fake.APIError{HTTPStatus: test.status, Code: test.code})
		got, err := s.client(t).Platform().Mover.Move(t.Context(), meter, names(2))
		expectKind(t, test.code, err, test.want)
		if len(s.calls) != 1 || got != nil {
			t.Errorf("%s: %d calls, results %v", test.code, len(s.calls), got)
		}
	}
}
