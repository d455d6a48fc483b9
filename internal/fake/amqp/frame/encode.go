package frame

import "encoding/binary"

// The types of a frame.
const (
	AMQP uint8 = 0
	SASL uint8 = 1
)

// headerSize is the size of a frame's header.
const headerSize = 8

// Append appends a frame to b and returns the extended slice. The payload is that of a [Transfer], else nil.
// A nil body makes an empty frame, a mere sign of life.
func Append(b []byte, kind uint8, channel uint16, body Body, payload []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, headerSize/4, kind, byte(channel>>8), byte(channel))
	if body != nil {
		b = appendComposite(b, body)
	}
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at))
	return b
}

// An encoder writes the fields of one composite. Absent ones become null, and those at the end are left out.
type encoder struct {
	b     []byte
	count uint32 // fields so far
	end   int    // where the last one that is present ends
	last  uint32 // and its number, from 1; 0 if there is none
}

func appendComposite(b []byte, body Body) []byte {
	b = appendUlong(append(b, 0), body.code())
	at := len(b)
	e := encoder{b: append(b, typeList32, 0, 0, 0, 0, 0, 0, 0, 0)}
	body.fields(&e)
	if e.last == 0 {
		return append(b[:at], typeList0)
	}
	b = e.b[:e.end]
	binary.BigEndian.PutUint32(b[at+1:], uint32(len(b)-at-5))
	binary.BigEndian.PutUint32(b[at+5:], e.last)
	return b
}

func (e *encoder) skip() {
	e.count++
	e.b = append(e.b, typeNull)
}

// put ends a field that is present.
func (e *encoder) put(b []byte) {
	e.b = b
	e.count++
	e.last, e.end = e.count, len(b)
}

func (e *encoder) text(p *string, needed bool) {
	if *p == "" && !needed {
		e.skip()
		return
	}
	e.put(appendSized(e.b, typeString8, *p))
}

func (e *encoder) symbol(p *string) { e.put(appendSized(e.b, typeSymbol8, *p)) }

func (e *encoder) symbols(p *[]string) {
	var elements []byte
	for _, s := range *p {
		elements = binary.BigEndian.AppendUint32(elements, uint32(len(s)))
		elements = append(elements, s...)
	}
	b := append(e.b, typeArray32)
	b = binary.BigEndian.AppendUint32(b, uint32(4+1+len(elements)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(*p)))
	e.put(append(append(b, typeSymbol32), elements...))
}

func (e *encoder) binary(p *[]byte) {
	if *p == nil {
		e.skip()
		return
	}
	e.put(appendSized(e.b, typeBinary8, *p))
}

func (e *encoder) flag(p *bool) {
	if !*p {
		e.skip()
		return
	}
	e.put(append(e.b, typeTrue))
}

func (e *encoder) role(p *bool) {
	if *p {
		e.put(append(e.b, typeTrue))
		return
	}
	e.put(append(e.b, typeFalse))
}

func (e *encoder) octet(p *uint8) { e.put(append(e.b, typeUbyte, *p)) }

func (e *encoder) ubyte(p *uint8, absent uint8) {
	if *p == absent {
		e.skip()
		return
	}
	e.octet(p)
}

func (e *encoder) ushort(p *uint16, absent uint16) {
	if *p == absent {
		e.skip()
		return
	}
	e.put(binary.BigEndian.AppendUint16(append(e.b, typeUshort), *p))
}

func (e *encoder) maybeShort(p *Option[uint16]) {
	if !p.Set {
		e.skip()
		return
	}
	e.put(binary.BigEndian.AppendUint16(append(e.b, typeUshort), p.Value))
}

func (e *encoder) uint(p *uint32, absent uint32) {
	if *p == absent {
		e.skip()
		return
	}
	e.need(p)
}

func (e *encoder) need(p *uint32) { e.put(appendUint(e.b, *p)) }

func (e *encoder) maybe(p *Option[uint32]) {
	if !p.Set {
		e.skip()
		return
	}
	e.need(&p.Value)
}

func (e *encoder) ulong(p *uint64) {
	if *p == 0 {
		e.skip()
		return
	}
	e.put(appendUlong(e.b, *p))
}

func (e *encoder) terminus(p **Terminus, kind uint64) {
	if *p == nil {
		e.skip()
		return
	}
	t := **p
	t.kind = kind
	e.put(appendComposite(e.b, &t))
}

func (e *encoder) state(p *State) {
	if *p == NoState {
		e.skip()
		return
	}
	e.put(append(appendUlong(append(e.b, 0), uint64(*p)), typeList0))
}

func (e *encoder) failure(p **Error) {
	if *p == nil {
		e.skip()
		return
	}
	e.put(appendComposite(e.b, *p))
}
