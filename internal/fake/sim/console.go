package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// maxBody is enough for the names of a product's 500,000 devices.
const maxBody = 20 << 20

// A console is the operator's hand over HTTP.
type console struct {
	cloud  *fake.Cloud
	clock  Advancer // nil: time cannot be put forward
	faults *Faults  // nil: faults cannot be set
	drop   func()   // cuts the AMQP clients off
	logger *slog.Logger
}

func (o *console) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, p := range map[string]page{
		"POST /tasks":               o.createTask,
		"GET /tasks":                o.listTasks,
		"POST /tasks/{id}/gray":     o.gray,
		"POST /tasks/{id}/confirm":  o.act((*fake.Console).Confirm),
		"POST /tasks/{id}/full":     o.act((*fake.Console).Full),
		"POST /tasks/{id}/rollback": o.rollback,
		"POST /tasks/{id}/datasync": o.dataSync,
		"POST /tasks/{id}/close":    o.act((*fake.Console).Close),

		"GET /devices/{productKey}":              o.listDevices,
		"GET /devices/{productKey}/{deviceName}": o.showDevice,
		"GET /calls":                             o.listCalls,

		"GET /clock":      o.showClock,
		"POST /clock":     o.setClock,
		"GET /faults":     o.listFaults,
		"POST /faults":    o.setFaults,
		"POST /amqp/drop": o.dropConsumers,

		"/": noPage,
	} {
		mux.Handle(pattern, o.serve(p))
	}
	// A page that a person has open in a browser must not act here.
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(o.serve(func(*http.Request) (any, error) {
		return nil, &problem{http.StatusForbidden, "a page of another origin has sent this", ""}
	}))
	return protection.Handler(mux)
}

// A page answers a request with a value that is written as JSON.
type page func(*http.Request) (any, error)

func noPage(r *http.Request) (any, error) {
	return nil, &problem{http.StatusNotFound, "there is no such page", r.Method + " " + r.URL.Path}
}

func (o *console) serve(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		value, err := p(r)
		status := http.StatusOK
		if err != nil {
			failure := problemOf(err)
			status, value = failure.status, failure.body()
			o.logger.Warn("console", "page", r.URL.Path, "refused", err)
		} else if r.Method != http.MethodGet {
			o.logger.Info("console", "page", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // who asked has gone, if this fails
	})
}

// read reads a request's body: one JSON object without unknown fields. An empty body is an empty object.
func read(r *http.Request, into any) error {
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	err := in.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		if _, err = in.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = errors.New("there is more after its end")
		}
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &problem{http.StatusRequestEntityTooLarge, "the body is too large", fmt.Sprintf("at most %d bytes", maxBody)}
	}
	return &problem{http.StatusBadRequest, "the body has to be one JSON object", err.Error()}
}

// A problem is why a page has no answer.
type problem struct {
	status int
	reason string
	detail string
}

func (p *problem) Error() string { return p.reason + ": " + p.detail }

func (p *problem) body() any {
	return struct {
		Error  string `json:"error"`
		Detail string `json:"detail,omitempty"`
	}{p.reason, p.detail}
}

func missing(field, detail string) error {
	return &problem{http.StatusBadRequest, field + " is missing", detail}
}

// problemOf puts an error in the console's words. An answer that is lost cuts the connection.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*fake.ConsoleError](err); ok {
		p := &problem{http.StatusConflict, string(e.Reason), e.Op + ": " + e.Detail}
		if errors.Is(e, iot.NotFound) {
			p.status = http.StatusNotFound
		}
		return p
	}
	if e, ok := errors.AsType[*fake.APIError](err); ok {
		return &problem{max(e.HTTPStatus, http.StatusBadRequest), e.Code, e.Message}
	}
	_, lost := errors.AsType[*fake.LostError](err)
	if lost || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		panic(http.ErrAbortHandler) // net/http's way to cut the connection
	}
	return &problem{http.StatusBadRequest, err.Error(), ""}
}
