package fake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// read calls an API that changes nothing; write calls one that does. The difference is what a
// lost answer means.
func read[R any](ctx context.Context, d *driver, api string, do func() (R, error)) (R, error) {
	return request(ctx, d, api, false, do)
}

func write[R any](ctx context.Context, d *driver, api string, do func() (R, error)) (R, error) {
	return request(ctx, d, api, true, do)
}

// request asks the pacer, calls the API and classifies its error. With a done context nothing is sent.
func request[R any](ctx context.Context, d *driver, api string, writes bool, do func() (R, error)) (R, error) {
	var none R
	if err := ctx.Err(); err != nil {
		return none, waitError(api, err)
	}
	if err := d.pacer.Wait(ctx, api); err != nil {
		return none, waitError(api, err)
	}
	answer, err := do()
	if err == nil {
		return answer, nil
	}
	e := classify(api, writes, err)
	if e.Kind == iot.Throttled {
		d.pacer.Throttled(api)
	}
	return none, e
}

// waitError says that nothing was sent.
func waitError(api string, err error) error {
	return &iot.Error{Kind: iot.Transient, Op: api, Message: "not sent", Err: err}
}

func classify(api string, writes bool, err error) *iot.Error {
	e := &iot.Error{Kind: iot.Unclassified, Op: api, Err: err}
	lost, isLost := errors.AsType[*LostError](err)
	refused, isRefused := errors.AsType[*APIError](err)
	switch {
	case isLost:
		e.Kind, e.Message, e.Err = lostKind(writes), "the answer was lost", lost.Err
	case isRefused:
		e.Kind, e.Code, e.Message, e.Err = kindOf(refused, writes), refused.Code, refused.Message, nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Message = iot.Transient, "not sent"
	}
	return e
}

func lostKind(writes bool) iot.Kind {
	if writes {
		return iot.UnknownOutcome
	}
	return iot.Transient
}

// kindOf classifies the platform's codes. A failure within the platform leaves open what a write has done.
func kindOf(e *APIError, writes bool) iot.Kind {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(e.Code, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("Throttling", "RateLimit"):
		return iot.Throttled
	case e.HTTPStatus >= 500, has("SystemException", "InternalError", "ServiceUnavailable", ".TIMEOUT"):
		return lostKind(writes)
	case has("NotExisted", "IotInstanceNotFound", "NotFoundRule", "NotSeniorProduct"):
		return iot.NotFound
	case has("AlreadyExisted"):
		return iot.Conflict
	case has("PermissionDeny", "InvalidAccessKey", "Forbidden"):
		return iot.Denied
	case has(".OFFLINE", ".HALFCONN", "InactiveDevice"):
		return iot.NotConnected
	case has("Invalid", "Null", "NoneDevice", "Incorrent"):
		return iot.Invalid
	case has("ActionError"), has("Query") && has("Failed", "Error"):
		return iot.Transient
	}
	return iot.Unclassified
}

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*iot.Error](err)
	return ok && e.Code == code
}

func absentProduct(err error) bool { return hasCode(err, codeNoProduct) }

// tooMany refuses what the platform would refuse, or drop without a word.
func tooMany(api string, n, most int) error {
	if n >= 1 && n <= most {
		return nil
	}
	return tooManyOf(api, "device names", n, most)
}

func tooManyOf(api, what string, n, most int) error {
	return &iot.Error{Kind: iot.Invalid, Op: api, Message: fmt.Sprintf("%d %s: 1 to %d are allowed in a call", n, what, most)}
}

// paged yields the rows of pages, from page 1 on, until one is the last. On an error it yields the zero
// value and the error once, and ends.
func paged[T any](fetch func(page int) (rows []T, more bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := 1; ; page++ {
			rows, more, err := fetch(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}
