package rowan

import (
	"github.com/rowan-embeddings/rowan/internal/keymap"
	"github.com/rowan-embeddings/rowan/tensor"
)

// index takes keys to row numbers. A call touches only the stripes of the keys
// it is given, which the caller has locked: for find and get to read, for the
// others to write.
type index interface {
	// find fills rows with the row of each key, or rowAbsent.
	find(k *keyBatch, rows []uint32)
	// get returns the row of key i, or rowAbsent.
	get(k *keyBatch, i int) uint32
	// put gives key i, which is absent, a row.
	put(k *keyBatch, i int, row uint32) error
	// insert gives the keys that have no row, which find has told, those in
	// free, in order: the key added[j] got free[j], for j < n. A key that comes
	// twice gets one row. free and added have room for all.
	insert(k *keyBatch, rows, free, added []uint32) (n int, err error)
	// remove takes key i out and returns its row, or rowAbsent.
	remove(k *keyBatch, i int) uint32
	// stripe appends the keys and rows of a stripe, in no particular order.
	// Strings stay valid whatever happens to the index.
	stripe(s int, to *keyRows)
	len() int
	bytes() int64
	close() error
}

// keyRows is keys and the rows they have.
type keyRows struct {
	keys keyBatch
	rows []uint32
}

func (k *keyRows) reset() {
	k.keys.ints, k.keys.strs, k.rows = k.keys.ints[:0], k.keys.strs[:0], k.rows[:0]
}

// newIndex returns an empty index of the table's kind.
func (t *Table) newIndex() (index, error) {
	o := keymap.Options{Stripes: stripes, Capacity: t.opt.InitialCapacity}
	switch {
	case t.opt.Rows > 0:
		return staticIndex{rows: uint64(t.opt.Rows), shift: t.shift}, nil
	case t.opt.KeyType == tensor.String:
		m, err := keymap.NewStrings(o)
		return stringIndex{m}, err
	}
	m, err := keymap.New(o)
	return intIndex{m}, err
}

// intIndex is the index of integer keys. A key and its hash tell each other, so
// that the hash is all the map needs.
type intIndex struct{ m *keymap.Map }

func (x intIndex) find(k *keyBatch, rows []uint32) { x.m.Find(k.hashes, rows) }

func (x intIndex) get(k *keyBatch, i int) uint32 {
	return x.m.Get(k.hashes[i])
}

func (x intIndex) put(k *keyBatch, i int, row uint32) error {
	x.m.FindOrInsert(k.hashes[i], row)
	return nil
}

func (x intIndex) insert(k *keyBatch, rows, free, added []uint32) (int, error) {
	return x.m.Insert(k.hashes, rows, free, added), nil
}

func (x intIndex) remove(k *keyBatch, i int) uint32 {
	if row, ok := x.m.Delete(k.hashes[i]); ok {
		return row
	}
	return rowAbsent
}

func (x intIndex) stripe(s int, to *keyRows) {
	for key, row := range x.m.All(s) {
		to.keys.ints = append(to.keys.ints, key)
		to.rows = append(to.rows, row)
	}
}

func (x intIndex) len() int     { return x.m.Len() }
func (x intIndex) bytes() int64 { return x.m.Bytes() }
func (x intIndex) close() error { return x.m.Close() }

// stringIndex is the index of string keys.
type stringIndex struct{ m *keymap.Strings }

func (x stringIndex) find(k *keyBatch, rows []uint32) { x.m.Find(k.hashes, k.strs, rows) }

func (x stringIndex) get(k *keyBatch, i int) uint32 {
	var row [1]uint32
	x.m.Find(k.hashes[i:i+1], k.strs[i:i+1], row[:])
	return row[0]
}

func (x stringIndex) put(k *keyBatch, i int, row uint32) error {
	_, _, err := x.m.FindOrInsert(k.hashes[i], k.strs[i], row)
	return err
}

func (x stringIndex) insert(k *keyBatch, rows, free, added []uint32) (int, error) {
	return x.m.Insert(k.hashes, k.strs, rows, free, added)
}

func (x stringIndex) remove(k *keyBatch, i int) uint32 {
	if row, ok := x.m.Delete(k.hashes[i], k.strs[i]); ok {
		return row
	}
	return rowAbsent
}

func (x stringIndex) stripe(s int, to *keyRows) {
	for key, row := range x.m.All(s) {
		to.keys.strs = append(to.keys.strs, key)
		to.rows = append(to.rows, row)
	}
}

func (x stringIndex) len() int     { return x.m.Len() }
func (x stringIndex) bytes() int64 { return x.m.Bytes() }
func (x stringIndex) close() error { return x.m.Close() }

// staticIndex is no index at all: the key is the row.
type staticIndex struct {
	rows  uint64
	shift uint
}

func (x staticIndex) find(k *keyBatch, rows []uint32) {
	for i, id := range k.ints {
		rows[i] = x.row(id)
	}
}

func (x staticIndex) row(id uint64) uint32 {
	if id >= x.rows {
		return rowAbsent
	}
	return uint32(id)
}

func (x staticIndex) get(k *keyBatch, i int) uint32 { return x.row(k.ints[i]) }
func (x staticIndex) insert(*keyBatch, []uint32, []uint32, []uint32) (int, error) {
	return 0, ErrStatic
}

func (x staticIndex) remove(*keyBatch, int) uint32 { return rowAbsent }
func (x staticIndex) len() int                     { return int(x.rows) }
func (x staticIndex) bytes() int64                 { return 0 }
func (x staticIndex) close() error                 { return nil }

// put takes a key that is its row number, which is where rows go that are
// moved in ascending order.
func (x staticIndex) put(k *keyBatch, i int, row uint32) error {
	if x.row(k.ints[i]) != row {
		return ErrStatic
	}
	return nil
}

func (x staticIndex) stripe(s int, to *keyRows) {
	for r := uint64(s) << x.shift; r < min(uint64(s+1)<<x.shift, x.rows); r++ {
		to.keys.ints = append(to.keys.ints, r)
		to.rows = append(to.rows, uint32(r))
	}
}
