package frame

import "unicode/utf8"

// Decode reads the body of a frame. What follows it is the payload of a [Transfer], and an error otherwise. Bytes
// in the result are those of b. An empty body, a sign of life, is nil. The error is an [*Error].
func Decode(b []byte) (Body, []byte, error) {
	if len(b) == 0 {
		return nil, nil, nil
	}
	body, payload, err := decodeBody(b)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := body.(*Transfer); !ok && len(payload) > 0 {
		return nil, nil, malformed("%d bytes follow a performative", len(payload))
	}
	return body, payload, nil
}

func decodeBody(b []byte) (Body, []byte, *Error) {
	code, rest, err := described(b)
	if err != nil {
		return nil, nil, err
	}
	body := newBody(code)
	if body == nil {
		return nil, nil, malformed("there is no performative 0x%x", code)
	}
	rest, err = decodeFields(rest, body)
	return body, rest, err
}

// decodeFields reads the list of a composite and returns what follows. Fields that the list has beyond the
// known ones are ignored.
func decodeFields(b []byte, body Body) ([]byte, *Error) {
	kind, content, rest, err := split(b)
	if err != nil {
		return nil, err
	}
	d := decoder{}
	if d.left, d.b, err = items(kind, content); err != nil {
		return nil, err
	}
	body.fields(&d)
	return rest, d.err
}

// A decoder reads the fields of one composite. After an error it does nothing.
type decoder struct {
	b    []byte // from the next field on
	left int    // number of fields in it
	err  *Error
}

// absent reports whether there is nothing to read in the next field, and passes it by then.
func (d *decoder) absent() bool {
	if d.err != nil || d.left == 0 {
		return true
	}
	d.left--
	if len(d.b) == 0 {
		d.err = malformed("a field is missing")
		return true
	}
	if d.b[0] == typeNull {
		d.b = d.b[1:]
		return true
	}
	return false
}

// lacks reports whether a field that is needed is absent: that is an error.
func (d *decoder) lacks() bool {
	if !d.absent() {
		return false
	}
	if d.err == nil {
		d.err = malformed("a field that is needed is absent")
	}
	return true
}

// next takes the field that is there, which has to be of one of the types.
func (d *decoder) next(kinds ...byte) (kind byte, content []byte) {
	kind, content, rest, err := split(d.b)
	if err != nil {
		d.err = err
		return 0, nil
	}
	for _, k := range kinds {
		if k == kind {
			d.b = rest
			return kind, content
		}
	}
	d.err = malformed("a field has type 0x%02x", kind)
	return 0, nil
}

func (d *decoder) skip() {
	if d.absent() {
		return
	}
	d.b, d.err = jump(d.b)
}

func (d *decoder) text(p *string, needed bool) {
	if needed && d.lacks() || !needed && d.absent() {
		return
	}
	_, content := d.next(typeString8, typeString8+wide)
	if !utf8.Valid(content) {
		d.err = malformed("a string is not UTF-8")
		return
	}
	*p = string(content)
}

func (d *decoder) symbol(p *string) {
	if !d.lacks() {
		_, content := d.next(typeSymbol8, typeSymbol32)
		*p = string(content)
	}
}

// symbols reads one symbol or an array of them.
func (d *decoder) symbols(p *[]string) {
	if d.absent() {
		return
	}
	kind, content := d.next(typeSymbol8, typeSymbol32, typeArray8, typeArray32)
	switch kind {
	case typeSymbol8, typeSymbol32:
		*p = []string{string(content)}
	case typeArray8:
		*p, d.err = symbolArray(content, 1)
	case typeArray32:
		*p, d.err = symbolArray(content, 4)
	}
}

