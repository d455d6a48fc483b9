package migrate

import (
	"bufio"
	"fmt"
)

// A textWriter remembers the first error and writes nothing after it.
type textWriter struct {
	out *bufio.Writer
	err error
}

func (w *textWriter) printf(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, format, args...)
	}
}

func (w *textWriter) text(s string) {
	if w.err == nil {
		_, w.err = w.out.WriteString(s)
	}
}

func (w *textWriter) flush() error {
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}
