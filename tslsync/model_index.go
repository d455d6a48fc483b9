package tslsync

// An Index finds the data types of a model by identifier. The identifier of what a block defines is "block:identifier".
// An Index does not change, so that several goroutines may use it.
type Index struct {
	properties, events, inputs, outputs map[string]DataType
}

// NewIndex reads a model, which must not change afterwards.
func NewIndex(m *Model) *Index {
	x := &Index{
		properties: map[string]DataType{}, events: map[string]DataType{},
		inputs: map[string]DataType{}, outputs: map[string]DataType{},
	}
	x.add("", m.Features)
	for _, b := range m.Blocks {
		x.add(b.Identifier+":", b.Features)
	}
	return x
}

func (x *Index) add(prefix string, f Features) {
	for _, p := range f.Properties {
		x.properties[prefix+p.Identifier] = p.Type
	}
	for _, e := range f.Events {
		x.events[prefix+e.Identifier] = DataType{Kind: Struct, Fields: e.Output}
	}
	for _, s := range f.Services {
		x.inputs[prefix+s.Identifier] = DataType{Kind: Struct, Fields: s.Input}
		x.outputs[prefix+s.Identifier] = DataType{Kind: Struct, Fields: s.Output}
	}
}

// Property returns the data type of a property; false if the model has none of that identifier.
func (x *Index) Property(identifier string) (DataType, bool) {
	t, ok := x.properties[identifier]
	return t, ok
}

// Event returns the output of an event, as one struct.
func (x *Index) Event(identifier string) (DataType, bool) {
	t, ok := x.events[identifier]
	return t, ok
}

// ServiceInput returns the arguments of a service, as one struct.
func (x *Index) ServiceInput(identifier string) (DataType, bool) {
	t, ok := x.inputs[identifier]
	return t, ok
}

// ServiceOutput returns the answer of a service, as one struct.
func (x *Index) ServiceOutput(identifier string) (DataType, bool) {
	t, ok := x.outputs[identifier]
	return t, ok
}
