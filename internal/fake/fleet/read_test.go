package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

var compareSecrets = cmp.Comparer(func(a, b iot.Secret) bool { return a == b })

func TestReadAll(t *testing.T) {
	product := func(key, name, instance string, node iot.NodeType, auth iot.Auth, network iot.Network) fleet.Product {
		return fleet.Product{Key: key, Name: name, Instance: instance, NodeType: node, Auth: auth, DataFormat: iot.Custom, Network: network}
	}
	hush, gate := iot.NewSecret("hush"), iot.DeviceID{ProductKey: "a1Gateway01", DeviceName: "gate-1"}
	want := &fleet.Fleet{
		Account:   fleet.Account{UID: "1098", Region: "cn-shanghai", AccessKeyID: "testId", AccessKeySecret: hush},
		Instances: []fleet.Instance{{Type: iot.PublicLegacy}, {ID: "iot-1", Type: iot.EnterpriseStandard, OnlineQuota: 20}},
		Products: []fleet.Product{
			product("a1Gateway01", "Gateway", "", iot.Gateway, iot.AuthX509, iot.Ethernet),
			product("a1Gateway02", "Gateway", "iot-1", iot.Gateway, iot.AuthID2, iot.Ethernet),
			product("a1Climate01", "Climate", "", iot.SubDevice, iot.AuthX509, iot.OtherNet),
			{
				Key: "a1Meter0001", Name: "Meter", NodeType: iot.Direct, Auth: iot.AuthPerProductPreregistered, Secret: hush,
				DataFormat: iot.Alink, Network: iot.WiFi, Features: []iot.Feature{iot.Video, iot.Edge},
				TSL: json.RawMessage(`{"schema": "x", "profile": {"productKey": "a1Meter0001"}, "properties": [{"a": 1.5}], "events": [], "services": [null]}`),
				Forwarding: []fleet.Forwarding{
					{Type: fleet.Rule, Name: "to_table", Topic: "/+/user/update", Actions: []string{"OTS", "FC"}},
					{Type: fleet.AMQP, ConsumerGroup: "GROUP", Events: []iot.Event{iot.DeviceData, iot.StatusChange, iot.Lifecycle, iot.TopologyChange}},
					{Type: fleet.MNS, Queue: "meters", Events: []iot.Event{iot.DeviceData}},
				},
				History: &fleet.History{Seed: 1<<64 - 1, Days: 30, EveryMinutes: 1440},
			},
		},
		Devices: []fleet.Device{
			{ID: iot.DeviceID{ProductKey: "a1Climate01", DeviceName: "climate-1"}, Status: iot.Disabled, Gateway: gate, Reconnects: true},
			{ID: gate, Status: iot.Online, Reconnects: true},
			{ID: iot.DeviceID{ProductKey: "a1Gateway02", DeviceName: "gate-2"}, Status: iot.Offline, Reconnects: true},
			{
				ID: iot.DeviceID{ProductKey: "a1Meter0001", DeviceName: "meter-1"}, Secret: hush, Status: iot.Unactive,
				Distributed: true, Labels: map[string]string{"site": "hangzhou", "": "no name", "two words": "x"},
			},
		},
		ConsumerGroups: []fleet.ConsumerGroup{{ID: "GROUP", Name: "group"}, {ID: "GROUP", Name: "group", Instance: "iot-1"}, {ID: "OTHER", Name: "group", Instance: "iot-1"}},
	}
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "data with EOF": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fleet.Read(wrap(strings.NewReader(base)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, compareSecrets); diff != "" {
				t.Error("-want +got:\n" + diff)
			}
		})
	}
}

func TestInstances(t *testing.T) {
	f, err := read(base)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Legacy(); got != f.Instances[0] {
		t.Errorf("Legacy: got %v, want %v", got, f.Instances[0])
	}
	if got, ok := f.Target(); !ok || got != f.Instances[1] {
		t.Errorf("Target: got %v, %v, want %v, true", got, ok, f.Instances[1])
	}
}

