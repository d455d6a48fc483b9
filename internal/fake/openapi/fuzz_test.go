package openapi

import (
	"fmt"
	"math"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// FuzzParams reads any query and body with every decoding method: it never panics, and what it returns
// is as promised.
func FuzzParams(f *testing.F) {
	f.Add("a=1&b=2", "D.1=x&D.2=y")
	f.Add("D.2=x", "n=99999999999999999999&b=true")
	f.Add("D.99999999999999=1&D.=2&D.1.Key=k&D.1.Value=v", "D.x=1")
	f.Add("%zz", ";")
	f.Add("n=-0&m=%00", "m=====")
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL = &url.URL{Path: "/", RawQuery: query}
		p, err := readParams(httptest.NewRecorder(), r)
		if err != nil {
			return
		}
		if n := p.number("n"); n < math.MinInt32 || n > math.MaxInt32 {
			t.Errorf("number %d", n)
		}
		list := p.list("D")
		for i, x := range list {
			if p.values[fmt.Sprintf("D.%d", i+1)] != x {
				t.Errorf("element %d of %q is %q", i, p.values, x)
			}
		}
		if rows := p.structs("D", "Key", "Value"); p.err == nil {
			for _, row := range rows {
				if row["Key"] == "" || row["Value"] == "" {
					t.Errorf("accepted a struct without a field: %q", rows)
				}
			}
		}
		p.flag("b")
		p.base64("m")
		p.lacks("D")
		if len(list) > 0 && p.err == nil {
			t.Error("lacks has let a parameter pass")
		}
	})
}
