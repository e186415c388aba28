package recipe

import (
	"fmt"
	"strconv"

	"github.com/rowan-embeddings/rowan/tensor"
)

// parseKey reads a key as text writes it.
func parseKey(k tensor.KeyType, text string) (tensor.IDs, error) {
	bad := func(err error) error {
		return fmt.Errorf("%w: the table has %s keys, and %q is none: %w", ErrArgument, k, text, err)
	}
	switch k {
	case tensor.String:
		return tensor.NewDense([]string{text}, 1)
	case tensor.Uint64:
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, bad(err)
		}
		return tensor.NewDense([]uint64{v}, 1)
	case tensor.Int32:
		v, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, bad(err)
		}
		return tensor.NewDense([]int32{int32(v)}, 1)
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, bad(err)
	}
	return tensor.NewDense([]int64{v}, 1)
}

// keyAt writes key i of a batch as text.
func keyAt(ids tensor.IDs, i int) string {
	switch d := ids.(type) {
	case *tensor.Dense[string]:
		return d.Values()[i]
	case *tensor.Dense[uint64]:
		return strconv.FormatUint(d.Values()[i], 10)
	case *tensor.Dense[int32]:
		return strconv.FormatInt(int64(d.Values()[i]), 10)
	case *tensor.Dense[int64]:
		return strconv.FormatInt(d.Values()[i], 10)
	}
	return ""
}
