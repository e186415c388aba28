package kernel

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atPageEnd returns n numbers that end where the mapped memory does: to read on
// is a fault, which no guard value would show.
func atPageEnd[T float32 | uint32 | int64](t *testing.T, from []T) []T {
	t.Helper()
	if len(from) == 0 {
		return from
	}
	page := unix.Getpagesize()
	size := int(unsafe.Sizeof(from[0])) * len(from)
	pages := (size + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, pages+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mprotect(mem[pages:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	s := unsafe.Slice((*T)(unsafe.Pointer(&mem[pages-size])), len(from))
	copy(s, from)
	return s
}

func TestNothingIsReadBeyondTheEnd(t *testing.T) {
	eachPath(t, func(t *testing.T) {
		for _, width := range widths {
			for _, n := range []int{1, 9, 40} {
				touchAll(t, width, n)
			}
		}
	})
}

// touchAll calls every function on slices that end with the memory.
func touchAll(t *testing.T, width, n int) {
	t.Helper()
	r := newRand(width)
	c := newPoolCase(r, width, []int{n - 1, 0, 1}, numbers)
	x, by := atPageEnd(t, numbers(r, n*width)), atPageEnd(t, numbers(r, n))
	slab, idx := atPageEnd(t, c.slab), atPageEnd(t, c.idx)
	out, offsets, weights := atPageEnd(t, c.out), atPageEnd(t, c.offsets), atPageEnd(t, c.weights)
	PoolSum(out, width, slab, c.stride, idx, offsets, nil)
	PoolSum(out, width, slab, c.stride, idx, offsets, weights)
	Gather(x, width, slab, c.stride, idx)
	DivRows(x, width, by)
	ScaleRows(x, width, by)
	SumSquares(by, x, width)
	Dot(x, x)
	rows := atPageEnd(t, distinct(r, n, n))
	Scatter(x, width, width, rows, x)
	for _, u := range rules {
		u.kernel(atPageEnd(t, numbers(r, n*u.need(width))), u.need(width), width, rows, x)
	}
	AdamDecay(atPageEnd(t, numbers(r, 3*width)), width, by, 0.9, 0.999, 1e-7)
}
