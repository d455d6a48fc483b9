package page_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/iotferry/iotferry/internal/page"
)

// brittle breaks after some bytes.
type brittle struct {
	left  int
	wrote bytes.Buffer
}

var errFull = errors.New("the disk is full")

func (b *brittle) Write(p []byte) (int, error) {
	n := min(b.left, len(p))
	b.left -= n
	b.wrote.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// Whatever is written when the disk is full, its error is told at the end, and nothing follows it.
func TestFirstErrorCounts(t *testing.T) {
	for _, left := range []int{0, 7, 4096, 5000} {
		out := &brittle{left: left}
		w := page.New(out)
		for range 2000 {
			w.Printf("%s\n", "line")
			w.Text("text\n")
		}
		if err := w.Flush("report"); !errors.Is(err, errFull) || err.Error() != "write report: the disk is full" || out.wrote.Len() != left {
			t.Errorf("room for %d bytes: %d were written, and the error is %v", left, out.wrote.Len(), err)
		}
	}
	out := &brittle{left: 100}
	w := page.New(out)
	w.Printf("%d", 7)
	w.Text(" and more")
	if err := w.Flush("report"); err != nil || out.wrote.String() != "7 and more" {
		t.Errorf("%q, %v", out.wrote.String(), err)
	}
}

func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"plain 1-2 (3), ü": "plain 1-2 (3), ü", "a|b": `a\|b`, "<b>*x*</b>": `\<b\>\*x\*\</b\>`, "a\nb\x1b[2J": `a\\nb\\x1b\[2J`, `\`: `\\`, "`c` & ![i](u)": "\\`c\\` \\& \\!\\[i\\](u)",
	} {
		if got := page.Markdown(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
