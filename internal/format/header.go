package format

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/rowan-embeddings/rowan/tensor"
)

// MaxStride is the most numbers that a row may have, slots included. It is far
// above any embedding, and keeps the size of a block within 64-bit arithmetic.
const MaxStride = 1 << 20

// MaxSlots is the most slots that a row may have.
const MaxSlots = 64

// Unknown is the Rows of a header that is written before the rows are counted,
// as when a table is exported while it is trained. The footer has the count.
const Unknown = -1

// Slot is a piece of optimiser state that each row carries after its weights.
type Slot struct {
	// Name is at most 1,024 bytes of UTF-8: "accumulator".
	Name string
	// Width is the number of numbers, at least 1.
	Width int
}

// Header says what a table file holds.
type Header struct {
	// Name is the table's, at most 1,024 bytes of UTF-8.
	Name string
	// KeyType is the type of the keys.
	KeyType tensor.KeyType
	// Type is the type of the weights. Slots and last steps are for types up to
	// Float64; slots are float64 beside weights of Float64, else float32.
	Type Type
	// Width is the number of weights a row has, at least 1.
	Width int
	// Slots lie behind the weights, in this order and without padding.
	Slots []Slot
	// Seed is the seed of the table's first values.
	Seed uint64
	// Step is the number of the last step that the table was trained for, at least 0.
	Step int64
	// HasLast says that each row comes with the step of its last update.
	HasLast bool
	// Rows is the number of rows in the file, or Unknown.
	Rows int64
	// Policy names what says which rows a table gives up first, at most 1,024
	// bytes of UTF-8: each row comes with its score then. "" where there is none.
	Policy string
	// Clock is the time that the policy goes by; 0 without one.
	Clock int64
}

// version returns the lowest version that can hold what h says: a file is no
// newer than it must be.
func (h *Header) version() uint32 {
	switch {
	case h.Type > BFloat16:
		return TableVersion
	case h.Type != Float32:
		return halvesVersion
	case h.Policy != "":
		return scoresVersion
	}
	return Version
}

// Stride returns the numbers of a row: weights and slots.
func (h *Header) Stride() int {
	n := h.Width
	for _, s := range h.Slots {
		n += s.Width
	}
	return n
}

// check returns what keeps h from being written, in words, or "".
func (h *Header) check() error {
	if h.KeyType > tensor.String {
		return invalid("key type %v", h.KeyType)
	}
	if err := h.checkType(); err != nil {
		return err
	}
	if h.Rows < Unknown {
		return invalid("row count %d: it must be at least 0, or Unknown", h.Rows)
	}
	if h.Step < 0 {
		return invalid("step %d: it must be at least 0", h.Step)
	}
	if h.Policy == "" && h.Clock != 0 {
		return invalid("clock %d without a policy", h.Clock)
	}
	if len(h.Slots) > MaxSlots {
		return invalid("%d slots, at most %d", len(h.Slots), MaxSlots)
	}
	if err := checkName("table", h.Name); err != nil {
		return err
	}
	if err := checkName("policy", h.Policy); err != nil {
		return err
	}
	left := MaxStride
	for i, w := range append([]Slot{{"weights", h.Width}}, h.Slots...) {
		if w.Width < 1 || w.Width > left {
			return invalid("width %d of %q: a row must have at least 1 number of it, and %d of all", w.Width, w.Name, MaxStride)
		}
		if left -= w.Width; i == 0 {
			continue
		}
		if err := checkName("slot", w.Name); err != nil {
			return err
		}
	}
	return nil
}

// checkType reports a type that there is not, or that has no state and should have.
func (h *Header) checkType() error {
	switch {
	case h.Type > Text:
		return invalid("weights of %v: the types are 0, float32, to 8, string", h.Type)
	case !h.Type.trained() && len(h.Slots) > 0:
		return invalid("%d slots beside weights of %v: float32, float16, bfloat16 and float64 have some", len(h.Slots), h.Type)
	case !h.Type.trained() && h.HasLast:
		return invalid("last steps beside weights of %v: float32, float16, bfloat16 and float64 have some", h.Type)
	}
	return nil
}

