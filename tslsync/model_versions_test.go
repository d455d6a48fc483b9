package tslsync_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

func modelWithMax(most string) json.RawMessage {
	return json.RawMessage(`{"profile": {"productKey": "a1Meter0001"}, "properties": [{"identifier": "Power", "accessMode": "r",
		"dataType": {"type": "int", "specs": {"max": "` + most + `"}}}]}`)
}

func TestDiffVersions(t *testing.T) {
	source := map[string]json.RawMessage{"900": modelWithMax("1"), "1000": modelWithMax("2"), "1100": modelWithMax("3"), "v": modelWithMax("4")}
	target := map[string]json.RawMessage{"900": modelWithMax("1.0"), "1100": modelWithMax("4"), "1200": modelWithMax("5"), "v": modelWithMax("4")}
	got, err := tslsync.DiffVersions(source, target)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, v := range got {
		lines = append(lines, fmt.Sprintf("%s %v %v %v %d", v.Version, v.AtSource, v.AtTarget, v.Same(), len(v.Changes)))
	}
	want := []string{"900 true true true 0", "1000 true false false 0", "1100 true true false 1", "1200 false true false 0", "v true true true 0"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestDiffVersionsErrors(t *testing.T) {
	good, bad := modelWithMax("1"), modelWithMax("x")
	for _, test := range []struct {
		source, target json.RawMessage
		want           string
	}{{bad, good, `version "7" at the source: `}, {good, bad, `version "7" at the target: `}} {
		_, err := tslsync.DiffVersions(map[string]json.RawMessage{"7": test.source}, map[string]json.RawMessage{"7": test.target})
		if !errors.Is(err, iot.Invalid) || !strings.HasPrefix(fmt.Sprint(err), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if got, err := tslsync.DiffVersions(nil, nil); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
