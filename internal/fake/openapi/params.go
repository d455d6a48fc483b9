package openapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/iotferry/iotferry/internal/fake"
)

// The largest query and body that are read. The longest message of the platform, 256 KiB, takes about
// 350 KiB in Base64 and twice that at worst as a form.
const (
	maxQuery = 256 << 10
	maxBody  = 2 << 20
)

// params are the parameters of a call. The first error of a decoding method stays in err, and the others return
// zero values from then on: look at err once, after the last one.
type params struct {
	values map[string]string
	err    error
}

// readParams collects the parameters of query and body.
func readParams(w http.ResponseWriter, r *http.Request) (*params, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "UnsupportedHTTPMethod", "This HTTP method is not supported: use GET or POST.")
	}
	if len(r.URL.RawQuery) > maxQuery {
		return nil, tooLarge("query", maxQuery)
	}
	p := &params{values: map[string]string{}}
	if err := p.add("query", r.URL.RawQuery); err != nil {
		return nil, err
	}
	if r.Method == http.MethodGet {
		return p, nil
	}
	body, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	return p, p.add("body", body)
}

func readForm(w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", tooLarge("body", maxBody)
	}
	if err != nil {
		return "", refuse(http.StatusBadRequest, "InvalidRequest", "The body cannot be read.")
	}
	if kind := r.Header.Get("Content-Type"); len(body) > 0 && kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/x-www-form-urlencoded" {
			return "", refuse(http.StatusUnsupportedMediaType, "InvalidRequest", "The body is not of type application/x-www-form-urlencoded.")
		}
	}
	return string(body), nil
}

// add reads encoded parameters. A name that comes twice is refused: the signature covers one of them only.
func (p *params) add(where, encoded string) error {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return refuse(http.StatusBadRequest, "InvalidRequest", "The "+where+" is not well encoded.")
	}
	for name, list := range values {
		if _, ok := p.values[name]; ok || len(list) > 1 {
			return refuse(http.StatusBadRequest, "InvalidRequest", "The "+where+" gives a parameter that was given before.")
		}
		p.values[name] = list[0]
	}
	return nil
}

// text returns a parameter that may be missing.
func (p *params) text(name string) string { return p.values[name] }

// required returns a parameter that must not be empty.
func (p *params) required(name string) string {
	if p.values[name] == "" {
		p.fail(missing(name))
	}
	return p.values[name]
}

// number returns a number that may be missing: 0 then. It fits 32 bits, so that products of two cannot overflow.
func (p *params) number(name string) int {
	text := p.values[name]
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		p.fail(unreadable(name, "a whole number of at most 32 bits"))
		return 0
	}
	return int(n)
}

// requiredNumber returns a number that must be given.
func (p *params) requiredNumber(name string) int {
	p.required(name)
	return p.number(name)
}

// flag returns a Boolean that may be missing: false then. Some clients write True.
func (p *params) flag(name string) bool {
	switch strings.ToLower(p.values[name]) {
	case "", "false":
		return false
	case "true":
		return true
	}
	p.fail(unreadable(name, "true or false"))
	return false
}

// list returns a repeated parameter, name.1 to name.N, in this order; nil if there is none. A gap is refused:
// what follows it would be lost in silence.
func (p *params) list(name string) []string {
	n := p.length(name)
	var out []string
	for i := 1; i <= n; i++ {
		value, ok := p.values[fmt.Sprintf("%s.%d", name, i)]
		if !ok {
			p.fail(missing(fmt.Sprintf("%s.%d", name, i)))
			return nil
		}
		out = append(out, value)
	}
	return out
}

// requiredList returns a repeated parameter with at least one value.
func (p *params) requiredList(name string) []string {
	out := p.list(name)
	if len(out) == 0 {
		p.fail(missing(name))
	}
	return out
}

// structs returns a repeated parameter with fields, name.1.field; all fields are needed.
func (p *params) structs(name string, fields ...string) []map[string]string {
	n := p.length(name)
	var out []map[string]string
	for i := 1; i <= n; i++ {
		row := map[string]string{}
		for _, field := range fields {
			row[field] = p.required(fmt.Sprintf("%s.%d.%s", name, i, field))
		}
		out = append(out, row)
	}
	return out
}

// length tells how many different elements a repeated parameter has, whatever their numbers are.
func (p *params) length(name string) int {
	seen := map[string]bool{}
	for key := range p.values {
		if rest, ok := strings.CutPrefix(key, name+"."); ok {
			index, _, _ := strings.Cut(rest, ".")
			seen[index] = true
		}
	}
	return len(seen)
}

// base64 returns the bytes of a message, with the codes that the platform has for those.
func (p *params) base64(name string) []byte {
	text := p.values[name]
	if text == "" {
		p.fail(refuse(http.StatusOK, "iot.messagebroker.NullMessageContent", name+" is empty"))
		return nil
	}
	out, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		p.fail(refuse(http.StatusOK, "iot.messagebroker.MessageContentIsNotBase64Encode", name+" is not Base64"))
		return nil
	}
	return out
}

// lacks refuses parameters of the platform that would change the answer and that the fake does not have.
func (p *params) lacks(names ...string) {
	for _, name := range names {
		if value := p.values[name]; value != "" && !strings.EqualFold(value, "false") || p.length(name) > 0 {
			p.fail(refuse(http.StatusBadRequest, "Unsupported"+name, "The parameter "+name+" is not supported here: leave it out."))
		}
	}
}

func (p *params) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func missing(name string) error {
	return refuse(http.StatusBadRequest, "Missing"+name, name+" is mandatory for this action.")
}

func unreadable(name, want string) error {
	return refuse(http.StatusBadRequest, "Invalid"+name, "The value of "+name+" is not "+want+".")
}

func tooLarge(what string, limit int) error {
	return refuse(http.StatusRequestEntityTooLarge, "RequestTooLarge", fmt.Sprintf("The %s is longer than %d bytes.", what, limit))
}

func refuse(status int, code, message string) error {
	return &fake.APIError{HTTPStatus: status, Code: code, Message: message}
}
