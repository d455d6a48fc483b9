package iot_test

import (
	"testing"

	"github.com/iotferry/iotferry/iot"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"Water meter":         "Water meter",
		"水表 'ü'":              "水表 'ü'",
		"a\x1b[2Jb\nc\td\x00": `a\x1b[2Jb\nc\td\x00`,
		"\xff":                `\ufffd`,
		"\u202e":              `\u202e`,
	} {
		if got := iot.Printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
