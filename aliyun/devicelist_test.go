package aliyun_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

func TestReadDevices(t *testing.T) {
	of := func(names ...string) (out []iot.DeviceID) {
		for _, name := range names {
			out = append(out, iot.DeviceID{ProductKey: meter, DeviceName: name})
		}
		return out
	}
	only := func(names ...string) (out []iot.DeviceID) {
		for _, name := range names {
			out = append(out, iot.DeviceID{DeviceName: name})
		}
		return out
	}
	for name, test := range map[string]struct {
		text   string
		format aliyun.DeviceListFormat
		want   []iot.DeviceID
	}{
		"plain":                      {"ProductKey,DeviceName\na1Meter0001,m-0001\na1Meter0001,m-0002\n", aliyun.DeviceListFormat{}, of("m-0001", "m-0002")},
		"another order":              {"DeviceName,Status,ProductKey\nm-0001,ONLINE,a1Meter0001\n", aliyun.DeviceListFormat{}, of("m-0001")},
		"names only":                 {"DeviceName\nm-0001\nm-0002", aliyun.DeviceListFormat{}, only("m-0001", "m-0002")},
		"headers as people write":    {"product_key, device name \na1Meter0001,m-0001\n", aliyun.DeviceListFormat{}, of("m-0001")},
		"Chinese headers":            {"设备名称,产品Key\nm-0001,a1Meter0001\n", aliyun.DeviceListFormat{}, of("m-0001")},
		"byte order mark, CR and LF": {"\ufeffDeviceName,ProductKey\r\nm-0001,a1Meter0001\r\n\r\nm-0002,a1Meter0001\r\n", aliyun.DeviceListFormat{}, of("m-0001", "m-0002")},
		"quotes":                     {"\"DeviceName\",Nickname,\"ProductKey\"\n\"m-0001\",\"two\nlines, \"\"quoted\"\"\",a1Meter0001\n", aliyun.DeviceListFormat{}, of("m-0001")},
		"semicolons":                 {"DeviceName;ProductKey\nm-0001;a1Meter0001\n", aliyun.DeviceListFormat{}, of("m-0001")},
		"tabs":                       {"DeviceName\tProductKey\nm-0001\ta1Meter0001\n", aliyun.DeviceListFormat{}, of("m-0001")},
		"bars, as told":              {"DeviceName|ProductKey\nm-0001|a1Meter0001\n", aliyun.DeviceListFormat{Comma: '|'}, of("m-0001")},
		"columns, as told":           {"Gerät,PK,DeviceName\nm-0001,a1Meter0001,other\n", aliyun.DeviceListFormat{DeviceName: []string{"gerät"}, ProductKey: []string{"pk"}}, of("m-0001")},
		"spaces around":              {"DeviceName , ProductKey\n m-0001\t, a1Meter0001 \n", aliyun.DeviceListFormat{}, of("m-0001")},
		"rows of many lengths":       {"DeviceName,ProductKey\nm-0001,a1Meter0001,x,y\nm-0002\n", aliyun.DeviceListFormat{}, append(of("m-0001"), only("m-0002")...)},
		"no rows":                    {"DeviceName\n", aliyun.DeviceListFormat{}, nil},
		"names of all characters":    {"DeviceName\naB0-_@.:\n", aliyun.DeviceListFormat{}, only("aB0-_@.:")},
	} {
		t.Run(name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(test.text), "byte by byte": iotest.OneByteReader(strings.NewReader(test.text))} {
				got := all(aliyun.ReadDevices(r, test.format))
				want := said{Value: test.want}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
			}
		})
	}
}

func TestReadDevicesRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		format aliyun.DeviceListFormat
		words  []string // in the error
	}{
		"an empty file":      {"", aliyun.DeviceListFormat{}, []string{"line 1", "name the columns"}},
		"only a mark":        {"\ufeff", aliyun.DeviceListFormat{}, []string{"line 1", "name the columns"}},
		"no such column":     {"IotId,Nickname\n1,2\n", aliyun.DeviceListFormat{}, []string{"line 1", "DeviceListFormat.DeviceName"}},
		"not UTF-8":          {"\xc9\xe8\xb1\xb8\xc3\xfb\xb3\xc6\nm-0001\n", aliyun.DeviceListFormat{}, []string{"line 1", "UTF-8"}},
		"a column twice":     {"DeviceName,Device Name\nm-0001,m-0002\n", aliyun.DeviceListFormat{}, []string{"columns 1 and 2", "DeviceListFormat.DeviceName"}},
		"a short row":        {"ProductKey,DeviceName\na1Meter0001,m-0001\na1Meter0001\n", aliyun.DeviceListFormat{}, []string{"line 3", "column 2"}},
		"no device name":     {"DeviceName,x\nm-0001,1\n,1\n", aliyun.DeviceListFormat{}, []string{"line 3", "device name", "export"}},
		"a spoilt name":      {"DeviceName\n8.61E+14\n", aliyun.DeviceListFormat{}, []string{"line 2", `"8.61E+14"`}},
		"a spoilt key":       {"DeviceName,ProductKey\n\nm-0001,a1\n", aliyun.DeviceListFormat{}, []string{"line 3", `"a1"`}},
		"an open quote":      {"DeviceName\nm-0001\n\"m-0002\nm-0003\n", aliyun.DeviceListFormat{}, []string{"line 3", "CSV"}},
		"a quote in a field": {"DeviceName\nm-\"0002\n", aliyun.DeviceListFormat{}, []string{"line 2", "CSV"}},
		"an endless row":     {"DeviceName\nm-0001\n\"" + strings.Repeat("x\n", 1<<20), aliyun.DeviceListFormat{}, []string{"after line 2", "quote"}},
		"a newline as comma": {"DeviceName\n", aliyun.DeviceListFormat{Comma: '\n'}, []string{"DeviceListFormat.Comma"}},
	} {
		t.Run(name, func(t *testing.T) {
			var last error
			for id, err := range aliyun.ReadDevices(strings.NewReader(test.text), test.format) {
				if last != nil {
					t.Errorf("%v, %v after the error", id, err)
				}
				last = err
			}
			expectKind(t, "the list", last, iot.Invalid)
			for _, word := range test.words {
				if last != nil && !strings.Contains(last.Error(), word) {
					t.Errorf("%q does not say %q", last, word)
				}
			}
		})
	}
}

func TestReadDevicesPassesErrorsOn(t *testing.T) {
	broken := errors.New("the disk is gone")
	text := "DeviceName\n" + strings.Repeat("m-0001\n", 20_000)
	for _, at := range []int{0, 100, 100_000} {
		r := io.MultiReader(strings.NewReader(text[:at]), iotest.ErrReader(broken))
		var last error
		for _, err := range aliyun.ReadDevices(r, aliyun.DeviceListFormat{}) {
			last = err
		}
		if !errors.Is(last, broken) {
			t.Errorf("broken after %d bytes: got %v", at, last)
		}
	}
}

