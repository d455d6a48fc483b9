// Package show prints preflights, plans, progress and reports of campaigns for people. What comes from the platform, such as
// a product's name, may hold anything: it is printed with its control characters escaped.
package show

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// Text returns s with everything that does not print escaped, so that it cannot move the cursor, colour the screen or
// begin a new line.
func Text(s string) string { return iot.Printable(s) }

// Span returns a duration in its two largest units: "7 d", "1 d 2 h", "8 min 10 s", "5.2 s".
func Span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	case d < time.Hour:
		d = d.Round(time.Second)
		return two(int(d/time.Minute), "min", int(d%time.Minute/time.Second), "s")
	case d < 24*time.Hour:
		d = d.Round(time.Minute)
		return two(int(d/time.Hour), "h", int(d%time.Hour/time.Minute), "min")
	}
	d = d.Round(time.Hour)
	return two(int(d/(24*time.Hour)), "d", int(d%(24*time.Hour)/time.Hour), "h")
}

func two(a int, unitA string, b int, unitB string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unitA)
	}
	return fmt.Sprintf("%d %s %d %s", a, unitA, b, unitB)
}

// Count returns "1 device" or "2 devices".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// line prints one line. That a screen cannot be written to stops nothing.
func line(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
