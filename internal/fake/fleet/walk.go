package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxDepth bounds how deep the values of a file may be nested. Only a thing model can be nested freely,
// and no real one comes near it.
const maxDepth = 100

// A walker reads JSON token by token and knows the path of the value that it reads. It is strict where
// package json is lenient: names are exact, none stands twice, null is no value. After an error it is of no
// further use: its path names the fault.
type walker struct {
	dec  *json.Decoder
	src  *source
	path path
}

func newWalker(r io.Reader) *walker {
	src := &source{r: r}
	w := &walker{dec: json.NewDecoder(src), src: src}
	w.dec.UseNumber()
	return w
}

// A reader reads the next value into the place that it was made for.
type reader func() error

// A member is a field that an object may have.
type member struct {
	name     string
	optional bool
	read     reader
}

// object reads an object that has all members but optional ones, and no other, in any order.
func (w *walker) object(members []member) error {
	if err := w.open('{', "an object"); err != nil {
		return err
	}
	var seen uint64
	err := w.fields(func(name string) error {
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		if i < 0 {
			return w.fault("unknown field: known here are %s", namesOf(members))
		}
		if seen&(1<<i) != 0 {
			return w.twice()
		}
		seen |= 1 << i
		return members[i].read()
	})
	if err != nil {
		return err
	}
	for i, m := range members {
		if !m.optional && seen&(1<<i) == 0 {
			return w.missing(m.name)
		}
	}
	return nil
}

// freeFields reads the rest of an object whose fields may have any name, each once.
func (w *walker) freeFields(read func(name string) error) error {
	seen := make(map[string]struct{})
	return w.fields(func(name string) error {
		if _, ok := seen[name]; ok {
			return w.twice()
		}
		seen[name] = struct{}{}
		return read(name)
	})
}

// fields reads the rest of an object.
func (w *walker) fields(read func(name string) error) error {
	for {
		token, err := w.token()
		if err != nil {
			return err
		}
		name, ok := token.(string)
		if !ok { // its end: the decoder lets nothing else stand here
			return nil
		}
		w.path = append(w.path, step{name: &name})
		if err := read(name); err != nil {
			return err
		}
		w.leave()
	}
}

// array reads an array of such elements.
func (w *walker) array(element reader) error {
	if err := w.open('[', "an array"); err != nil {
		return err
	}
	return w.elements(element)
}

// elements reads the rest of an array.
func (w *walker) elements(element reader) error {
	for i := 0; w.dec.More(); i++ {
		w.path = append(w.path, step{index: i})
		if err := element(); err != nil {
			return err
		}
		w.leave()
	}
	_, err := w.token()
	return err
}

// anything reads any value, only to see that no field in it stands twice.
func (w *walker) anything() error {
	if len(w.path) > maxDepth {
		return w.fault("nested deeper than %d levels: flatten it", maxDepth)
	}
	token, err := w.token()
	switch {
	case err != nil:
		return err
	case token == json.Delim('{'):
		return w.freeFields(func(string) error { return w.anything() })
	case token == json.Delim('['):
		return w.elements(w.anything)
	}
	return nil
}

// open reads the start of an object or an array.
func (w *walker) open(delim json.Delim, want string) error {
	token, err := w.token()
	if err != nil {
		return err
	}
	if token != delim {
		return w.wrongType(token, want)
	}
	return nil
}

// token reads the next token.
func (w *walker) token() (json.Token, error) {
	token, err := w.dec.Token()
	if err != nil {
		return nil, w.textError(err)
	}
	return token, nil
}

// end reads to the end of the text, where nothing but white space may stand.
func (w *walker) end() error {
	const message = "there is more after the end of the document: remove it"
	if w.dec.More() {
		return w.broken(message)
	}
	_, err := w.dec.Token()
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return w.broken(message)
	}
	if !errors.Is(err, io.EOF) {
		return w.textError(err)
	}
	return nil
}

func (w *walker) leave() { w.path = w.path[:len(w.path)-1] }

// record starts to copy the text. The function that it returns ends that, and returns the text of
// the value that was read meanwhile.
func (w *walker) record() (stop func() json.RawMessage) {
	var text bytes.Buffer
	_, _ = text.ReadFrom(w.dec.Buffered())
	w.src.copy = &text
	start := w.dec.InputOffset()
	return func() json.RawMessage {
		w.src.copy = nil
		text.Truncate(int(w.dec.InputOffset() - start))
		return bytes.TrimLeft(text.Bytes(), ": \t\r\n")
	}
}

// fault says what is wrong with the value that is being read.
func (w *walker) fault(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if len(w.path) == 0 {
		return w.broken(message)
	}
	return &Error{Path: w.path.String(), Message: message}
}

// faultIn says what is wrong with a field, or one below it, of the object that was read last.
func (w *walker) faultIn(names []string, format string, args ...any) error {
	for i := range names {
		w.path = append(w.path, step{name: &names[i]})
	}
	return w.fault(format, args...)
}

func (w *walker) missing(names ...string) error { return w.faultIn(names, "missing: add the field") }

func (w *walker) twice() error { return w.fault("the field stands twice: remove one of them") }

func (w *walker) wrongType(token json.Token, want string) error {
	return w.fault("%s where %s is wanted", typeOf(token), want)
}

// textError turns an error of the decoder into one that says where the text is broken.
func (w *walker) textError(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return w.broken("not JSON: " + syntax.Error())
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("read fleet file: %w", err)
	}
	message := "the text ends inside a value: is the file cut off?"
	if w.dec.InputOffset() == 0 {
		message = "there is nothing in the file"
	}
	return &Error{Line: w.src.lines + 1, Offset: w.src.offset, Message: message}
}

// broken says that the text is broken where the decoder stands.
func (w *walker) broken(message string) error {
	var ahead bytes.Buffer // what the decoder has, but did not come to
	_, _ = ahead.ReadFrom(w.dec.Buffered())
	line := w.src.lines + 1 - bytes.Count(ahead.Bytes(), []byte{'\n'})
	return &Error{Line: line, Offset: w.dec.InputOffset(), Message: message}
}

func namesOf(members []member) string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return strings.Join(names, ", ")
}

func typeOf(token json.Token) string {
	switch token {
	case nil:
		return "null"
	case json.Delim('{'):
		return "an object"
	case json.Delim('['):
		return "an array"
	}
	switch token.(type) {
	case string:
		return "text"
	case json.Number:
		return "a number"
	default:
		return "true or false"
	}
}