// A row is bounded, a list is not.
func TestReadDevicesOfALongList(t *testing.T) {
	const rows = 200_000
	n := 0
	for _, err := range aliyun.ReadDevices(strings.NewReader("DeviceName\n"+strings.Repeat("m-0000001\n", rows)), aliyun.DeviceListFormat{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}

// A break ends the reading.
func TestReadDevicesStops(t *testing.T) {
	n := 0
	for range aliyun.ReadDevices(strings.NewReader("DeviceName\n"+strings.Repeat("m-0001\n", 100)), aliyun.DeviceListFormat{}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d rows", n)
	}
}

// deviceList returns a list that is read from a text, and counts what was opened and not closed.
func deviceList(text string, open *int) aliyun.DeviceList {
	return aliyun.DeviceList{Open: func() (io.ReadCloser, error) {
		*open++
		return closing{strings.NewReader(text), open}, nil
	}}
}

type closing struct {
	io.Reader
	open *int
}

func (c closing) Close() error { *c.open--; return nil }

func csvOf(names ...string) string { return "DeviceName\n" + strings.Join(names, "\n") + "\n" }

func TestWithDeviceLists(t *testing.T) {
	w := newWorld(t, migratetest.Generate(migratetest.GenerateOptions{Direct: 120, PreRegistered: 3, OfflineEvery: 4}), fake.Options{Quotas: fake.NoQuotas})
	source := openClient(t, testConfig(w.serve(t))).Platform().Source.View
	var whole []string
	for i := range 120 {
		whole = append(whole, fmt.Sprintf("direct-%04d", i))
	}
	other := "ProductKey,DeviceName\na1Other0001,x-0001\n"
	for name, test := range map[string]struct {
		text    string
		partial bool
		devices int
		err     string
	}{
		"whole":                  {text: csvOf(whole...), devices: 120},
		"twice the same":         {text: csvOf(append(whole, whole...)...), devices: 120},
		"devices that are gone":  {text: csvOf(append(whole, "gone-0001", "gone-0002")...), devices: 120},
		"too few":                {text: csvOf(whole[:119]...), devices: 119, err: "conflict "},
		"too few, but partial":   {text: csvOf(whole[:70]...), devices: 70, partial: true},
		"of another product":     {text: other, err: "conflict "},
		"not to be read":         {text: csvOf("direct-0000", "!"), err: "invalid "},
		"nothing, but partially": {text: csvOf(), partial: true},
	} {
		t.Run(name, func(t *testing.T) {
			open := 0
			list := deviceList(test.text, &open)
			list.Partial = test.partial
			view := aliyun.WithDeviceLists(source, map[string]aliyun.DeviceList{migratetest.DirectProduct: list})
			var got []iot.Device
			var last error
			for d, err := range view.Devices(t.Context(), migratetest.DirectProduct) {
				if last = err; err == nil {
					got = append(got, d)
				}
			}
			if s := saidBy(0, last); s.Error != test.err || len(got) != test.devices {
				t.Errorf("%d devices, %v", len(got), last)
			}
			for i, d := range got {
				want := iot.Device{ID: iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: whole[i]}, Status: iot.Online}
				if i%4 == 3 {
					want.Status = iot.Offline
				}
				if d != want {
					t.Fatalf("device %d is %+v, want %+v", i, d, want)
				}
			}
			if open != 0 {
				t.Errorf("%d files are open", open)
			}
		})
	}
}

func TestWithDeviceListsElse(t *testing.T) {
	w := newWorld(t, migratetest.Generate(migratetest.GenerateOptions{Direct: 120, PreRegistered: 3}), fake.Options{Quotas: fake.NoQuotas})
	source := openClient(t, testConfig(w.serve(t))).Platform().Source.View
	open := 0
	lists := map[string]aliyun.DeviceList{migratetest.DirectProduct: deviceList(csvOf("direct-0000"), &open), "a1Nothing01": deviceList(csvOf("x-0001"), &open)}
	view := aliyun.WithDeviceLists(source, lists)
	delete(lists, migratetest.DirectProduct) // it has its own
	if got := all(view.Devices(t.Context(), migratetest.PreRegisteredProduct)); cmp.Diff(all(source.Devices(t.Context(), migratetest.PreRegisteredProduct)), got) != "" {
		t.Errorf("a product without a list: %+v", got)
	}
	if got := all(view.Devices(t.Context(), "a1Nothing01")); got.Error != "not found iot.prod.NotExistedProduct" {
		t.Errorf("a product that is not there: %+v", got)
	}
	for range view.Devices(t.Context(), migratetest.DirectProduct) {
		break
	}
	if open != 0 {
		t.Errorf("%d files are open", open)
	}
	missing := aliyun.WithDeviceLists(source, map[string]aliyun.DeviceList{migratetest.DirectProduct: {Open: func() (io.ReadCloser, error) {
		return os.Open(filepath.Join(t.TempDir(), "no-such-file.csv"))
	}}})
	for _, err := range missing.Devices(t.Context(), migratetest.DirectProduct) {
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), migratetest.DirectProduct) {
			t.Errorf("no such file: %v", err)
		}
	}
	if err := view.Check(); err != nil {
		t.Error(err)
	}
}

// FuzzReadDevices reads anything: what it accepts are names that can be, as many as there are rows.
func FuzzReadDevices(f *testing.F) {
	for _, text := range []string{
		csvOf("m-0001", "m-0002"), "\ufeffDeviceName;ProductKey\r\nm-0001;a1Meter0001\r\n", "设备名称\t产品Key\nm-0001\ta1Meter0001",
		"DeviceName,x\n\"m-0001\",\"a\nb\"\n", "", "\"", "DeviceName\n\"", "DeviceName,DeviceName\n", "\xff\xfeD\x00", "DeviceName\n\x00\n",
	} {
		f.Add([]byte(text), byte(0))
	}
	f.Add([]byte("DeviceName|ProductKey\nm-0001|a1Meter0001\n"), byte('|'))
	f.Fuzz(func(t *testing.T, text []byte, comma byte) {
		var got []iot.DeviceID
		var last error
		for id, err := range aliyun.ReadDevices(bytes.NewReader(text), aliyun.DeviceListFormat{Comma: rune(comma)}) {
			if last != nil {
				t.Fatalf("%v, %v after an error", id, err)
			}
			if last = err; err != nil {
				continue
			}
			if iot.CheckDeviceName(id.DeviceName) != nil || id.ProductKey != "" && iot.CheckProductKey(id.ProductKey) != nil {
				t.Fatalf("%v can be no device", id)
			}
			got = append(got, id)
		}
		if last != nil && iot.KindOf(last) != iot.Invalid {
			t.Fatalf("an error of kind %v: %v", iot.KindOf(last), last)
		}
		var out strings.Builder // what was read can be written and read again
		rows := csv.NewWriter(&out)
		_ = rows.Write([]string{"DeviceName", "ProductKey"})
		for _, id := range got {
			_ = rows.Write([]string{id.DeviceName, id.ProductKey})
		}
		rows.Flush()
		var again []iot.DeviceID
		for id, err := range aliyun.ReadDevices(strings.NewReader(out.String()), aliyun.DeviceListFormat{}) {
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, id)
		}
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("-first +again:\n%s", diff)
		}
	})
}
