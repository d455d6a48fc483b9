package tslsync_test

import (
	"context"
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

// versions are those of one instance.
type versions map[string]json.RawMessage

func (v versions) ModelVersions(context.Context, string) (list []iot.ModelVersion, err error) {
	if len(v) == 0 {
		return nil, iot.NotFound
	}
	for name := range v {
		list = append(list, iot.ModelVersion{Version: name})
	}
	return list, nil
}

func (v versions) ThingModelVersion(_ context.Context, _, version string) (json.RawMessage, error) {
	if v[version] == nil {
		return nil, iot.Transient
	}
	return v[version], nil
}

func TestReadVersions(t *testing.T) {
	want := versions{"1": modelWithMax("1"), "2": modelWithMax("2")}
	got, err := tslsync.ReadVersions(t.Context(), want, "a1Meter0001")
	if diff := cmp.Diff(map[string]json.RawMessage(want), got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for kind, v := range map[iot.Kind]versions{iot.NotFound: {}, iot.Transient: {"3": nil}} {
		if _, err := tslsync.ReadVersions(t.Context(), v, "a1Meter0001"); !errors.Is(err, kind) || !strings.Contains(err.Error(), "a1Meter0001") {
			t.Errorf("%v, want %v", err, kind)
		}
	}
}
