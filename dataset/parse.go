package dataset

import (
	"fmt"
	"math"
	"strconv"

	"github.com/rowan-embeddings/rowan/tensor"
)

// parseInt reads a whole number in decimal that a key type can hold. A uint64
// comes as the int64 of the same bits.
func parseInt(text []byte, k tensor.KeyType) (int64, error) {
	digits := 18 // fit an int64, whatever they are
	if k == tensor.Int32 {
		digits = 9
	}
	if len(text) > 0 && len(text) <= digits {
		if x, ok := shortInt(text); ok {
			return x, nil
		}
	}
	return longInt(string(text), k)
}

func shortInt(text []byte) (int64, bool) {
	x := int64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		x = 10*x + int64(c-'0')
	}
	return x, true
}

func longInt(text string, k tensor.KeyType) (int64, error) {
	var x int64
	var err error
	switch k {
	case tensor.Uint64:
		var u uint64
		u, err = strconv.ParseUint(text, 10, 64)
		x = int64(u)
	case tensor.Int32:
		x, err = strconv.ParseInt(text, 10, 32)
	default:
		x, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number; expected %s", text, rangeOf(k))
	}
	return x, nil
}

func rangeOf(k tensor.KeyType) string {
	switch k {
	case tensor.Int32:
		return "an int32, from -2147483648 to 2147483647"
	case tensor.Uint64:
		return "a uint64, from 0 to 18446744073709551615"
	}
	return "an int64, from -9223372036854775808 to 9223372036854775807"
}

// tens are the powers of ten that a float32 holds exactly.
var tens = [...]float32{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}

// parseNumber reads a finite float32, correctly rounded.
func parseNumber(text []byte) (float32, error) {
	if x, ok := shortNumber(text); ok {
		return x, nil
	}
	x, err := strconv.ParseFloat(string(text), 32)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is not a number; expected one like 3.5, -2 or 1e-3, within ±3.4e38", text)
	}
	return float32(x), nil
}

// shortNumber reads decimals whose digits make an integer below 2^24. Both it
// and the power of ten below the point are exact, so that their quotient is
// rounded once, as it should be.
func shortNumber(text []byte) (float32, bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	digits, value, point := 0, uint32(0), -1
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			value = 10*value + uint32(c-'0')
			digits++
		case c == '.' && point < 0:
			point = i
		default:
			return 0, false
		}
	}
	if digits == 0 || digits > 9 || value >= 1<<24 {
		return 0, false
	}
	x := float32(value)
	if point >= 0 {
		x /= tens[len(text)-1-point]
	}
	if negative {
		x = -x
	}
	return x, true
}

// id returns the id of v's band.
func (b *Bucket) id(v float64) int64 {
	band := math.Floor((v - b.From) / b.Width)
	most := float64(1 << 31) // an id that no int32 holds is refused by its caller
	if b.Bands > 0 {
		most = float64(b.Bands) - 1
	}
	return 1 + int64(min(max(band, 0), most))
}
