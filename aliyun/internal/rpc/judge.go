package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/iotferry/iotferry/aliyun/internal/words"
	"github.com/iotferry/iotferry/iot"
)

// An envelope is what all answers have in common: Code and ErrorMessage are an API's, Code and Message the gateway's.
type envelope struct {
	RequestID    string `json:"RequestId"`
	Success      string // true, false, or nothing
	Code         string
	ErrorMessage string
	Message      string
}

// judge checks that an answer is one of the platform's, and a success.
func (c *Caller) judge(call Call, x *exchange, secrets []string) (envelope, *iot.Error) {
	var answer envelope
	if x.status/100 == 3 {
		return answer, lost(call, fmt.Sprintf("HTTP status %d: redirects are not followed, check the endpoint", x.status), nil)
	}
	if err := c.decoder.decode(x.body, &answer); err != nil {
		return envelope{}, notThePlatform(call, x, err)
	}
	answer.RequestID, answer.Code = identifier(answer.RequestID), identifier(answer.Code)
	fine := x.status/100 == 2
	switch {
	case fine && strings.EqualFold(answer.Success, "true"):
		return answer, nil
	case answer.Code == "" && (answer.Success == "" || !fine):
		return answer, notThePlatform(call, x, nil)
	}
	e := refusal(call, x, answer, secrets)
	if strings.HasPrefix(e.Code, "Throttling") {
		c.config.Pacer.Throttled(call.API)
	}
	return answer, e
}

func notThePlatform(call Call, x *exchange, err error) *iot.Error {
	return lost(call, fmt.Sprintf("HTTP status %d with an answer that is not the platform's", x.status), err)
}

// refusal classifies what the platform refused.
func refusal(call Call, x *exchange, answer envelope, secrets []string) *iot.Error {
	message, code := answer.ErrorMessage, answer.Code
	if message == "" {
		message = answer.Message
	}
	e := &iot.Error{Op: call.API, Code: code, Message: words.Clean(message, secrets)}
	found := classify(code)
	switch {
	case found.lost || found.kind == iot.Unclassified && x.status >= http.StatusInternalServerError:
		e.Kind = lostKind(call)
	default:
		e.Kind = found.kind
	}
	if found.remedy != "" {
		e.Message = found.remedy
	}
	return e
}

// unanswered classifies an exchange that ended without an answer.
func unanswered(ctx context.Context, call Call, x *exchange) *iot.Error {
	cause := causeOf(ctx, x, call)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](x.err); ok && x.unsent() {
		return notSent(call.API, iot.Denied, "not sent: the server did not prove to be the endpoint, check RootCAs and the endpoint's name", cause)
	}
	if x.unsent() {
		return notSent(call.API, iot.Transient, "not sent", cause)
	}
	return lost(call, "no answer", cause)
}

// lost is an error after which nobody knows what the platform did.
func lost(call Call, message string, err error) *iot.Error {
	return &iot.Error{Kind: lostKind(call), Op: call.API, Message: message, Err: err}
}

func lostKind(call Call) iot.Kind {
	if call.Writes {
		return iot.UnknownOutcome
	}
	return iot.Transient
}

// causeOf returns what kept an answer away, in words that hold nothing of the request or the answer: net/http quotes
// what it does not understand.
func causeOf(ctx context.Context, x *exchange, call Call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if x.timedOut {
		return fmt.Errorf("the time-out of %v is over: %w", call.Timeout, os.ErrDeadlineExceeded)
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](x.err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.OpError](x.err); ok {
		return e
	}
	for _, known := range []error{io.ErrUnexpectedEOF, io.EOF, errTooLarge, errNoAnswer} {
		if errors.Is(x.err, known) {
			return known
		}
	}
	return &hidden{x.err}
}

// A hidden error keeps its text to itself, as it may quote a secret. errors.Is and errors.As see it.
type hidden struct{ err error }

func (h *hidden) Error() string { return fmt.Sprintf("an error of type %T", h.err) }
func (h *hidden) Unwrap() error { return h.err }

// identifier returns a code or a request ID, or nothing if it is none.
func identifier(s string) string { return words.Identifier(s, "._-", 100) }
