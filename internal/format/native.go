package format

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// number is what files hold in bulk.
type number interface {
	uint8 | uint16 | float32 | uint32 | int64 | uint64
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
	b := (*buf)[:0]
	for _, x := range v {
		switch x := any(x).(type) {
		case float32:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, x)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, x)
		case int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, x)
		}
	}
	*buf = b
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
		case *float32:
			*x = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		case *uint16:
			*x = binary.LittleEndian.Uint16(b[2*i:])
		case *uint32:
			*x = binary.LittleEndian.Uint32(b[4*i:])
		case *int64:
			*x = int64(binary.LittleEndian.Uint64(b[8*i:]))
		case *uint64:
			*x = binary.LittleEndian.Uint64(b[8*i:])
		}
	}
}
