// Package page writes reports for people.
package page

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A Writer remembers the first error, and writes nothing after it. Make one with [New].
type Writer struct{ out *bufio.Writer }

// New returns a writer that holds back what it writes until Flush.
func New(w io.Writer) *Writer { return &Writer{bufio.NewWriter(w)} }

// Printf writes like [fmt.Fprintf].
func (w *Writer) Printf(format string, args ...any) {
	_, _ = fmt.Fprintf(w.out, format, args...) // Flush returns its error
}

// Text writes a text as it is.
func (w *Writer) Text(s string) { _, _ = w.out.WriteString(s) }

// Flush writes the rest. Its error is the first one, and names what was written.
func (w *Writer) Flush(what string) error {
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// Markdown escapes what would be markup in a cell of a table, and what does not print.
func Markdown(s string) string {
	var b strings.Builder
	for _, r := range iot.Printable(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|~&!", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
