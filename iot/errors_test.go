package iot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/iotferry/iotferry/iot"
)

// kinds are all kinds that classify.
var kinds = []iot.Kind{
	iot.NotFound, iot.Conflict, iot.Denied, iot.Throttled, iot.Transient, iot.Invalid, iot.NotConnected, iot.UnknownOutcome,
}

func TestErrorIsItsKindAndNoOther(t *testing.T) {
	for _, kind := range kinds {
		for form, err := range map[string]error{
			"bare kind": kind,
			"error":     &iot.Error{Kind: kind},
			"wrapped":   fmt.Errorf("while moving: %w", &iot.Error{Kind: kind, Err: io.EOF}),
			"joined":    errors.Join(io.EOF, fmt.Errorf("%w", kind)),
		} {
			if got := iot.KindOf(err); got != kind {
				t.Errorf("%s: KindOf(%v) = %v, want %v", form, err, got, kind)
			}
			for _, other := range append(kinds, iot.Unclassified) {
				if got := errors.Is(err, other); got != (other == kind) {
					t.Errorf("%s: errors.Is(%v, %v) = %t", form, err, other, got)
				}
			}
		}
	}
}

func TestUnclassifiedMatchesNothing(t *testing.T) {
	err := &iot.Error{Message: "odd"}
	for _, kind := range append(kinds, iot.Unclassified) {
		if errors.Is(err, kind) {
			t.Errorf("an error without a kind is %v", kind)
		}
	}
}

func TestKindOf(t *testing.T) {
	lost := &iot.Error{Kind: iot.UnknownOutcome, Err: context.DeadlineExceeded}
	for name, test := range map[string]struct {
		err  error
		want iot.Kind
	}{
		"nil":                                {nil, iot.Unclassified},
		"foreign":                            {io.EOF, iot.Unclassified},
		"cancelled":                          {context.Canceled, iot.Transient},
		"deadline":                           {fmt.Errorf("list: %w", context.DeadlineExceeded), iot.Transient},
		"the outermost error wins":           {&iot.Error{Kind: iot.Denied, Err: &iot.Error{Kind: iot.NotFound}}, iot.Denied},
		"an error wins over a kind":          {&iot.Error{Kind: iot.Denied, Err: iot.NotFound}, iot.Denied},
		"an error wins over a kind around":   {errors.Join(iot.NotFound, &iot.Error{Kind: iot.Denied}), iot.Denied},
		"an error wins over a context":       {lost, iot.UnknownOutcome},
		"an error that nobody has classed":   {&iot.Error{Err: iot.NotFound}, iot.Unclassified},
		"a kind wins over a context":         {errors.Join(context.Canceled, iot.Denied), iot.Denied},
		"a kind that is not on the list yet": {iot.Kind(99), iot.Kind(99)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := iot.KindOf(test.err); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := fmt.Errorf("move: %w", &iot.Error{Kind: iot.UnknownOutcome, Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]*iot.Error{
		"unclassified": {},
		"not found":    {Kind: iot.NotFound},
		"no product x": {Kind: iot.NotFound, Message: "no product x"},
		"QueryProduct: no product x (iot.prod.NotExistedProduct): EOF": {
			Kind: iot.NotFound, Op: "QueryProduct", Code: "iot.prod.NotExistedProduct", Message: "no product x", Err: io.EOF,
		},
		"BatchGrayMigrationDevice: unknown outcome: unexpected EOF": {
			Kind: iot.UnknownOutcome, Op: "BatchGrayMigrationDevice", Err: io.ErrUnexpectedEOF,
		},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestKindText(t *testing.T) {
	for kind, want := range map[iot.Kind]string{
		iot.Unclassified: "unclassified", iot.UnknownOutcome: "unknown outcome", -1: "kind -1", 99: "kind 99",
	} {
		if kind.String() != want || kind.Error() != want {
			t.Errorf("got %q and %q, want %q", kind.String(), kind.Error(), want)
		}
	}
	seen := map[string]bool{}
	for _, kind := range append(kinds, iot.Unclassified) {
		if text := kind.String(); text == "" || seen[text] {
			t.Errorf("kind %d has the text %q, which is empty or another kind's", int(kind), text)
		} else {
			seen[text] = true
		}
	}
}
