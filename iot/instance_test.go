package iot_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/iot"
)

func view(id string) iot.View {
	return iot.View{
		Info:               iot.InstanceInfo{ID: id},
		Registry:           struct{ iot.Registry }{},
		StateReader:        struct{ iot.StateReader }{},
		TopologyReader:     struct{ iot.TopologyReader }{},
		ForwardingReader:   struct{ iot.ForwardingReader }{},
		ModelReader:        struct{ iot.ModelReader }{},
		ModelVersionReader: struct{ iot.ModelVersionReader }{},
		HistoryReader:      struct{ iot.HistoryReader }{},
	}
}

func instance(id string) iot.Instance {
	return iot.Instance{
		View:       view(id),
		Commander:  struct{ iot.Commander }{},
		Registrar:  struct{ iot.Registrar }{},
		Subscriber: struct{ iot.Subscriber }{},
	}
}

func platform() iot.Platform {
	return iot.Platform{Source: instance(""), Target: instance("iot-060a0001"), Mover: struct{ iot.Mover }{}}
}

func TestPlatformCheckNamesWhatIsMissing(t *testing.T) {
	if err := platform().Check(); err != nil {
		t.Fatalf("a complete platform is refused: %v", err)
	}
	for want, spoil := range map[string]func(*iot.Platform){
		"Mover":                     func(p *iot.Platform) { p.Mover = nil },
		"Target.Info.ID":            func(p *iot.Platform) { p.Target.Info.ID = "" },
		"same instance":             func(p *iot.Platform) { p.Source.Info.ID = p.Target.Info.ID },
		"Source.Registry":           func(p *iot.Platform) { p.Source.Registry = nil },
		"Source.StateReader":        func(p *iot.Platform) { p.Source.StateReader = nil },
		"Source.TopologyReader":     func(p *iot.Platform) { p.Source.TopologyReader = nil },
		"Source.ForwardingReader":   func(p *iot.Platform) { p.Source.ForwardingReader = nil },
		"Source.ModelReader":        func(p *iot.Platform) { p.Source.ModelReader = nil },
		"Source.ModelVersionReader": func(p *iot.Platform) { p.Source.ModelVersionReader = nil },
		"Source.HistoryReader":      func(p *iot.Platform) { p.Source.HistoryReader = nil },
		"Source.Commander":          func(p *iot.Platform) { p.Source.Commander = nil },
		"Source.Registrar":          func(p *iot.Platform) { p.Source.Registrar = nil },
		"Source.Subscriber":         func(p *iot.Platform) { p.Source.Subscriber = nil },
		"Target.Registry":           func(p *iot.Platform) { p.Target.Registry = nil },
		"Target.StateReader":        func(p *iot.Platform) { p.Target.StateReader = nil },
		"Target.TopologyReader":     func(p *iot.Platform) { p.Target.TopologyReader = nil },
		"Target.ForwardingReader":   func(p *iot.Platform) { p.Target.ForwardingReader = nil },
		"Target.ModelReader":        func(p *iot.Platform) { p.Target.ModelReader = nil },
		"Target.ModelVersionReader": func(p *iot.Platform) { p.Target.ModelVersionReader = nil },
		"Target.HistoryReader":      func(p *iot.Platform) { p.Target.HistoryReader = nil },
		"Target.Commander":          func(p *iot.Platform) { p.Target.Commander = nil },
		"Target.Registrar":          func(p *iot.Platform) { p.Target.Registrar = nil },
		"Target.Subscriber":         func(p *iot.Platform) { p.Target.Subscriber = nil },
	} {
		t.Run(want, func(t *testing.T) {
			p := platform()
			spoil(&p)
			expectNamed(t, p.Check(), want)
		})
	}
}

func TestViewCheckNamesWhatIsMissing(t *testing.T) {
	if err := view("").Check(); err != nil {
		t.Fatalf("a complete view is refused: %v", err)
	}
	for want, spoil := range map[string]func(*iot.View){
		"View.Registry":           func(v *iot.View) { v.Registry = nil },
		"View.StateReader":        func(v *iot.View) { v.StateReader = nil },
		"View.TopologyReader":     func(v *iot.View) { v.TopologyReader = nil },
		"View.ForwardingReader":   func(v *iot.View) { v.ForwardingReader = nil },
		"View.ModelReader":        func(v *iot.View) { v.ModelReader = nil },
		"View.ModelVersionReader": func(v *iot.View) { v.ModelVersionReader = nil },
		"View.HistoryReader":      func(v *iot.View) { v.HistoryReader = nil },
	} {
		t.Run(want, func(t *testing.T) {
			v := view("")
			spoil(&v)
			expectNamed(t, v.Check(), want)
		})
	}
}

func TestZeroValuesAreRefused(t *testing.T) {
	expectNamed(t, iot.Platform{}.Check(), "Source.Registry")
	expectNamed(t, iot.View{}.Check(), "View.Registry")
}

func expectNamed(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error of kind %v that names %s", err, iot.Invalid, want)
	}
}

func TestInstanceInfoText(t *testing.T) {
	for want, info := range map[string]iot.InstanceInfo{
		"public instance": {Type: iot.PublicLegacy, Region: "cn-shanghai"},
		"iot-060a0001":    {ID: "iot-060a0001"},
	} {
		if got := info.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What gets a View cannot write, by type: it has none of the methods that change something.
func TestViewsCannotWrite(t *testing.T) {
	view := reflect.TypeFor[iot.View]()
	for _, writer := range []reflect.Type{
		reflect.TypeFor[iot.Mover](), reflect.TypeFor[iot.Commander](), reflect.TypeFor[iot.Registrar](), reflect.TypeFor[iot.Subscriber](),
	} {
		for i := range writer.NumMethod() {
			if name := writer.Method(i).Name; has(view, name) {
				t.Errorf("a View has the method %s of %s", name, writer)
			}
		}
	}
}

func has(t reflect.Type, method string) bool {
	_, ok := t.MethodByName(method)
	return ok
}
