package fleet

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// A source passes a file on, counts its lines and stops at the first byte that is not UTF-8: package json
// would put U+FFFD in its place without a word.
type source struct {
	r      io.Reader
	lines  int           // line ends passed on
	offset int64         // bytes passed on
	copy   *bytes.Buffer // gets a copy of what is passed on; nil for none
	cut    []byte        // the start of a character whose rest the next read brings
	err    error         // sticky
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	good := p[:s.valid(p[:n])]
	s.offset += int64(len(good))
	s.lines += bytes.Count(good, []byte{'\n'})
	if s.copy != nil {
		s.copy.Write(good)
	}
	s.err = err
	if len(good) < n {
		s.err = &Error{Line: s.lines + 1, Offset: s.offset, Message: "the text is not UTF-8: save the file in UTF-8"}
	}
	return len(good), s.err
}

// valid returns how many bytes of p are UTF-8, those of a character that p cuts included.
func (s *source) valid(p []byte) int {
	rest := p
	for len(s.cut) > 0 && len(rest) > 0 {
		s.cut = append(s.cut, rest[0])
		if utf8.FullRune(s.cut) {
			if !utf8.Valid(s.cut) {
				return len(p) - len(rest)
			}
			s.cut = s.cut[:0]
		}
		rest = rest[1:]
	}
	if utf8.Valid(rest) {
		return len(p)
	}
	return len(p) - len(rest) + s.validPrefix(rest)
}

func (s *source) validPrefix(p []byte) int {
	for i := 0; i < len(p); {
		if !utf8.FullRune(p[i:]) {
			s.cut = append(s.cut, p[i:]...)
			break
		}
		r, size := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(p)
}
