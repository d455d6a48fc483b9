package journal

import (
	"bufio"
	"bytes"
	"io"
	"runtime"
	"sync"
)

// A line is one line of a file with what it says.
type line struct {
	text []byte // with its line feed
	rec  record
	sum  string
	err  error // why it does not continue the line before
}

// lines reads lines. It decodes as many at once as there are processors, because decoding takes nearly all the
// time of reading; but no goroutine lives longer than a call.
type lines struct {
	in    *bufio.Scanner
	last  string // the sum that the line before claims to have
	text  []byte // of the chunk
	chunk []line
	read  int // how many of the chunk were returned
}

const (
	chunkSize = 64 << 10
	fewLines  = 16 // are decoded without goroutines
)

func newLines(r io.Reader, sum string) *lines {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, chunkSize), MaxAppend+1)
	in.Split(splitLines)
	return &lines{in: in, last: sum}
}

// splitLines keeps the line feed: a last line without one was not written to its end.
func splitLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// next returns the next line, or nil if there are no more. It is valid until the next call.
func (l *lines) next() *line {
	if l.read == len(l.chunk) && !l.fill() {
		return nil
	}
	l.read++
	return &l.chunk[l.read-1]
}

func (l *lines) fill() bool {
	l.chunk, l.text, l.read = l.chunk[:0], l.text[:0], 0
	var ends []int
	for len(l.text) < chunkSize && l.in.Scan() {
		l.text = append(l.text, l.in.Bytes()...)
		ends = append(ends, len(l.text))
	}
	start := 0
	for _, end := range ends {
		l.chunk = append(l.chunk, line{text: l.text[start:end], sum: l.last})
		l.last = claimed(l.text[start:end])
		start = end
	}
	l.decode()
	return len(l.chunk) > 0
}

// decode decodes the chunk in parts.
func (l *lines) decode() {
	parts := runtime.GOMAXPROCS(0)
	if len(l.chunk) < fewLines {
		parts = 1
	}
	var wg sync.WaitGroup
	for i := range parts - 1 {
		wg.Go(func() { decodeAll(l.chunk[len(l.chunk)*i/parts : len(l.chunk)*(i+1)/parts]) })
	}
	decodeAll(l.chunk[len(l.chunk)*(parts-1)/parts:])
	wg.Wait()
}

func decodeAll(part []line) {
	for i := range part {
		part[i].decode()
	}
}
