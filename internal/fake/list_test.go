package fake_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

func codeOf(err error) string {
	if e, ok := errors.AsType[*fake.APIError](err); ok {
		return e.Code
	}
	return ""
}

func TestQueryDevicePages(t *testing.T) {
	b := newBench(t, meters(10_100, nil), nil)
	get := func(r fake.QueryDeviceRequest) (fake.QueryDeviceResponse, error) {
		b.clock.Advance(time.Second)
		r.ProductKey = meter
		return b.QueryDevice(t.Context(), r)
	}
	first := must(get(fake.QueryDeviceRequest{}))
	if len(first.DeviceInfo) != 10 || first.DeviceInfo[0].DeviceName != "m-10100" || first.Total != 10_100 || first.PageCount != 1010 {
		t.Errorf("page 1 has %d rows from %s on, total %d", len(first.DeviceInfo), first.DeviceInfo[0].DeviceName, first.Total)
	}
	if last := must(get(fake.QueryDeviceRequest{CurrentPage: 200, PageSize: 50})); last.DeviceInfo[49].DeviceName != "m-0101" {
		t.Errorf("row 10,000 is %s, want m-0101", last.DeviceInfo[49].DeviceName)
	}
	for _, r := range []fake.QueryDeviceRequest{
		{CurrentPage: 201, PageSize: 50}, {PageSize: 51}, {CurrentPage: -1}, {PageSize: -1}, {NextToken: "hello"}, {NextToken: "1-"},
	} {
		if _, err := get(r); codeOf(err) != "iot.common.InvalidPageParams" {
			t.Errorf("%+v: error %v, want InvalidPageParams", r, err)
		}
	}
	at200 := must(get(fake.QueryDeviceRequest{CurrentPage: 200, PageSize: 50}))
	at201 := must(get(fake.QueryDeviceRequest{CurrentPage: 201, PageSize: 50, NextToken: at200.NextToken}))
	if at201.DeviceInfo[0].DeviceName != "m-0100" || at201.Page != 201 {
		t.Errorf("page %d begins with %s", at201.Page, at201.DeviceInfo[0].DeviceName)
	}
	end := must(get(fake.QueryDeviceRequest{PageSize: 50, NextToken: at201.NextToken}))
	if len(end.DeviceInfo) != 50 || end.NextToken != "" {
		t.Errorf("last page: %d rows, token %q", len(end.DeviceInfo), end.NextToken)
	}
}

func TestPagesByTokenMissNothingWhileDevicesLeave(t *testing.T) {
	b := newBench(t, meters(300, nil), nil)
	b.ready(meter, "m-0300")
	b.clock.Advance(time.Minute)
	var byToken, byNumber []string
	token := ""
	for page := 1; ; page++ {
		r := fake.QueryDeviceRequest{ProductKey: meter, PageSize: 50, CurrentPage: page}
		for _, row := range must(b.QueryDevice(t.Context(), r)).DeviceInfo {
			byNumber = append(byNumber, row.DeviceName)
		}
		r.NextToken = token
		out := must(b.QueryDevice(t.Context(), r))
		for _, row := range out.DeviceInfo {
			byToken = append(byToken, row.DeviceName)
		}
		b.move(meter, byToken[len(byToken)-20:]...)
		b.clock.Advance(5 * time.Second)
		if token = out.NextToken; token == "" {
			break
		}
	}
	want := names("m", 299)
	slices.Reverse(want)
	if d := cmp.Diff(want, byToken); d != "" {
		t.Errorf("by token (-want +got):\n%s", d)
	}
	if len(byNumber) >= len(want) {
		t.Errorf("pages by number saw %d of 299 devices: want some missed, as on the platform", len(byNumber))
	}
}

