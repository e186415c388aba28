package format

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// number is what files hold in bulk.
type number interface {
	uint8 | uint16 | uint32 | uint64 | float32 | Cell
}

// littleEndian says that the host keeps numbers in memory as files do.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// view returns the memory of v as bytes, not a copy.
func view[T number](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(v[0])))
}

// toFile returns the bytes of v as files have them: the memory of v where that
// is the same, else a copy in buf. portable asks for the copy.
func toFile[T number](v []T, buf *[]byte, portable bool) []byte {
	if littleEndian && !portable {
		return view(v)
	}
	*buf = appendNumbers((*buf)[:0], v, portable)
	return *buf
}

// appendNumbers appends the bytes of v, as files have them, to b.
func appendNumbers[T number](b []byte, v []T, portable bool) []byte {
	if littleEndian && !portable || unsafe.Sizeof(*new(T)) == 1 {
		return append(b, view(v)...)
	}
	for _, x := range v {
		switch x := any(x).(type) {
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, x)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, x)
		case int32:
			b = binary.LittleEndian.AppendUint32(b, uint32(x))
		case float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, x)
		case int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		case float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	}
	return b
}

// fromFile turns v, into whose memory bytes of a file were read, into numbers.
func fromFile[T number](v []T, portable bool) {
	if littleEndian && !portable {
		return
	}
	b := view(v)
	for i := range v {
		switch x := any(&v[i]).(type) {
		case *uint16:
			*x = binary.LittleEndian.Uint16(b[2*i:])
		case *uint32:
			*x = binary.LittleEndian.Uint32(b[4*i:])
		case *int32:
			*x = int32(binary.LittleEndian.Uint32(b[4*i:]))
		case *float32:
			*x = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		case *uint64:
			*x = binary.LittleEndian.Uint64(b[8*i:])
		case *int64:
			*x = int64(binary.LittleEndian.Uint64(b[8*i:]))
		case *float64:
			*x = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
}
