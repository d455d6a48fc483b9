package frame

import (
	"encoding/binary"
	"math"
)

// The constructors of the primitive types that are read or written here. The upper half of each tells how the
// size of a value is known, see split.
const (
	typeDescribed  = 0x00
	typeNull       = 0x40
	typeTrue       = 0x41
	typeFalse      = 0x42
	typeUint0      = 0x43
	typeUlong0     = 0x44
	typeList0      = 0x45
	typeUbyte      = 0x50
	typeSmallUint  = 0x52
	typeSmallUlong = 0x53
	typeBool       = 0x56
	typeUshort     = 0x60
	typeUint       = 0x70
	typeUlong      = 0x80
	typeBinary8    = 0xa0
	typeString8    = 0xa1
	typeSymbol8    = 0xa3
	typeSymbol32   = 0xb3
	typeList8      = 0xc0
	typeList32     = 0xd0
	typeArray8     = 0xe0
	typeArray32    = 0xf0
)

// wide is the difference between a type's constructor for short values and that for long ones.
const wide = 0x10

func appendUint(b []byte, n uint32) []byte {
	switch {
	case n == 0:
		return append(b, typeUint0)
	case n <= math.MaxUint8:
		return append(b, typeSmallUint, byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, typeUint), n)
}

func appendUlong(b []byte, n uint64) []byte {
	switch {
	case n == 0:
		return append(b, typeUlong0)
	case n <= math.MaxUint8:
		return append(b, typeSmallUlong, byte(n))
	}
	return binary.BigEndian.AppendUint64(append(b, typeUlong), n)
}

// appendSized appends a text or bytes; short is the constructor for those of less than 256 bytes.
func appendSized[T string | []byte](b []byte, short byte, value T) []byte {
	if len(value) <= math.MaxUint8 {
		b = append(b, short, byte(len(value)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, short+wide), uint32(len(value)))
	}
	return append(b, value...)
}

// split takes the first value off b: its constructor, its content without the size in front, and what
// follows. A described value has no size: see described.
func split(b []byte) (kind byte, content, rest []byte, err *Error) {
	if len(b) == 0 {
		return 0, nil, nil, malformed("a value is missing")
	}
	kind, b = b[0], b[1:]
	prefix, size := 0, 0
	switch kind >> 4 {
	case 0x4:
	case 0x5:
		size = 1
	case 0x6:
		size = 2
	case 0x7:
		size = 4
	case 0x8:
		size = 8
	case 0x9:
		size = 16
	case 0xa, 0xc, 0xe:
		prefix = 1
	case 0xb, 0xd, 0xf:
		prefix = 4
	default:
		return 0, nil, nil, malformed("there is no type 0x%02x", kind)
	}
	if len(b) < prefix {
		return 0, nil, nil, malformed("the size of a value is cut off")
	}
	if prefix > 0 {
		claimed := number(b[:prefix])
		if claimed > uint64(len(b)-prefix) {
			return 0, nil, nil, malformed("a value of %d bytes is cut off", claimed)
		}
		size = int(claimed)
	}
	if len(b) < prefix+size {
		return 0, nil, nil, malformed("a value of %d bytes is cut off", size)
	}
	return kind, b[prefix : prefix+size], b[prefix+size:], nil
}

// number reads an unsigned number of up to 8 bytes; of none, 0.
func number(b []byte) uint64 {
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

// described takes a descriptor off b, which begins with it. One that is not known is 0.
func described(b []byte) (code uint64, rest []byte, err *Error) {
	if len(b) == 0 || b[0] != typeDescribed {
		return 0, nil, malformed("a described value is missing")
	}
	kind, content, rest, err := split(b[1:])
	switch {
	case err != nil:
		return 0, nil, err
	case kind == typeUlong0 || kind == typeSmallUlong || kind == typeUlong:
		return number(content), rest, nil
	case kind == typeSymbol8 || kind == typeSymbol32:
		return descriptorNames[string(content)], rest, nil
	}
	return 0, nil, malformed("a descriptor has type 0x%02x", kind)
}

// jump takes one value of any type off b and returns what follows.
func jump(b []byte) ([]byte, *Error) {
	for len(b) > 0 && b[0] == typeDescribed {
		_, rest, err := described(b)
		if err != nil {
			return nil, err
		}
		b = rest
	}
	_, _, rest, err := split(b)
	return rest, err
}

// items opens the content of a list: how many values there are, and their bytes.
func items(kind byte, content []byte) (count int, values []byte, err *Error) {
	size := 0
	switch kind {
	case typeList0:
		return 0, nil, nil
	case typeList8:
		size = 1
	case typeList32:
		size = 4
	default:
		return 0, nil, malformed("type 0x%02x in place of a list", kind)
	}
	if len(content) < size {
		return 0, nil, malformed("the length of a list is cut off")
	}
	claimed := number(content[:size])
	if claimed > uint64(len(content)-size) {
		return 0, nil, malformed("a list of %d values in %d bytes", claimed, len(content))
	}
	return int(claimed), content[size:], nil
}