func checkName(of, name string) error {
	if len(name) > maxName || !utf8.ValidString(name) {
		return invalid("name %.40q of a %s: it must be UTF-8 of at most %d bytes, got %d", name, of, maxName, len(name))
	}
	return nil
}

const (
	flagLast   = 1
	flagScores = 2 // version 2 always has it, version 1 never, later ones as it comes
)

// append appends the body of the header, without preamble and CRC:
//
//	key type u8 | dtype u8 | flags u8 | 0 u8 | width u32 | rows i64 | seed u64 | step i64 |
//	slots u32 | name | (slot width u32 | slot name) …
//
// and with scores behind that: policy name | clock i64. dtype is the Type.
func (h *Header) append(b []byte) []byte {
	le := binary.LittleEndian
	flags := byte(0)
	if h.HasLast {
		flags |= flagLast
	}
	if h.Policy != "" {
		flags |= flagScores
	}
	b = append(b, byte(h.KeyType), byte(h.Type), flags, 0)
	b = le.AppendUint32(b, uint32(h.Width))
	b = le.AppendUint64(b, uint64(h.Rows))
	b = le.AppendUint64(b, h.Seed)
	b = le.AppendUint64(b, uint64(h.Step))
	b = le.AppendUint32(b, uint32(len(h.Slots)))
	b = appendName(b, h.Name)
	for _, s := range h.Slots {
		b = le.AppendUint32(b, uint32(s.Width))
		b = appendName(b, s.Name)
	}
	if h.Policy != "" {
		b = appendName(b, h.Policy)
		b = le.AppendUint64(b, uint64(h.Clock))
	}
	return b
}

func appendName(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// versionHas reports whether files of a version have such weights, and scores.
func versionHas(version uint32, t Type, scores bool) bool {
	switch version {
	case TableVersion:
		return t > BFloat16 && t <= Text
	case halvesVersion:
		return t.half() != 0
	case scoresVersion:
		return t == Float32 && scores
	}
	return t == Float32 && !scores
}

// parseHeader is the inverse of append, for a file of a version. at is the
// offset of body in the file.
func parseHeader(version uint32, body []byte, at int64) (Header, error) {
	p := parser{b: body, at: at}
	h := Header{KeyType: tensor.KeyType(p.u8("key type"))}
	dtype, flags, zero := p.u8("dtype"), p.u8("flags"), p.u8("padding")
	h.Width = int(p.u32("width"))
	h.Rows = int64(p.u64("rows"))
	h.Seed = p.u64("seed")
	h.Step = int64(p.u64("step"))
	slots := p.u32("slot count")
	h.Name = p.name("table name")
	h.HasLast = flags&flagLast != 0
	h.Type = Type(dtype)
	scores := flags & flagScores
	if !versionHas(version, h.Type, scores != 0) || flags&^(flagLast|flagScores) != 0 || zero != 0 {
		p.fail("dtype %d, flags %#x, padding %d: of flags there are 1 and 2, and no padding; version 1 has dtype 0 and not flag 2, version 2 dtype 0 and flag 2, version 3 dtype 1 or 2, version 4 dtype 3 to 8. This is version %d",
			dtype, flags, zero, version)
	}
	for i := uint32(0); i < slots && p.err == nil; i++ {
		h.Slots = append(h.Slots, Slot{Width: int(p.u32("slot width")), Name: p.name("slot name")})
	}
	if scores != 0 {
		if h.Policy = p.name("policy name"); h.Policy == "" {
			p.fail("scores of a policy without a name")
		}
		h.Clock = int64(p.u64("clock"))
	}
	p.end()
	if p.err != nil {
		return Header{}, p.err
	}
	if err := h.check(); err != nil {
		return Header{}, corrupt(at, "header: %v", err)
	}
	return h, nil
}
