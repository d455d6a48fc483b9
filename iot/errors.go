package iot

import (
	"context"
	"errors"
	"fmt"
)

// A Kind classifies errors by what a caller can do about them. Kinds are errors themselves, so that
// errors.Is(err, iot.NotFound) asks for one. No [Error] matches the zero value, [Unclassified].
type Kind int

// The kinds of errors.
const (
	Unclassified   Kind = iota // not classified: treat it as final
	NotFound                   // there is no such product, device, group or rule on that instance
	Conflict                   // there is one already, or its state forbids the call
	Denied                     // credentials or permissions
	Throttled                  // over a quota: nothing happened, try later and slower
	Transient                  // nothing happened, the same call may work later
	Invalid                    // the call itself is wrong: the same call will never work
	NotConnected               // the device is not connected
	UnknownOutcome             // the answer was lost: the effect may or may not have happened
)

var kindNames = [...]string{
	Unclassified:   "unclassified",
	NotFound:       "not found",
	Conflict:       "conflict",
	Denied:         "denied",
	Throttled:      "throttled",
	Transient:      "transient",
	Invalid:        "invalid",
	NotConnected:   "not connected",
	UnknownOutcome: "unknown outcome",
}

// String returns the kind in words.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("kind %d", int(k))
	}
	return kindNames[k]
}

// Error makes a Kind the target of [errors.Is].
func (k Kind) Error() string { return k.String() }

// KindOf returns the kind of err: that of the outermost [Error] in its tree, else a Kind in it. A context
// that ended is [Transient]. Everything else, nil included, is [Unclassified].
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if k, ok := errors.AsType[Kind](err); ok {
		return k
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Transient
	}
	return Unclassified
}

// An Error is a classified error. It holds no secrets.
type Error struct {
	Kind    Kind
	Op      string // the API or the step, such as BatchGrayMigrationDevice; may be empty
	Code    string // the platform's own code, such as iot.prod.NotExistedProduct; may be empty
	Message string // what happened, for people
	Err     error  // the cause; may be nil
}

// Error returns the operation, the message, the platform's code and the cause, as far as they are known.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = e.Kind.String()
	}
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's [Kind].
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k != Unclassified && k == e.Kind
}
