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

// stringKeys returns n strings of 8 to 39 bytes and their hashes.
func stringKeys(n int) (keys []string, hashes []uint64) {
	r := rand.New(rand.NewPCG(4, uint64(n)))
	keys, hashes = make([]string, n), make([]uint64, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%0*x", 8+r.IntN(32), i)
		hashes[i] = HashString(keys[i])
	}
	return keys, hashes
}

// BenchmarkStringsFind looks present keys up in random order, in batches; an
// operation is a key, its hash not included.
func BenchmarkStringsFind(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		keys, hashes := stringKeys(n)
		b.Run(fmt.Sprintf("impl=rowan/keys=%d", n), func(b *testing.B) {
			s := buildStrings(b, keys, hashes)
			defer s.Close()
			rand.New(rand.NewPCG(2, 2)).Shuffle(n, func(i, j int) {
				keys[i], keys[j], hashes[i], hashes[j] = keys[j], keys[i], hashes[j], hashes[i]
			})
			rows := make([]uint32, benchBatch)
			at := 0
			b.ResetTimer()
			for done := 0; done < b.N; done += benchBatch {
				if at+benchBatch > n {
					at = 0
				}
				s.Find(hashes[at:at+benchBatch], keys[at:at+benchBatch], rows)
				at += benchBatch
			}
			b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/key")
		})
	}
}

// buildStrings makes a map of keys by batched inserts from empty.
func buildStrings(b testing.TB, keys []string, hashes []uint64) *Strings {
	s, err := NewStrings(Options{Stripes: 16})
	if err != nil {
		b.Fatal(err)
	}
	rows, free, added := make([]uint32, benchBatch), make([]uint32, benchBatch), make([]uint32, benchBatch)
	for at := 0; at < len(keys); at += benchBatch {
		end := min(at+benchBatch, len(keys))
		for i := range end - at {
			free[i] = uint32(at + i)
		}
		if _, err := s.Insert(hashes[at:end], keys[at:end], rows[:end-at], free, added); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkStringsBuild inserts keys into an empty map that grows, deletes every
// other one and inserts those again; ns/key is what counts.
func BenchmarkStringsBuild(b *testing.B) {
	const n = 1_000_000
	keys, hashes := stringKeys(n)
	for b.Loop() {
		s := buildStrings(b, keys, hashes)
		for i := 0; i < n; i += 2 {
			s.Delete(hashes[i], keys[i])
		}
		for i := 0; i < n; i += 2 {
			if _, _, err := s.FindOrInsert(hashes[i], keys[i], uint32(i)); err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
}
