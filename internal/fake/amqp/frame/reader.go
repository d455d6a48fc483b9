package frame

import (
	"bufio"
	"io"
)

// A Protocol is what a protocol header asks for.
type Protocol uint8

// The protocols, all of version 1.0.0.
const (
	ProtocolAMQP Protocol = 0
	ProtocolSASL Protocol = 3
)

const protocolSize = 8

// AppendHeader appends a protocol header.
func AppendHeader(b []byte, p Protocol) []byte {
	return append(b, 'A', 'M', 'Q', 'P', byte(p), 1, 0, 0)
}

// A Frame is one frame as it was read.
type Frame struct {
	Type    uint8
	Channel uint16
	Body    []byte // for Decode; valid until the reader is used again
}

// A Reader cuts what it reads into frames. It holds one buffer of a fixed size. It is not safe for concurrent use.
type Reader struct {
	r    *bufio.Reader
	max  int
	used int // bytes of what was returned last, still in the buffer
}

// NewReader returns a reader that refuses frames of more than limit bytes.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, limit), max: limit}
}

// Header reads a protocol header. ok is false if it is none, or of another version. The error is that of the
// reader below.
func (r *Reader) Header() (p Protocol, ok bool, err error) {
	r.pass()
	b, err := r.r.Peek(protocolSize)
	if err != nil {
		return 0, false, err
	}
	r.used = protocolSize
	p = Protocol(b[4])
	return p, string(b) == string(AppendHeader(nil, p)), nil
}

// pass leaves behind what was returned last.
func (r *Reader) pass() {
	_, _ = r.r.Discard(r.used) // it is in the buffer: there is no error
	r.used = 0
}

// Next reads a frame. Its error is an [*Error] if the frame is malformed or too large, else that of the reader
// below.
func (r *Reader) Next() (Frame, error) {
	r.pass()
	header, err := r.r.Peek(headerSize)
	if err != nil {
		return Frame{}, err
	}
	size, offset := number(header[:4]), 4*uint64(header[4])
	switch {
	case size > uint64(r.max):
		return Frame{}, Errorf(CondFraming, "a frame has %d bytes, more than the %d that were agreed", size, r.max)
	case offset < headerSize || offset > size:
		return Frame{}, Errorf(CondFraming, "a frame of %d bytes begins at byte %d", size, offset)
	}
	b, err := r.r.Peek(int(size))
	if err != nil {
		return Frame{}, err
	}
	r.used = int(size)
	return Frame{Type: b[5], Channel: uint16(number(b[6:8])), Body: b[offset:]}, nil
}

// Ready reports whether Next will return without reading from below.
func (r *Reader) Ready() bool {
	left := r.r.Buffered() - r.used
	if left < headerSize {
		return false
	}
	b, _ := r.r.Peek(r.used + 4) // they are in the buffer: there is no error
	return number(b[r.used:]) <= uint64(left)
}
