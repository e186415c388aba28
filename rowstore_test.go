package rowan_test

import (
	"testing"

	"github.com/rowan-embeddings/rowan"
	"github.com/rowan-embeddings/rowan/internal/tabletest"
	"github.com/rowan-embeddings/rowan/tensor"
)

func TestMemoryStore(t *testing.T) {
	tabletest.Run(t, func(t *testing.T, key tensor.KeyType, width int) rowan.RowStore {
		s, err := rowan.NewMemoryStore(key, width)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
