package frame

// A visitor is shown the fields of a composite in the order of the standard: an encoder writes them, a decoder
// reads them. So each composite is described once.
type visitor interface {
	text(p *string, needed bool)
	symbol(p *string) // needed
	symbols(p *[]string)
	binary(p *[]byte)
	flag(p *bool)   // false if absent
	role(p *bool)   // needed
	octet(p *uint8) // needed
	ubyte(p *uint8, absent uint8)
	ushort(p *uint16, absent uint16)
	maybeShort(p *Option[uint16])
	uint(p *uint32, absent uint32)
	need(p *uint32)
	maybe(p *Option[uint32])
	ulong(p *uint64) // 0 if absent
	terminus(p **Terminus, kind uint64)
	state(p *State)
	failure(p **Error)
	skip() // a field that nobody here needs
}
