package iot_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
)

func TestCheckProductKey(t *testing.T) {
	for name, test := range map[string]struct {
		key string
		ok  bool
	}{
		"usual":         {"a1B2c3D4e5F", true},
		"digits":        {"01234567890", true},
		"empty":         {"", false},
		"short":         {"a1B2c3D4e5", false},
		"long":          {"a1B2c3D4e5F6", false},
		"hyphen":        {"a1B2c3-4e5F", false},
		"slash":         {"a1B2c3/4e5F", false},
		"wide letters":  {"a1B2c3D4eé", false}, // 11 bytes, 10 characters
		"broken UTF-8":  {"a1B2c3D4e5\xff", false},
		"zero byte":     {"a1B2c3D4e5\x00", false},
		"leading space": {" a1B2c3D4e5", false},
	} {
		t.Run(name, func(t *testing.T) { checkInvalid(t, iot.CheckProductKey(test.key), test.ok) })
	}
}

func TestCheckDeviceName(t *testing.T) {
	for name, test := range map[string]struct {
		device string
		ok     bool
	}{
		"shortest":        {"abcd", true},
		"longest":         {strings.Repeat("x", iot.MaxDeviceNameLen), true},
		"every mark":      {"A-_@.:9z", true},
		"empty":           {"", false},
		"too short":       {"abc", false},
		"too long":        {strings.Repeat("x", iot.MaxDeviceNameLen+1), false},
		"slash":           {"gate/way", false},
		"space":           {"gate way", false},
		"wildcard":        {"gate+#", false},
		"Chinese":         {"网关设备", false},
		"control":         {"gate\nway", false},
		"broken UTF-8":    {"gate\xffway", false},
		"replacement":     {"gate\uFFFDway", false},
		"line separation": {"gate\u2028way", false},
	} {
		t.Run(name, func(t *testing.T) { checkInvalid(t, iot.CheckDeviceName(test.device), test.ok) })
	}
}

func checkInvalid(t *testing.T, err error, ok bool) {
	t.Helper()
	switch {
	case ok && err != nil:
		t.Errorf("refused: %v", err)
	case !ok && !errors.Is(err, iot.Invalid):
		t.Errorf("got %v, want an error of kind %v", err, iot.Invalid)
	}
}

func TestCheckClipsHostileInput(t *testing.T) {
	hostile := strings.Repeat("A", 1<<20)
	_, parse := iot.ParseDeviceID(hostile)
	for _, err := range []error{iot.CheckProductKey(hostile), iot.CheckDeviceName(hostile), parse} {
		if err == nil || len(err.Error()) > 200 {
			t.Errorf("a name of 1 MB makes an error of %d bytes", len(err.Error()))
		}
	}
}

func TestDeviceIDCheckNamesThePart(t *testing.T) {
	for want, id := range map[string]iot.DeviceID{
		"product key": {ProductKey: "short", DeviceName: "device-1"},
		"device name": {ProductKey: "a1B2c3D4e5F", DeviceName: "d"},
	} {
		if err := id.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error about the %s", id, err, want)
		}
	}
}

func TestParseDeviceID(t *testing.T) {
	for text, want := range map[string]iot.DeviceID{
		"a1B2c3D4e5F/device-1":  {ProductKey: "a1B2c3D4e5F", DeviceName: "device-1"},
		"a1B2c3D4e5F/@.:-_":     {ProductKey: "a1B2c3D4e5F", DeviceName: "@.:-_"},
		"":                      {},
		"/":                     {},
		"a1B2c3D4e5F":           {},
		"a1B2c3D4e5F/":          {},
		"/device-1":             {},
		"a1B2c3D4e5F/dev/ice":   {},
		"a1B2c3D4e5F/device-1/": {},
		"/a1B2c3D4e5F/device-1": {},
		"a1B2c3D4e5F/device-1 ": {},
	} {
		got, err := iot.ParseDeviceID(text)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		checkInvalid(t, err, !want.IsZero())
	}
}

func FuzzParseDeviceID(f *testing.F) {
	for _, seed := range []string{"a1B2c3D4e5F/device-1", "a1B2c3D4e5F/@.:-_", "/", "", "a1B2c3D4e5F//", "a1B2c3D4e5\xff/dev\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := iot.ParseDeviceID(text)
		if err != nil {
			checkInvalid(t, err, false)
			if !id.IsZero() {
				t.Errorf("%q: refused, and yet it is %v", text, id)
			}
			return
		}
		if err := id.Check(); err != nil {
			t.Errorf("%q: accepted, but %v", text, err)
		}
		if id.String() != text {
			t.Errorf("%q reads as %q", text, id)
		}
	})
}

func TestDeviceIDCompare(t *testing.T) {
	sorted := []iot.DeviceID{
		{}, {"a1", ""}, {"a1", "b"}, {"a1", "ba"}, {"a1", "c"}, {"a10", "a"}, {"b", "A"}, {"b", "a"},
	}
	for i, a := range sorted {
		for j, b := range sorted {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v.Compare(%v) = %d, want %d", a, b, got, want)
			}
		}
	}
	if !slices.IsSortedFunc(sorted, iot.DeviceID.Compare) {
		t.Error("Compare does not fit package slices")
	}
}
