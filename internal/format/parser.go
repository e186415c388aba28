package format

import "encoding/binary"

// parser takes fields off a section in memory. After the first error it returns
// zeros, and err says what was missing.
type parser struct {
	b   []byte
	at  int64 // offset in the file of b
	err error
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = corrupt(p.at, format, args...)
	}
}

func (p *parser) take(n int, what string) []byte {
	if p.err == nil && n > len(p.b) {
		p.fail("%s needs %d bytes, the section has %d left", what, n, len(p.b))
	}
	if p.err != nil {
		return nil
	}
	taken := p.b[:n]
	p.b, p.at = p.b[n:], p.at+int64(n)
	return taken
}

func (p *parser) u8(what string) uint8 {
	if b := p.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (p *parser) u32(what string) uint32 {
	if b := p.take(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (p *parser) u64(what string) uint64 {
	if b := p.take(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (p *parser) name(what string) string {
	n := p.u32("length of " + what)
	if n > maxName {
		p.fail("%s of %d bytes, at most %d", what, n, maxName)
		return ""
	}
	return string(p.take(int(n), what))
}

// end fails unless the section is used up.
func (p *parser) end() {
	if len(p.b) > 0 {
		p.fail("%d bytes more than the section should have", len(p.b))
	}
}
