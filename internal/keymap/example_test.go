package keymap_test

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/internal/keymap"
)

func ExampleMap_Insert() {
	m, err := keymap.New(keymap.Options{Stripes: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	keys := []uint64{1001, 7, 1001}
	hashes := make([]uint64, len(keys))
	for i, key := range keys {
		hashes[i] = keymap.Hash(key)
	}
	rows, free, added := make([]uint32, 3), []uint32{0, 1, 2}, make([]uint32, 3)
	n := m.Insert(hashes, rows, free, added)
	fmt.Println("rows", rows, "new", added[:n])

	row, ok := m.Delete(keymap.Hash(7))
	fmt.Println("deleted row", row, ok)
	m.Find(hashes, rows)
	fmt.Println(rows[0], rows[1] == keymap.None)
	// Output:
	// rows [0 1 0] new [0 1]
	// deleted row 1 true
	// 0 true
}

func ExampleStrings() {
	s, err := keymap.NewStrings(keymap.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	for i, genre := range []string{"Drama", "Comedy", "Drama"} {
		row, existed, err := s.FindOrInsert(keymap.HashString(genre), genre, uint32(i))
		fmt.Println(genre, row, existed, err)
	}
	fmt.Println(s.Key(1))
	// Output:
	// Drama 0 false <nil>
	// Comedy 1 false <nil>
	// Drama 0 true <nil>
	// Comedy true
}
