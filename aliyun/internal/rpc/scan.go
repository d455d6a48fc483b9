package rpc

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// A scan walks over JSON that is known to be valid. Between its steps it stands before something, never before space.
type scan struct {
	data []byte
	at   int
}

func (s *scan) peek() byte {
	if s.at >= len(s.data) {
		return 0
	}
	return s.data[s.at]
}

func (s *scan) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// step goes past one byte and the space behind it.
func (s *scan) step() {
	s.at++
	s.space()
}

func (s *scan) open() { s.step() }

// key goes past a key and its colon and returns the key.
func (s *scan) key() []byte {
	raw := s.skip()
	s.step()
	if bytes.IndexByte(raw, '\\') >= 0 {
		return []byte(unquote(raw))
	}
	return raw[1 : len(raw)-1]
}

// closed goes past the end of an object or a list, if it is there.
func (s *scan) closed() bool {
	if c := s.peek(); c == '}' || c == ']' || c == 0 {
		s.step()
		return true
	}
	return false
}

func (s *scan) comma() {
	if s.peek() == ',' {
		s.step()
	}
}

// empty reports whether the next value is null or "".
func (s *scan) empty() bool {
	rest := s.data[s.at:]
	return len(rest) >= 2 && (rest[0] == 'n' || rest[0] == '"' && rest[1] == '"')
}

// skip goes past the next value and returns it as it is written.
func (s *scan) skip() []byte {
	from := s.at
	depth := 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			s.quoted()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':', ' ', '\t', '\n', '\r':
			s.at++
		default:
			s.literal()
		}
		if depth == 0 {
			break
		}
	}
	value := s.data[from:s.at]
	s.space()
	return value
}

// quoted goes past a string, literal past a number, true, false or null.
func (s *scan) quoted() {
	for s.at++; s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

func (s *scan) literal() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return
		}
		s.at++
	}
}

// text goes past a single value and returns it as text: a string's content, nothing for null, what is written for others.
func (s *scan) text() string {
	raw := s.skip()
	switch {
	case len(raw) > 0 && raw[0] == 'n':
		return ""
	case len(raw) > 0 && raw[0] == '"':
		return unquote(raw)
	}
	return string(raw)
}

func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			var out string
			_ = json.Unmarshal(raw, &out) // it is valid
			return out
		}
	}
	return string(inner)
}
