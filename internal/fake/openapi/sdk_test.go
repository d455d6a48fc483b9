package openapi_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
)

// A pair is one platform behind the wire and one like it that is asked directly.
type pair struct {
	*testing.T
	client *vendor.Client
	served *fake.Cloud
	direct *fake.Cloud
	clocks [2]*fake.VirtualClock
	asked  map[string]bool
}

func newPair(t *testing.T) *pair {
	p := &pair{T: t, asked: map[string]bool{}}
	p.served, p.clocks[0] = newCloud(t, fake.Options{Quotas: fake.NoQuotas})
	p.direct, p.clocks[1] = newCloud(t, fake.Options{Quotas: fake.NoQuotas})
	p.client = dial(t, serve(t, p.served, nil), keySecret)
	return p
}

// both does the same to both platforms.
func (p *pair) both(do func(*fake.Cloud) error) {
	p.Helper()
	for _, c := range []*fake.Cloud{p.served, p.direct} {
		if err := do(c); err != nil {
			p.Fatal(err)
		}
	}
}

func (p *pair) advance(d time.Duration) {
	for _, c := range p.clocks {
		c.Advance(d)
	}
}

// expect makes a call by the vendor's SDK and compares all that it has decoded with what the fake answers directly.
// want puts a direct answer into the vendor's struct; whatever it leaves out must be zero.
func expect[Q, R, FQ, FA any](
	p *pair, name string, send func(*Q) (*R, error), request *Q,
	call func(*fake.Cloud, context.Context, FQ) (FA, error), direct FQ, want func(FA, *R),
) FA {
	p.Helper()
	p.asked[name] = true
	got, err := send(request)
	if err != nil {
		p.Fatalf("%s by the SDK: %v", name, err)
	}
	answer, err := call(p.direct, p.Context(), direct)
	if err != nil {
		p.Fatalf("%s directly: %v", name, err)
	}
	var whole R
	want(answer, &whole)
	field := func(r *R, name string) reflect.Value { return reflect.ValueOf(r).Elem().FieldByName(name) }
	field(&whole, "Success").SetBool(true)
	if id := field(got, "RequestId").String(); len(id) != 36 {
		p.Errorf("%s: request ID %q", name, id)
	}
	for _, common := range []string{"RequestId", "BaseResponse"} {
		field(got, common).SetZero()
	}
	if d := cmp.Diff(&whole, got); d != "" {
		p.Errorf("%s (-want +got):\n%s", name, d)
	}
	return answer
}

// list makes a list of the vendor's structs.
func list[F, R any](in []F, row func(F) R) []R {
	out := make([]R, 0, len(in))
	for _, x := range in {
		out = append(out, row(x))
	}
	return out
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02T15:04:05.000Z07:00")
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano() / 1e6
}

// Every API of the fake is called by the vendor's SDK, and the SDK reads what the fake answers.
func TestVendorSDKReadsEveryAnswer(t *testing.T) {
	p := newPair(t)
	p.products()
	p.devices()
	p.deviceLists()
	p.topology()
	p.rules()
	p.subscriptions()
	p.commands()
	p.history()
	p.config()
	p.moves()
	for name := range apis() {
		if !p.asked[name] {
			t.Errorf("nothing has called %s", name)
		}
	}
}

// apis returns the fake's APIs: its methods with a context and a request of theirs.
func apis() map[string]bool {
	all := map[string]bool{}
	cloud := reflect.TypeFor[*fake.Cloud]()
	for i := range cloud.NumMethod() {
		m := cloud.Method(i)
		if m.Type.NumIn() == 3 && m.Type.In(1) == reflect.TypeFor[context.Context]() {
			all[m.Name] = true
		}
	}
	return all
}

func TestThereAreAPIs(t *testing.T) {
	if n := len(apis()); n < 33 {
		t.Errorf("%d APIs found, want at least 33", n)
	}
}