// symbolArray reads the content of an array whose length is a number of size bytes.
func symbolArray(b []byte, size int) ([]string, *Error) {
	if len(b) < size+1 {
		return nil, malformed("an array is cut off")
	}
	count, kind, b := number(b[:size]), b[size], b[size+1:]
	switch kind {
	case typeSymbol8:
		size = 1
	case typeSymbol32:
		size = 4
	default:
		return nil, malformed("an array of type 0x%02x in place of symbols", kind)
	}
	var list []string
	for range count {
		if len(b) < size || number(b[:size]) > uint64(len(b)-size) {
			return nil, malformed("a symbol of an array is cut off")
		}
		end := size + int(number(b[:size]))
		list = append(list, string(b[size:end]))
		b = b[end:]
	}
	return list, nil
}

func (d *decoder) binary(p *[]byte) {
	if d.absent() {
		return
	}
	_, *p = d.next(typeBinary8, typeBinary8+wide)
}

func (d *decoder) flag(p *bool) {
	if !d.absent() {
		*p = d.bool()
	}
}

func (d *decoder) role(p *bool) {
	if !d.lacks() {
		*p = d.bool()
	}
}

func (d *decoder) bool() bool {
	kind, content := d.next(typeTrue, typeFalse, typeBool)
	return kind == typeTrue || kind == typeBool && content[0] != 0
}

func (d *decoder) octet(p *uint8) {
	if !d.lacks() {
		_, content := d.next(typeUbyte)
		*p = uint8(number(content))
	}
}

func (d *decoder) ubyte(p *uint8, absent uint8) {
	*p = absent
	if !d.absent() {
		_, content := d.next(typeUbyte)
		*p = uint8(number(content))
	}
}

func (d *decoder) ushort(p *uint16, absent uint16) {
	*p = absent
	if !d.absent() {
		_, content := d.next(typeUshort)
		*p = uint16(number(content))
	}
}

func (d *decoder) maybeShort(p *Option[uint16]) {
	if !d.absent() {
		_, content := d.next(typeUshort)
		*p = Some(uint16(number(content)))
	}
}

func (d *decoder) uint(p *uint32, absent uint32) {
	*p = absent
	if !d.absent() {
		*p = d.number()
	}
}

func (d *decoder) need(p *uint32) {
	if !d.lacks() {
		*p = d.number()
	}
}

func (d *decoder) maybe(p *Option[uint32]) {
	if !d.absent() {
		*p = Some(d.number())
	}
}

func (d *decoder) number() uint32 {
	_, content := d.next(typeUint, typeSmallUint, typeUint0)
	return uint32(number(content))
}

func (d *decoder) ulong(p *uint64) {
	if !d.absent() {
		_, content := d.next(typeUlong, typeSmallUlong, typeUlong0)
		*p = number(content)
	}
}

// terminus reads a source or a target. One of another kind, a coordinator of transactions, has no address.
func (d *decoder) terminus(p **Terminus, kind uint64) {
	code, ok := d.descriptor()
	if !ok {
		return
	}
	*p = &Terminus{kind: kind}
	if code != kind {
		d.b, d.err = jump(d.b)
		return
	}
	d.b, d.err = decodeFields(d.b, *p)
}

func (d *decoder) state(p *State) {
	code, ok := d.descriptor()
	if !ok {
		return
	}
	*p = OtherState
	if code >= uint64(Received) && code <= uint64(Modified) {
		*p = State(code)
	}
	d.b, d.err = jump(d.b)
}

func (d *decoder) failure(p **Error) {
	code, ok := d.descriptor()
	if !ok {
		return
	}
	if code != codeError {
		d.err = malformed("descriptor 0x%x in place of an error", code)
		return
	}
	*p = new(Error)
	d.b, d.err = decodeFields(d.b, *p)
}

// descriptor takes that of the next field, if there is one.
func (d *decoder) descriptor() (uint64, bool) {
	if d.absent() {
		return 0, false
	}
	code, rest, err := described(d.b)
	if err != nil {
		d.err = err
		return 0, false
	}
	d.b = rest
	return code, true
}
