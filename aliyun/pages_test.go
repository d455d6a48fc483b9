package aliyun_test

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// jobs answers ListJob with a list of so many jobs, newest first, as it is when a page is asked for.
func jobs(total func(page int) (says, has int)) *script {
	const size = 50
	return &script{answer: func(_ string, q url.Values) any {
		page, _ := strconv.Atoi(q.Get("CurrentPage"))
		says, has := total(page)
		rows := []any{}
		for i := (page - 1) * size; i < min(page*size, has); i++ {
			rows = append(rows, map[string]any{"JobId": fmt.Sprint("job-", has-i)})
		}
		return map[string]any{"Total": says, "Data": rows}
	}}
}

func fixed(n int) func(int) (int, int) { return func(int) (int, int) { return n, n } }

// changes is a list that has n rows at first, and others from page 2 on.
func changes(n, then int) func(int) (int, int) {
	return func(page int) (int, int) {
		if page == 1 {
			return n, n
		}
		return then, then
	}
}

// A list is read to its end and not beyond, and each row comes once, whatever is added meanwhile.
func TestPages(t *testing.T) {
	for name, test := range map[string]struct {
		list        func(int) (int, int)
		rows, calls int
	}{
		"empty":          {fixed(0), 0, 1},
		"one page":       {fixed(50), 50, 1},
		"a row more":     {fixed(51), 51, 2},
		"two pages":      {fixed(100), 100, 2},
		"some are added": {changes(100, 103), 100, 3},
	} {
		s := jobs(test.list)
		seen := map[string]bool{}
		for j, err := range s.client(t).Platform().Source.Config.Jobs.Jobs(t.Context()) {
			if err != nil || seen[j.ID] {
				t.Fatalf("%s: job %s comes twice, or %v", name, j.ID, err)
			}
			seen[j.ID] = true
		}
		if len(seen) != test.rows || len(s.calls) != test.calls {
			t.Errorf("%s: %d rows by %d calls, want %d by %d", name, len(seen), len(s.calls), test.rows, test.calls)
		}
	}
}

// A list of which rows would be missing fails, so that it is read again.
func TestPagesThatSkip(t *testing.T) {
	for name, list := range map[string]func(int) (int, int){
		"some are deleted": changes(120, 119), "a page is short": func(int) (int, int) { return 60, 40 },
		"no total": func(int) (int, int) { return 0, 50 }, "a total that is too small": func(int) (int, int) { return 10, 50 },
	} {
		var last error
		for _, err := range jobs(list).client(t).Platform().Source.Config.Jobs.Jobs(t.Context()) {
			last = err
		}
		expectKind(t, name, last, iot.Transient)
	}
}

// What is deleted between the list and the look at each of it is not there any more, and the rest is.
func TestDeletedWhileRead(t *testing.T) {
	list := map[string]string{
		"QueryProductList":     `{"Data":{"Total":2,"List":{"ProductInfo":[{"ProductKey":"a1Gone00001"},{"ProductKey":"a1Meter0001"}]}}}`,
		"QueryProduct":         `{"Data":{"ProductName":"meter"}}`,
		"ListRule":             `{"Total":2,"Data":{"RuleInfo":[{"Id":8},{"Id":9}]}}`,
		"ListRuleActions":      `{}`,
		"ListParser":           `{"Total":2,"Data":{"ParserList":[{"ParserId":8},{"ParserId":9}]}}`,
		"GetParser":            `{"Data":{"Name":"p"}}`,
		"ListOTAFirmware":      `{"Total":2,"FirmwareInfo":{"SimpleFirmwareInfo":[{"FirmwareId":"8"},{"FirmwareId":"9"}]}}`,
		"ListOTAJobByFirmware": `{"Total":1,"Data":{"SimpleOTAJobInfo":[{"JobId":"o1"}]}}`,
		"QueryDeviceGroupList": `{"Total":2,"Data":{"GroupInfo":[{"GroupId":"8"},{"GroupId":"9"}]}}`,
	}
	s := &script{answer: func(api string, q url.Values) any {
		for _, id := range []string{"RuleId", "ParserId", "FirmwareId", "ProductKey", "SuperGroupId"} {
			if q.Get(id) == "8" || q.Get(id) == "a1Gone00001" {
				return &fake.APIError{Code: "iot.any.NotExisted"}
			}
		}
		if q.Get("SuperGroupId") != "" {
			return map[string]any{"Total": 0}
		}
		if text, ok := list[api]; ok {
			return fromJSON(t, text)
		}
		return nil
	}}
	at, ctx := s.client(t).Platform().Source, t.Context()
	got := map[string]int{
		"products": countOf(t, at.Products(ctx)), "rules": countOf(t, at.Rules(ctx)), "parsers": countOf(t, at.Config.Parsers.Parsers(ctx)),
		"updates": countOf(t, at.Config.Jobs.OTAJobs(ctx, meter)), "groups": countOf(t, at.Config.DeviceGroups.DeviceGroups(ctx)),
	}
	want := map[string]int{"products": 1, "rules": 1, "parsers": 1, "updates": 1, "groups": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func countOf[T any](t *testing.T, seq func(func(T, error) bool)) (n int) {
	t.Helper()
	for _, err := range seq {
		if err != nil {
			t.Error(err)
			continue
		}
		n++
	}
	return n
}
