package keymap

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomKeys returns n keys and their hashes.
func randomKeys(n int) (keys, hashes []uint64) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	keys, hashes = make([]uint64, n), make([]uint64, n)
	for i := range keys {
		keys[i] = r.Uint64()
		hashes[i] = Hash(keys[i])
	}
	return keys, hashes
}

var benchSizes = []int{1_000_000, 10_000_000}

const benchBatch = 4096

// BenchmarkFind looks present keys up in random order, in batches; an operation
// is a key, its hash included.
func BenchmarkFind(b *testing.B) {
	for _, n := range benchSizes {
		keys, hashes := randomKeys(n)
		order := rand.New(rand.NewPCG(2, 2)).Perm(n)
		asked := make([]uint64, n)
		for i, at := range order {
			asked[i] = keys[at]
		}
		b.Run(fmt.Sprintf("impl=rowan/keys=%d", n), func(b *testing.B) { benchFind(b, hashes, asked) })
		b.Run(fmt.Sprintf("impl=rowan/keys=%d/absent", n), func(b *testing.B) { benchFind(b, hashes, absentKeys(n)) })
		b.Run(fmt.Sprintf("impl=builtin/keys=%d", n), func(b *testing.B) { benchFindBuiltin(b, keys, asked) })
	}
}

func absentKeys(n int) []uint64 {
	r := rand.New(rand.NewPCG(3, 3))
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = r.Uint64()
	}
	return keys
}

func benchFind(b *testing.B, hashes, asked []uint64) {
	m := build(b, hashes, 16)
	defer m.Close()
	batch, rows := make([]uint64, benchBatch), make([]uint32, benchBatch)
	at := 0
	b.ResetTimer()
	for done := 0; done < b.N; done += benchBatch {
		if at+benchBatch > len(asked) {
			at = 0
		}
		for i, key := range asked[at : at+benchBatch] {
			batch[i] = Hash(key)
		}
		m.Find(batch, rows)
		at += benchBatch
	}
	b.ReportMetric(float64(m.Bytes())/float64(m.Len()), "B/key")
}

func benchFindBuiltin(b *testing.B, keys, asked []uint64) {
	m := make(map[uint64]uint32)
	for i, key := range keys {
		m[key] = uint32(i)
	}
	b.ResetTimer()
	var sum uint32
	for i := range b.N {
		sum += m[asked[i%len(asked)]]
	}
	sink = sum
}

var sink uint32

// build makes a map of hashes by batched inserts from empty.
func build(b testing.TB, hashes []uint64, stripes int) *Map {
	m, err := New(Options{Stripes: stripes})
	if err != nil {
		b.Fatal(err)
	}
	rows, free, added := make([]uint32, benchBatch), make([]uint32, benchBatch), make([]uint32, benchBatch)
	for at := 0; at < len(hashes); at += benchBatch {
		batch := hashes[at:min(at+benchBatch, len(hashes))]
		for i := range batch {
			free[i] = uint32(at + i)
		}
		m.Insert(batch, rows[:len(batch)], free, added)
	}
	return m
}

// BenchmarkBuild inserts random keys into an empty map that grows; ns/key is
// what counts.
func BenchmarkBuild(b *testing.B) {
	for _, n := range benchSizes {
		keys, hashes := randomKeys(n)
		b.Run(fmt.Sprintf("impl=rowan/keys=%d", n), func(b *testing.B) {
			for range b.N {
				m := build(b, hashes, 16)
				m.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
		})
		b.Run(fmt.Sprintf("impl=builtin/keys=%d", n), func(b *testing.B) {
			for range b.N {
				m := make(map[uint64]uint32)
				for i, key := range keys {
					m[key] = uint32(i)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
		})
	}
}
