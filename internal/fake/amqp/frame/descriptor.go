package frame

// The descriptors of the standard, by number.
const (
	codeOpen        = 0x10
	codeBegin       = 0x11
	codeAttach      = 0x12
	codeFlow        = 0x13
	codeTransfer    = 0x14
	codeDisposition = 0x15
	codeDetach      = 0x16
	codeEnd         = 0x17
	codeClose       = 0x18
	codeError       = 0x1d
	codeSource      = 0x28
	codeTarget      = 0x29
	codeMechanisms  = 0x40
	codeInit        = 0x41
	codeOutcome     = 0x44
)

// descriptorNames are the same descriptors by name: either form may be used.
var descriptorNames = map[string]uint64{
	"amqp:open:list":            codeOpen,
	"amqp:begin:list":           codeBegin,
	"amqp:attach:list":          codeAttach,
	"amqp:flow:list":            codeFlow,
	"amqp:transfer:list":        codeTransfer,
	"amqp:disposition:list":     codeDisposition,
	"amqp:detach:list":          codeDetach,
	"amqp:end:list":             codeEnd,
	"amqp:close:list":           codeClose,
	"amqp:error:list":           codeError,
	"amqp:source:list":          codeSource,
	"amqp:target:list":          codeTarget,
	"amqp:received:list":        uint64(Received),
	"amqp:accepted:list":        uint64(Accepted),
	"amqp:rejected:list":        uint64(Rejected),
	"amqp:released:list":        uint64(Released),
	"amqp:modified:list":        uint64(Modified),
	"amqp:sasl-mechanisms:list": codeMechanisms,
	"amqp:sasl-init:list":       codeInit,
	"amqp:sasl-outcome:list":    codeOutcome,
}

// newBody returns an empty body of a descriptor, or nil if no frame has it.
func newBody(code uint64) Body {
	switch code {
	case codeOpen:
		return new(Open)
	case codeBegin:
		return new(Begin)
	case codeAttach:
		return new(Attach)
	case codeFlow:
		return new(Flow)
	case codeTransfer:
		return new(Transfer)
	case codeDisposition:
		return new(Disposition)
	case codeDetach:
		return new(Detach)
	case codeEnd:
		return new(End)
	case codeClose:
		return new(Close)
	case codeMechanisms:
		return new(Mechanisms)
	case codeInit:
		return new(Init)
	case codeOutcome:
		return new(Outcome)
	}
	return nil
}
