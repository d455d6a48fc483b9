package migrate

import (
	"reflect"
	"slices"
	"testing"
)

// TestImageHasAllFields fails when a field was added that no image holds: name it in fields, or here, with the reason.
func TestImageHasAllFields(t *testing.T) {
	l := &lane{back: &wayBack{}}
	imaged(t, l, l.fields(),
		"plan", "limits", "deadlines", "first", "family", // follow from the plan
		"index", "whole", // find devices, and are made anew
		"counts", "sleeping", "failedThere", "offline", "offlineFailed", // follow from the devices
	)
	imaged(t, l.back, l.back.fields())
	imaged(t, &l.wait, l.wait.fields())
	imaged(t, &l.strayed, l.strayed.fields())
	m := &movedWave{}
	imaged(t, m, m.fields())
	imaged(t, &l.wait.look, l.wait.look.fields())

	var names []string
	for f := range reflect.TypeFor[device]().Fields() {
		names = append(names, f.Name)
	}
	if want := []string{"call", "counted", "state", "passed", "attempts", "asleep", "there", "away"}; !slices.Equal(names, want) {
		t.Errorf("a device has the fields %q; devices.MarshalJSON and UnmarshalJSON know %q", names, want)
	}
	names = nil
	for f := range reflect.TypeFor[State]().Fields() {
		names = append(names, f.Name)
	}
	if want := []string{"plan", "lanes", "byID", "seq", "fence", "bound", "header", "ended", "began", "latest"}; !slices.Equal(names, want) {
		t.Errorf("a state has the fields %q; stateImage knows %q", names, want)
	}
}

func imaged(t *testing.T, of any, fields []field, derived ...string) {
	t.Helper()
	v := reflect.ValueOf(of).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		at := slices.IndexFunc(fields, func(f field) bool {
			return reflect.ValueOf(f.at).Pointer() == v.Field(i).Addr().Pointer() && f.name == name
		})
		if held := at >= 0; held == slices.Contains(derived, name) {
			t.Errorf("%s.%s: in an image: %t", v.Type().Name(), name, held)
		}
	}
	if len(fields)+len(derived) != v.NumField() {
		t.Errorf("%s has %d fields, %d are in images and %d derived", v.Type().Name(), v.NumField(), len(fields), len(derived))
	}
}
