package aliyun

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// An instance is one of the two, reached by its APIs.
type instance struct {
	client *Client
	id     string // IotInstanceId; none for the legacy public one
	placed string // its ID in device distribution, where the public one has one too; empty if that is not known
}

// whole returns the instance as a platform shows it.
func (in *instance) whole(info iot.InstanceInfo) iot.Instance {
	return iot.Instance{
		View: iot.View{
			Info: info, Registry: in, StateReader: in, TopologyReader: in, ForwardingReader: in, ModelReader: in,
			ModelVersionReader: in, HistoryReader: in,
			Config: iot.ConfigReaders{Rules: in, Parsers: in, Scripts: in, Labels: in, DeviceGroups: in, Shadows: in, Jobs: in},
		},
		Commander: in, Registrar: in, Subscriber: in,
		Configure: iot.ConfigWriters{Labels: in, DeviceGroups: in},
	}
}

// read calls an API of the instance that changes nothing.
func (in *instance) read(ctx context.Context, api string, query rpc.Params, out any) error {
	return in.do(ctx, rpc.Call{API: api, Query: query}, out)
}

// write calls one that does: its lost answer is an unknown outcome.
func (in *instance) write(ctx context.Context, call rpc.Call, out any) error {
	call.Writes = true
	return in.do(ctx, call, out)
}

func (in *instance) do(ctx context.Context, call rpc.Call, out any) error {
	call.Query["IotInstanceId"] = in.id // empty ones are left out
	return in.client.caller.Do(ctx, call, out)
}

// device returns the parameters that name a device.
func device(id iot.DeviceID) rpc.Params {
	return rpc.Params{"ProductKey": id.ProductKey, "DeviceName": id.DeviceName}
}

// named returns an error unless no value is empty: an empty parameter is not sent, and then the call is another one.
func named(api string, values ...string) error {
	for _, value := range values {
		if value == "" {
			return refuse(api, "a product key or a name is empty")
		}
	}
	return nil
}

// refuse is the error of a call that is not made.
func refuse(api, message string) error {
	return &iot.Error{Kind: iot.Invalid, Op: api, Message: message}
}

// strange is the error of an answer that contradicts itself. A listing that would leave something out has to fail.
func strange(api, message string) error {
	return &iot.Error{Kind: iot.Transient, Op: api, Message: message}
}

// codeOf returns the platform's code in an error, or "".
func codeOf(err error) string {
	if e, ok := errors.AsType[*iot.Error](err); ok {
		return e.Code
	}
	return ""
}

// The codes by which the platform says what is absent.
const (
	noProduct = "iot.prod.NotExistedProduct"
	noDevice  = "iot.device.NotExistedDevice"
	noModel   = "iot.prod.NotSeniorProduct"
)

// pages yields the rows of a list that is paged by numbers, each once, from page 1 on. Fetch returns a page's rows and how many
// there are in all; only the last page may have fewer rows than size. What is taken away from a list that is being read shifts
// what follows, and a row would be skipped: such a list fails. What is added shifts it the other way, and rows come again.
func pages[T comparable](api string, size int, fetch func(page string) (rows []T, total int, err error)) iter.Seq2[T, error] {
	return numbered(api, size, false, fetch)
}

// numbered is pages; with shifts, rows that are skipped and come twice are left to the caller.
func numbered[T comparable](
	api string, size int, shifts bool, fetch func(page string) (rows []T, total int, err error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var before []T // the rows of the page before
		were := 0      // the total that it told
		for page := 1; ; page++ {
			rows, total, err := fetch(strconv.Itoa(page))
			if err == nil {
				err = checkPage(api, page, size, len(rows), total)
			}
			if err == nil && total < were && !shifts {
				err = strange(api, fmt.Sprintf("the list had %d rows, and has %d at page %d: some were skipped", were, total, page))
			}
			if err != nil {
				yield(none, err)
				return
			}
			for _, row := range rows {
				again := total > were && !shifts && slices.Contains(before, row)
				if !again && !yield(row, nil) {
					return
				}
			}
			if page*size >= total {
				return
			}
			before, were = rows, total
		}
	}
}

// checkPage returns an error if a page does not have the rows that it must have. More than the total allows are none either: then the
// total is wrong, and nobody knows where the list ends.
func checkPage(api string, page, size, rows, total int) error {
	wanted := max(0, min(size, total-(page-1)*size))
	if rows == wanted {
		return nil
	}
	return strange(api, fmt.Sprintf("page %d has %d rows, and of %d rows it must have %d", page, rows, total, wanted))
}

// eachOf yields what look finds for each row of a list, without the rows that were deleted since the list was read.
func eachOf[R, T any](rows iter.Seq2[R, error], look func(R) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range rows {
			var found T
			if err == nil {
				found, err = look(row)
				if errors.Is(err, iot.NotFound) {
					continue
				}
			}
			if !yield(found, err) || err != nil {
				return
			}
		}
	}
}

// instant reads a time of the platform, whose forms are not all documented: milliseconds since 1970, or ISO 8601 with a zone.
// It is zero if there is none, or if it cannot be read: a time without a zone could be any.
func instant(text string) time.Time {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms > 0 {
		return time.UnixMilli(ms).UTC()
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00"} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