func TestDeepPagesHaveAQuotaOfTwo(t *testing.T) {
	b := newBench(t, meters(100_200, nil), nil)
	token := ""
	var deep []error
	pages := 0
	for ; pages < 2003; pages++ {
		b.clock.Advance(20 * time.Millisecond)
		out, err := b.QueryDevice(t.Context(), fake.QueryDeviceRequest{ProductKey: meter, PageSize: 50, NextToken: token})
		if err != nil {
			deep = append(deep, err)
			break
		}
		token = out.NextToken
	}
	if len(deep) != 1 || codeOf(deep[0]) != "Throttling.User" || pages != 2001 {
		t.Fatalf("after %d pages errors %v, want the third page from the 100,000th row on throttled", pages, deep)
	}
	b.clock.Advance(time.Second)
	if _, err := b.QueryDevice(t.Context(), fake.QueryDeviceRequest{ProductKey: meter, PageSize: 50, NextToken: token}); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

func TestQueryDeviceStopsAtAMillion(t *testing.T) {
	b := newBench(t, meters(1, nil), nil)
	_, err := b.QueryDevice(t.Context(), fake.QueryDeviceRequest{ProductKey: meter, PageSize: 50, NextToken: "1-f4240"})
	if codeOf(err) != "iot.common.InvalidPageParams" {
		t.Errorf("error %v, want InvalidPageParams beyond 1,000,000 rows", err)
	}
}

func TestStatusIndexIsLate(t *testing.T) {
	b := newBench(t, meters(40, func(i int, d *fleet.Device) {
		if i >= 35 {
			d.Status = iot.Offline
		}
	}), nil)
	count := func(status int) int {
		out := must(b.QueryDeviceByStatus(t.Context(), fake.QueryDeviceByStatusRequest{ProductKey: meter, Status: status, PageSize: 50}))
		if len(out.SimpleDeviceInfo) != out.Total {
			t.Errorf("%d rows of %d", len(out.SimpleDeviceInfo), out.Total)
		}
		return out.Total
	}
	if on, off := count(1), count(3); on != 35 || off != 5 {
		t.Fatalf("%d online, %d offline; want 35, 5", on, off)
	}
	for _, name := range names("m", 20) {
		if err := b.PowerOff(id(meter, name)); err != nil {
			t.Fatal(err)
		}
	}
	if on := count(1); on != 35 {
		t.Errorf("at once: the index has %d online, want 35", on)
	}
	b.clock.Advance(5 * time.Second)
	if on, off := count(1), count(3); on <= 15 || on >= 35 || on+off != 40 {
		t.Errorf("5 s later: the index has %d online and %d offline, want it on the way", on, off)
	}
	b.clock.Advance(5 * time.Second)
	if on, off := count(1), count(3); on != 15 || off != 25 {
		t.Errorf("10 s later: the index has %d online and %d offline, want 15, 25", on, off)
	}
	if _, err := b.QueryDeviceByStatus(t.Context(), fake.QueryDeviceByStatusRequest{ProductKey: meter, Status: 2}); codeOf(err) != "iot.common.InvalidPageParams" {
		t.Errorf("status 2: %v", err)
	}
}

func TestStatusIndexNoticesWhatHasChanged(t *testing.T) {
	b := newBench(t, meters(10, nil), nil)
	online := func() int {
		return must(b.QueryDeviceByStatus(t.Context(), fake.QueryDeviceByStatusRequest{ProductKey: meter, Status: 1})).Total
	}
	for want := 10; want > 5; want-- {
		if got := online(); got != want {
			t.Errorf("%d online, want %d", got, want)
		}
		if err := b.PowerOff(id(meter, names("m", 10)[want-1])); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(10 * time.Second)
	}
}

func TestRegistryShowsOnlyWhatThePlatformShows(t *testing.T) {
	tests := []struct {
		change func(*fleet.Product)
		want   iot.Product
	}{
		{func(*fleet.Product) {}, iot.Product{NodeType: iot.Direct, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.WiFi}},
		{
			func(p *fleet.Product) { p.Auth, p.Network = iot.AuthPerProductPreregistered, iot.NBIoT },
			iot.Product{NodeType: iot.Direct, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.Cellular},
		},
		{
			func(p *fleet.Product) { p.Auth, p.Network = iot.AuthPerProductFree, iot.LoRaWAN },
			iot.Product{NodeType: iot.Direct, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.OtherNet},
		},
		{
			func(p *fleet.Product) { p.Auth, p.NodeType, p.Network = iot.AuthID2, iot.Gateway, iot.Ethernet },
			iot.Product{NodeType: iot.Gateway, Auth: iot.AuthID2, DataFormat: iot.Custom, Network: iot.Ethernet},
		},
		{
			func(p *fleet.Product) { p.Auth, p.NodeType, p.DataFormat = iot.AuthX509, iot.SubDevice, iot.Alink },
			iot.Product{NodeType: iot.SubDevice, Auth: iot.AuthX509, DataFormat: iot.Alink, Network: iot.WiFi},
		},
	}
	for _, test := range tests {
		f := newFleet()
		f.Products = append(f.Products, custom(meter, iot.Direct))
		test.change(&f.Products[0])
		b := newBench(t, f, nil)
		test.want.Key, test.want.Name = meter, meter
		if d := cmp.Diff(test.want, must(b.platform(nil).Source.Product(t.Context(), meter))); d != "" {
			t.Errorf("%+v (-want +got):\n%s", f.Products[0], d)
		}
	}
}

func TestErrorsOfTheRegistry(t *testing.T) {
	b := newBench(t, meters(60, nil), nil)
	ctx := t.Context()
	tests := map[string]struct {
		do   func() error
		want string
	}{
		"unknown instance": {func() error {
			_, err := b.QueryProduct(ctx, fake.QueryProductRequest{IotInstanceId: "iot-x", ProductKey: meter})
			return err
		}, "iot.Sre.IotInstanceNotFound"},
		"product of another instance": {func() error {
			_, err := b.QueryProduct(ctx, fake.QueryProductRequest{IotInstanceId: target, ProductKey: meter})
			return err
		}, "iot.prod.NotExistedProduct"},
		"unknown device": {func() error {
			_, err := b.GetDeviceStatus(ctx, fake.DeviceRequest{ProductKey: meter, DeviceName: "nobody"})
			return err
		}, "iot.device.NotExistedDevice"},
		"51 states": {func() error {
			_, err := b.BatchGetDeviceState(ctx, fake.BatchGetDeviceStateRequest{ProductKey: meter, DeviceName: names("m", 51)})
			return err
		}, "iot.device.InvalidFormattedDeviceName"},
		"no states": {func() error {
			_, err := b.BatchGetDeviceState(ctx, fake.BatchGetDeviceStateRequest{ProductKey: meter})
			return err
		}, "iot.device.NoneDeviceNameElement"},
		"101 details": {func() error {
			_, err := b.BatchQueryDeviceDetail(ctx, fake.BatchQueryDeviceDetailRequest{ProductKey: meter, DeviceName: names("m", 101)})
			return err
		}, "iot.device.InvalidFormattedDeviceName"},
		"page of 51 sub-devices": {func() error {
			_, err := b.GetThingTopo(ctx, fake.GetThingTopoRequest{ProductKey: meter, DeviceName: "m-0001", PageNo: 1, PageSize: 51})
			return err
		}, "iot.device.QueryTopoRelationFailed"},
		"name that is taken": {func() error {
			_, err := b.RegisterDevice(ctx, fake.DeviceRequest{ProductKey: meter, DeviceName: "m-0001"})
			return err
		}, "iot.device.AlreadyExistedDeviceName"},
		"name that is none": {func() error {
			_, err := b.RegisterDevice(ctx, fake.DeviceRequest{ProductKey: meter, DeviceName: "a/b c"})
			return err
		}, "iot.device.InvalidFormattedDeviceName"},
		"no thing model": {func() error {
			_, err := b.QueryThingModelPublished(ctx, fake.QueryThingModelPublishedRequest{ProductKey: meter})
			return err
		}, "iot.prod.NotSeniorProduct"},
		"unknown rule": {func() error {
			_, err := b.ListRuleActions(ctx, fake.ListRuleActionsRequest{RuleId: "1"})
			return err
		}, "iot.rule.NotFoundRule"},
		"rules beyond page 1000": {func() error {
			_, err := b.ListRule(ctx, fake.ListRuleRequest{CurrentPage: 1001})
			return err
		}, "iot.common.InvalidPageParams"},
	}
	for name, test := range tests {
		if got := codeOf(test.do()); got != test.want {
			t.Errorf("%s: code %q, want %q", name, got, test.want)
		}
	}
}

func TestDetailsLeaveOutWhatIsNotThere(t *testing.T) {
	b := newBench(t, meters(3, nil), nil)
	out := must(b.BatchQueryDeviceDetail(t.Context(), fake.BatchQueryDeviceDetailRequest{
		ProductKey: meter, DeviceName: []string{"m-0003", "nobody", "m-0001"},
	}))
	if len(out.Data) != 2 || out.Data[0].DeviceName != "m-0003" || out.Data[1].DeviceSecret != "s-m-0001" {
		t.Errorf("details %+v", out.Data)
	}
	one := must(b.QueryDeviceDetail(t.Context(), fake.DeviceRequest{ProductKey: meter, DeviceName: "m-0001"}))
	if d := cmp.Diff(out.Data[1], one); d != "" {
		t.Errorf("one and many differ:\n%s", d)
	}
}
