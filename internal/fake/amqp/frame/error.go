package frame

import "fmt"

// The conditions of an [Error], as the standard names them.
const (
	CondInternal         = "amqp:internal-error"
	CondNotFound         = "amqp:not-found"
	CondDecode           = "amqp:decode-error"
	CondLimit            = "amqp:resource-limit-exceeded"
	CondNotAllowed       = "amqp:not-allowed"
	CondInvalidField     = "amqp:invalid-field"
	CondNotImplemented   = "amqp:not-implemented"
	CondForced           = "amqp:connection:forced"
	CondFraming          = "amqp:connection:framing-error"
	CondWindowViolation  = "amqp:session:window-violation"
	CondHandleInUse      = "amqp:session:handle-in-use"
	CondUnattachedHandle = "amqp:session:unattached-handle"
)

// An Error says why a link, a session or a connection ends.
type Error struct {
	Condition   string
	Description string
}

// Error returns condition and description.
func (e *Error) Error() string { return e.Condition + ": " + e.Description }

// Errorf returns an error of a condition.
func Errorf(condition, format string, args ...any) *Error {
	return &Error{Condition: condition, Description: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) *Error { return Errorf(CondDecode, format, args...) }

func (e *Error) code() uint64 { return codeError }

func (e *Error) fields(v visitor) {
	v.symbol(&e.Condition)
	v.text(&e.Description, false)
}
