package tslsync

import "encoding/json"

// A Model is a thing model as a product publishes it. Its lists are in the order of the JSON that [Parse] read, in which
// no identifier stands twice; [Diff] does not look at the order. A Model is not changed by this package, so that several
// goroutines may use it.
type Model struct {
	Schema     string // where the platform keeps the schema of thing models; may be empty
	ProductKey string
	Version    string // as the platform writes it; may be empty
	// Description is that of the version, which only ThingModelJson has.
	Description string
	Features
	Blocks []Block     // the product's own modules, besides the default module
	Extra  ExtraFields // what stands beside the known fields
}

// Features are what a module of a thing model defines.
type Features struct {
	Properties []Property
	Events     []Event
	Services   []Service
}

// A Block is a function block, also called a module: features under a name of their own. Its features are addressed as
// "block:identifier". The platform may list a block without its features, which then are empty.
type Block struct {
	Identifier string // functionBlockId
	Name       string
	Features
	Extra ExtraFields
}

// A Property is what a device reports and, if its mode says so, what a server may set.
type Property struct {
	Parameter
	Access   Access
	Required bool            // the standard features of the product's category demand it
	Extended json.RawMessage // the extended TSL (extendConfig), in the form of [ExtraFields]
}

// An Event is what a device reports when it happens. The event "post" is the report of the properties.
type Event struct {
	Identifier, Name, Description string

	Type     EventType
	Method   string // thing.event.ID.post
	Required bool
	Output   []Parameter
	Extended json.RawMessage
	Extra    ExtraFields
}

// A Service is what a server may call. The services "set" and "get" are those of the properties.
type Service struct {
	Identifier, Name, Description string

	Call     CallType
	Method   string // thing.service.ID
	Required bool
	Input    []Parameter
	Output   []Parameter
	Extended json.RawMessage
	Extra    ExtraFields
}

// A Parameter is a named value: of a struct, an event or a service, and what all properties are. The input of the service
// "get" has names alone: their Type is empty.
type Parameter struct {
	Identifier, Name, Description string

	Type  DataType
	Extra ExtraFields
}

// A DataType says which values there are. Fields that a kind does not have are empty.
type DataType struct {
	Kind           Kind
	Min, Max, Step Number      // int, float, double
	Unit, UnitName string      // int, float, double
	Length         Number      // text: the most bytes
	Size           Number      // array: the most elements
	Values         []Value     // bool and enum, in ascending order
	Fields         []Parameter // struct
	Item           *DataType   // array
	Extra          ExtraFields // what stands beside the known fields of the type and of its specs
}

// A Value is one that a bool or an enum may have.
type Value struct {
	Key   int64
	Name  string
	Extra ExtraFields
}

// A Kind is the basic type of a value. One that is not listed here is kept as it is written.
type Kind string

// The kinds of data types.
const (
	Int    Kind = "int"
	Float  Kind = "float"
	Double Kind = "double"
	Text   Kind = "text"
	Date   Kind = "date" // milliseconds since 1970 in UTC, written as text
	Bool   Kind = "bool" // 0 or 1
	Enum   Kind = "enum"
	Struct Kind = "struct"
	Array  Kind = "array"
)

// An Access is the access mode of a property.
type Access string

// The access modes.
const (
	AccessRead      Access = "r"
	AccessWrite     Access = "w"
	AccessReadWrite Access = "rw"
)

// An EventType says how grave an event is.
type EventType string

// The types of events.
const (
	EventInfo  EventType = "info"
	EventAlert EventType = "alert"
	EventError EventType = "error"
)

// A CallType says whether the caller of a service waits for its answer.
type CallType string

// The types of calls.
const (
	CallSync  CallType = "sync"
	CallAsync CallType = "async"
)

// ExtraFields are those that this package does not know, by name. Their values are in a canonical form: without white space,
// the keys of objects in order, numbers as [Number] writes them.
type ExtraFields map[string]json.RawMessage