func TestLeastFleet(t *testing.T) {
	f, err := read(`{"version": 1, "account": {"uid": "1", "region": "r", "accessKeyId": "i", "accessKeySecret": "s"},
		"instances": [{"id": "", "type": "public-legacy"}], "products": [], "devices": []}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := f.Target(); ok {
		t.Errorf("Target: got %v, true, want none", got)
	}
}

func TestBrokenText(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":          {"", "line 1, byte 0: there is nothing in the file"},
		"white space":      {" \n\n ", "line 3, byte 4: there is nothing in the file"},
		"null":             {"null", "line 1, byte 4: null where an object is wanted"},
		"text at the top":  {`"x"`, "line 1, byte 3: text where an object is wanted"},
		"comment":          {"{\n// x\n}", "line 2, byte 2: not JSON: invalid character '/'"},
		"byte order mark":  {"\ufeff{}", "line 1, byte 0: not JSON: invalid character 'ï' looking for beginning of value"},
		"comma at the end": {"{\"version\": 1,\n}", "line 2, byte 15: not JSON: invalid character '}' looking for beginning of object key string"},
		"no colon":         {"{\"version\"\n1}", "line 2, byte 11: not JSON: invalid character '1' after object key"},
		"no comma":         {"{\"version\": 1\n\"account\": {}}", "line 2, byte 14: not JSON: invalid character '\"' after object key:value pair"},
		"second document":  {base + "\n{}", "there is more after the end"},
		"brace at the end": {base + "}", "there is more after the end"},
		"NUL at the end":   {base + "\x00", "there is more after the end"},
		"cut in a name":    {"{\n\"vers", "line 2, byte 7: the text ends inside a value: is the file cut off?"},
		"cut in a list":    {"{\"devices\": [", "line 1, byte 13: the text ends inside a value: is the file cut off?"},
		"Latin-1":          {"{\n\"M\xfcller\": 1}", "line 2, byte 4: the text is not UTF-8: save the file in UTF-8"},
		"overlong":         {"{\"\xc0\xaf\": 1}", "line 1, byte 2: the text is not UTF-8: save the file in UTF-8"},
		"raw surrogate":    {"{\"\xed\xa0\x80\": 1}", "line 1, byte 2: the text is not UTF-8: save the file in UTF-8"},
		"control byte":     {"{\"\n\": 1}", "line 1, byte 1: not JSON: invalid character '\\n' in string literal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// The text may be cut anywhere, in a character too: it is never a fleet, and the reader says how far it came.
func TestCutAnywhere(t *testing.T) {
	text := strings.Replace(base, "hangzhou", "杭州🚀", 1)
	end := strings.LastIndexByte(text, '}')
	for i := range end + 1 {
		for _, r := range []io.Reader{strings.NewReader(text[:i]), iotest.OneByteReader(strings.NewReader(text[:i]))} {
			_, err := fleet.Read(r)
			e, ok := errors.AsType[*fleet.Error](err)
			if !ok || e.Path != "" || e.Line != 1+strings.Count(text[:i], "\n") {
				t.Fatalf("cut at byte %d: got %v, want an error with the last line", i, err)
			}
		}
	}
	if _, err := read(text[:end+1]); err != nil {
		t.Errorf("the whole text: %v", err)
	}
}

// A byte that is not UTF-8 is found wherever it stands, also where reads part a character.
func TestNotUTF8Anywhere(t *testing.T) {
	text := `{"é世🚀": 1}`
	for i := 2; i < 11; i++ {
		broken := text[:i] + "\xff" + text[i+1:]
		for _, r := range []io.Reader{strings.NewReader(broken), iotest.OneByteReader(strings.NewReader(broken))} {
			_, err := fleet.Read(r)
			if err == nil || !strings.Contains(err.Error(), "the text is not UTF-8") {
				t.Errorf("byte %d: got %v, want it to be no UTF-8", i, err)
			}
		}
	}
}

func TestReaderFails(t *testing.T) {
	cause := errors.New("disk on fire")
	for _, n := range []int{0, 1, 700, len(base)} {
		_, err := fleet.Read(io.MultiReader(strings.NewReader(base[:n]), iotest.ErrReader(cause)))
		if !errors.Is(err, cause) {
			t.Errorf("after %d bytes: got %v, want the reader's own error", n, err)
		}
		if e, ok := errors.AsType[*fleet.Error](err); ok {
			t.Errorf("after %d bytes: got %v, which blames the file", n, e)
		}
	}
}

func TestNesting(t *testing.T) {
	nested := func(n int) string { return `[` + strings.Repeat(`[`, n) + strings.Repeat(`]`, n) + `]` }
	if _, err := read(change(t, `[{"a": 1.5}]`, nested(90))); err != nil {
		t.Errorf("90 deep: %v", err)
	}
	for _, n := range []int{101, 20_000, 2_000_000} {
		_, err := read(change(t, `[{"a": 1.5}]`, nested(n)))
		if err == nil || !strings.Contains(err.Error(), "nested deeper than 100 levels") {
			t.Errorf("%d deep: got %v, want a limit", n, err)
		}
	}
	for _, open := range []string{`[`, `{"version":`} {
		if _, err := read(strings.Repeat(open, 1_000_000)); err == nil {
			t.Errorf("a million of %s: accepted", open)
		}
	}
}

// The thing model is kept as it is written, whatever else has been read before.
func TestModelVerbatim(t *testing.T) {
	for _, model := range []string{
		"{\n  \"profile\" : {\"productKey\":\"a1Meter0001\"},\n  \"_ppk\": {\"n\": [1e400, -0.50, \"\\u0041\", null, {}]}\n}",
		`{"profile":{"productKey":"a1Meter0001"},"big":"` + strings.Repeat("世", 5000) + `"}`,
	} {
		const old = `{"schema": "x", "profile": {"productKey": "a1Meter0001"}, "properties": [{"a": 1.5}], "events": [], "services": [null]}`
		for _, space := range []string{"", " \n\t"} {
			text := change(t, `"tsl": `+old, `"tsl"`+space+":"+space+model+space)
			f, err := fleet.Read(iotest.HalfReader(strings.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(f.Products[3].TSL); got != model {
				t.Errorf("got %s\nwant %s", got, model)
			}
		}
	}
}

// No secret of the file gets into an error about it.
func TestNoSecretInErrors(t *testing.T) {
	for _, test := range refused {
		text := strings.ReplaceAll(change(t, test.old, test.new), "hush", "DontTellIt")
		if _, err := read(text); err == nil || strings.Contains(fmt.Sprintf("%v %#v", err, err), "DontTellIt") {
			t.Errorf("%s: got %v, want an error without the secret", test.name, err)
		}
	}
}

// A long text of a file does not flood the error, and a hostile one does not reach the terminal.
func TestErrorsAreTame(t *testing.T) {
	places := []struct{ old, format string }{
		{`"region"`, `"%s"`},
		{`"alink"`, `"%s"`},
		{`"/+/user/update"`, `"%s"`},
		{`"onlineQuota": 20`, `"onlineQuota": 20, "%s": 1`},
		{`"1098"`, `"%s"`},
		{`"meter-1"`, `"%s"`},
		{`"a1Gateway01/gate-1"`, `"%s"`},
		{`"a1Gateway01/gate-1"`, `"a1Gateway01/%s"`},
		{`"consumerGroup": "GROUP"`, `"consumerGroup": "%s"`},
		{`"OTHER", "name": "group", "instance": "iot-1"`, `"OTHER", "name": "group", "instance": "%s"`},
		{`{"id": "", "type"`, `{"id": "%s", "type"`},
		{`{"productKey": "a1Meter0001"}`, `{"productKey": "%s"}`},
	}
	for _, text := range []string{strings.Repeat("世", 100_000), `\u001b[31m`, `\n\u202e`} {
		for _, place := range places {
			_, err := read(change(t, place.old, fmt.Sprintf(place.format, text)))
			if err == nil || len(err.Error()) > 500 || strings.ContainsFunc(err.Error(), notGraphic) {
				t.Errorf("%s: got %.300q, want a short plain error", place.old, fmt.Sprint(err))
			}
		}
	}
	if _, err := read(change(t, `"onlineQuota": 20`, `"onlineQuota": `+strings.Repeat("9", 100_000))); len(err.Error()) > 500 {
		t.Errorf("long number: got an error of %d bytes", len(err.Error()))
	}
}

func notGraphic(r rune) bool { return !unicode.IsGraphic(r) }
