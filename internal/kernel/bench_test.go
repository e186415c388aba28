//go:build linux

package kernel

import (
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// coldRows is enough that a row is never in a cache when it is asked for again.
const coldRows = 4 << 20

// bagLength is what most published figures are measured with.
const bagLength = 20

// hugeSlab maps n zeroes on huge pages, as package slab does, when first asked.
func hugeSlab(b *testing.B, n int) func() []float32 {
	return sync.OnceValue(func() []float32 { return mapSlab(b, n) })
}

func mapSlab(b *testing.B, n int) []float32 {
	b.Helper()
	mem, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			b.Error(err)
		}
	})
	if err := unix.Madvise(mem, unix.MADV_HUGEPAGE); err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 0
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[0])), n)
}

// dists are how many rows the indices are drawn from.
var dists = []struct {
	name string
	rows int
}{{"cold", coldRows}, {"hot", 500}}

// calls returns the indices of one million rows in calls of at most MaxRows,
// whole bags each; distinct within a call.
func calls() (calls [][]uint32) {
	r := newRand(1)
	const n = MaxRows / bagLength * bagLength
	for range 1_000_000 / n {
		calls = append(calls, indices(r, n, coldRows))
	}
	return calls
}

// within maps the indices of a call into fewer rows.
func within(calls [][]uint32, rows int) [][]uint32 {
	out := make([][]uint32, len(calls))
	for i, idx := range calls {
		for _, x := range idx {
			out[i] = append(out[i], x%uint32(rows))
		}
	}
	return out
}

func everyBag(n int) (offsets []int64) {
	for i := 0; i <= n; i += bagLength {
		offsets = append(offsets, int64(i))
	}
	return offsets
}

// reportRows reports millions of rows a second.
func reportRows(b *testing.B, rowsPerCall int) {
	b.ReportMetric(float64(b.N)*float64(rowsPerCall)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkPoolSum(b *testing.B) {
	all := calls()
	for _, dim := range []int{16, 32, 64, 128} {
		slab := hugeSlab(b, coldRows*dim)
		for _, dist := range dists {
			calls := within(all, dist.rows)
			benchPool(b, slab, dim, dist.name, calls)
		}
	}
}

func benchPool(b *testing.B, slab func() []float32, dim int, dist string, calls [][]uint32) {
	n := len(calls[0])
	offsets, out := everyBag(n), make([]float32, n/bagLength*dim)
	weights := make([]float32, n)
	for _, w := range []struct {
		op      string
		weights []float32
	}{{"sum", nil}, {"weighted", weights}} {
		benchPaths(b, func(b *testing.B, impl string) {
			b.Run(fmt.Sprintf("%s/dim=%d/dist=%s/op=%s", impl, dim, dist, w.op), func(b *testing.B) {
				rows := slab()
				b.ResetTimer()
				for i := range b.N {
					clear(out)
					PoolSum(out, dim, rows, dim, calls[i%len(calls)], offsets, w.weights)
				}
				reportRows(b, n)
			})
		})
	}
}

func BenchmarkGather(b *testing.B) {
	all, slab := calls(), hugeSlab(b, coldRows*64)
	for _, dist := range dists {
		calls := within(all, dist.rows)
		out := make([]float32, len(calls[0])*64)
		benchPaths(b, func(b *testing.B, impl string) {
			b.Run(fmt.Sprintf("%s/dim=64/dist=%s", impl, dist.name), func(b *testing.B) {
				rows := slab()
				b.ResetTimer()
				for i := range b.N {
					Gather(out, 64, rows, 64, calls[i%len(calls)])
				}
				reportRows(b, len(calls[0]))
			})
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	const dim = 64
	all := calls()
	for _, u := range rules {
		stride := (u.need(dim) + 15) / 16 * 16
		slab := hugeSlab(b, coldRows*stride)
		for _, dist := range dists {
			calls := within(all, dist.rows)
			grads := numbers(newRand(2), len(calls[0])*dim)
			benchPaths(b, func(b *testing.B, impl string) {
				b.Run(fmt.Sprintf("%s/dim=%d/dist=%s/op=%s", impl, dim, dist.name, u.name), func(b *testing.B) {
					rows := slab()
					b.ResetTimer()
					for i := range b.N {
						u.kernel(rows, stride, dim, calls[i%len(calls)], grads)
					}
					reportRows(b, len(calls[0]))
				})
			})
		}
	}
}

func BenchmarkAdamDecay(b *testing.B) {
	for _, dim := range []int{8, 64} {
		row := positive(numbers(newRand(1), 3*dim))
		fresh, alphas := append([]float32(nil), row...), make([]float32, 100)
		for i := range alphas {
			alphas[i] = 0.001
		}
		benchPaths(b, func(b *testing.B, impl string) {
			b.Run(fmt.Sprintf("%s/dim=%d", impl, dim), func(b *testing.B) {
				for range b.N {
					copy(row, fresh)
					AdamDecay(row, dim, alphas, 0.9, 0.999, 1e-7)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(alphas)), "ns/step")
			})
		})
	}
}

func BenchmarkChecks(b *testing.B) {
	idx, slab := calls()[0], make([]float32, 1)
	offsets := everyBag(len(idx))
	for i := range idx {
		idx[i] = 0
	}
	benchPaths(b, func(b *testing.B, impl string) {
		b.Run(impl+"/op=rows", func(b *testing.B) {
			for range b.N {
				rowsFit(slab, 1, 1, idx)
			}
		})
	})
	b.Run("impl=go/op=bags", func(b *testing.B) {
		for range b.N {
			bagsFit(offsets, len(idx))
		}
	})
}

func BenchmarkRadixSort(b *testing.B) {
	r := newRand(1)
	fresh := make([]uint64, 40_960)
	for i := range fresh {
		fresh[i] = uint64(r.Uint32N(coldRows))<<32 | uint64(i)
	}
	keys, scratch := make([]uint64, len(fresh)), make([]uint64, len(fresh))
	b.Run("impl=go/dist=uniform", func(b *testing.B) {
		for range b.N {
			copy(keys, fresh)
			RadixSort(keys, scratch, 32, 54)
		}
		b.ReportMetric(float64(b.N)*float64(len(keys))/b.Elapsed().Seconds()/1e6, "Mkeys/s")
	})
}
