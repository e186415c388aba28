package slab

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unsafe"
)

func newSlab(t testing.TB, o Options) *Slab {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// row returns the numbers of a row.
func row(s *Slab, n uint32) []float32 {
	at := int(n) * s.Stride()
	return s.Data()[at : at+s.Stride()]
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{}, {Stride: -1}, {Stride: 1<<28 + 1}, {Stride: 1, MaxRows: -1}, {Stride: 1, MaxRows: 1<<32 - 1}} {
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("New(%+v): %v, want ErrOptions", o, err)
		}
	}
	if _, err := New(Options{Stride: 1 << 28, MaxRows: MaxRows}); err == nil {
		t.Error("New: 2^62 bytes granted")
	} else if !strings.Contains(err.Error(), "lower MaxRows") {
		t.Errorf("New: %v; want advice", err)
	}
}

func TestFreshSlabIsEmpty(t *testing.T) {
	s := newSlab(t, Options{Stride: 16})
	if s.Len() != 0 || len(s.Data()) != 0 || s.Bytes() != 0 || s.HugePages() != 0 {
		t.Errorf("Len %d, Data %d, Bytes %d, HugePages %d; want zeros", s.Len(), len(s.Data()), s.Bytes(), s.HugePages())
	}
	if s.Max() < 1<<20 {
		t.Errorf("the default leaves room for %d rows of 64 bytes", s.Max())
	}
}

// TestWrap: a slab over memory of the caller's is full, and leaves it to him.
func TestWrap(t *testing.T) {
	data := []float32{1, 2, 3, 4, 5, 6}
	s, err := Wrap(data, 2)
	if err != nil {
		t.Fatal(err)
	}
	if &s.Data()[0] != &data[0] || len(s.Data()) != 6 || s.Len() != 3 || s.Max() != 3 {
		t.Errorf("%d numbers, %d rows of %d; want those that were wrapped", len(s.Data()), s.Len(), s.Max())
	}
	if _, err := s.Alloc(); !errors.Is(err, ErrFull) {
		t.Errorf("Alloc: %v, want ErrFull", err)
	}
	if err := s.Close(); err != nil || s.Data() != nil || data[5] != 6 {
		t.Errorf("Close: %v, %v left", err, s.Data())
	}
	for _, stride := range []int{0, 4, -1} {
		if _, err := Wrap(data, stride); !errors.Is(err, ErrOptions) {
			t.Errorf("stride %d: %v, want ErrOptions", stride, err)
		}
	}
}

func TestRowsAreAligned(t *testing.T) {
	for _, stride := range []int{16, 48, 128} {
		s := newSlab(t, Options{Stride: stride})
		for range 5 {
			n, err := s.Alloc()
			if err != nil {
				t.Fatal(err)
			}
			if at := uintptr(unsafe.Pointer(&row(s, n)[0])); at%lineBytes != 0 {
				t.Errorf("stride %d: row %d at %#x", stride, n, at)
			}
		}
	}
}

// TestDataNeverMoves holds a slice from the first row on, grows the slab by 32
// MiB, and writes through the old slice.
func TestDataNeverMoves(t *testing.T) {
	s := newSlab(t, Options{Stride: 64})
	if _, err := s.Alloc(); err != nil {
		t.Fatal(err)
	}
	before := s.Data()
	rows := make([]uint32, 1<<17)
	if err := s.AllocN(rows); err != nil {
		t.Fatal(err)
	}
	before[63] = 7
	if got := row(s, 0)[63]; got != 7 {
		t.Errorf("row 0 reads %v through the new slice, want 7", got)
	}
	last := row(s, rows[len(rows)-1])
	last[63] = 8
	if len(s.Data()) != (1<<17+1)*64 || s.Data()[len(s.Data())-1] != 8 {
		t.Errorf("Data has %d numbers, the last %v", len(s.Data()), s.Data()[len(s.Data())-1])
	}
}

func TestFreedRowsComeBackClearedLastFirst(t *testing.T) {
	s := newSlab(t, Options{Stride: 3})
	rows := make([]uint32, 5)
	if err := s.AllocN(rows); err != nil {
		t.Fatal(err)
	}
	for i := range s.Data() {
		s.Data()[i] = 1
	}
	if err := s.Free(1, 3); err != nil {
		t.Fatal(err)
	}
	if err := s.Free(0); err != nil {
		t.Fatal(err)
	}
	if s.Len() != 2 {
		t.Errorf("Len = %d, want 2", s.Len())
	}
	got := make([]uint32, 5)
	if err := s.AllocN(got); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint32{0, 3, 1, 5, 6} {
		if got[i] != want {
			t.Errorf("row %d is %d, want %d", i, got[i], want)
		}
		for j, x := range row(s, got[i]) {
			if x != 0 {
				t.Errorf("row %d comes back with %v at %d", got[i], x, j)
			}
		}
	}
	for _, kept := range []uint32{2, 4} {
		if row(s, kept)[0] != 1 {
			t.Errorf("row %d, which was in use, reads %v", kept, row(s, kept))
		}
	}
}

func TestFull(t *testing.T) {
	s := newSlab(t, Options{Stride: 4, MaxRows: 3})
	if err := s.AllocN(make([]uint32, 4)); !errors.Is(err, ErrFull) {
		t.Errorf("4 rows of 3: %v", err)
	}
	if s.Len() != 0 {
		t.Errorf("a refused call left %d rows in use", s.Len())
	}
	if err := s.AllocN(make([]uint32, 3)); err != nil {
		t.Fatal(err)
	}
	n, err := s.Alloc()
	if !errors.Is(err, ErrFull) || n != None {
		t.Fatalf("Alloc on a full slab: %d, %v", n, err)
	}
	for _, part := range []string{"3 of at most 3 rows", "16 bytes", "raise Options.MaxRows"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if err := s.Free(1); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Alloc(); n != 1 || err != nil {
		t.Errorf("Alloc after Free: %d, %v, want 1", n, err)
	}
}

func TestFreeOfUnknownRow(t *testing.T) {
	s := newSlab(t, Options{Stride: 4})
	if err := s.AllocN(make([]uint32, 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.Free(1, 2); !errors.Is(err, ErrRow) {
		t.Errorf("Free(1, 2) of two rows: %v, want ErrRow", err)
	}
	if s.Len() != 2 {
		t.Errorf("a refused Free took rows back: %d in use", s.Len())
	}
}

func TestAllocRunAndGrow(t *testing.T) {
	s := newSlab(t, Options{Stride: 2, MaxRows: 100})
	if first, err := s.AllocRun(10); first != 0 || err != nil {
		t.Fatalf("AllocRun(10) = %d, %v", first, err)
	}
	if err := s.Free(4); err != nil {
		t.Fatal(err)
	}
	if first, err := s.AllocRun(5); first != 10 || err != nil {
		t.Errorf("AllocRun(5) = %d, %v, want 10: a run has no holes", first, err)
	}
	for _, n := range []int{-1, 0, 3, 15, 40, 40} {
		if err := s.Grow(n); err != nil {
			t.Fatal(err)
		}
		if want := max(15, n); len(s.Data()) != 2*want {
			t.Errorf("Grow(%d): Data has %d rows, want %d", n, len(s.Data())/2, want)
		}
	}
	if _, err := s.AllocRun(61); !errors.Is(err, ErrFull) {
		t.Errorf("AllocRun past the bound: %v", err)
	}
	if err := s.Grow(101); !errors.Is(err, ErrFull) {
		t.Errorf("Grow past the bound: %v", err)
	}
}

func TestClosed(t *testing.T) {
	s := newSlab(t, Options{Stride: 4})
	if err := s.AllocN(make([]uint32, 9)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Alloc(); !errors.Is(err, ErrClosed) {
		t.Errorf("Alloc: %v", err)
	}
	if _, err := s.AllocRun(1); !errors.Is(err, ErrClosed) {
		t.Errorf("AllocRun: %v", err)
	}
	if err := s.Free(0); !errors.Is(err, ErrClosed) {
		t.Errorf("Free: %v", err)
	}
	if err := s.Grow(1); !errors.Is(err, ErrClosed) {
		t.Errorf("Grow: %v", err)
	}
	if len(s.Data()) != 0 || s.Bytes() != 0 || s.Len() != 0 || s.HugePages() != 0 {
		t.Errorf("a closed slab has %d numbers in %d bytes", len(s.Data()), s.Bytes())
	}
}

func TestBytesAreWholePages(t *testing.T) {
	s := newSlab(t, Options{Stride: 16})
	if _, err := s.Alloc(); err != nil {
		t.Fatal(err)
	}
	if got := s.Bytes(); got != int64(smallPage) {
		t.Errorf("one row takes %d bytes, want a page of %d", got, smallPage)
	}
	if _, err := s.AllocRun(hugeBytes / 64); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Bytes(), int64(hugeBytes)+int64(bigPage); got != want {
		t.Errorf("2 MiB and a row take %d bytes, want %d", got, want)
	}
}

// TestRandomHistory hands out, frees and writes at random and checks that rows
// never overlap, come back cleared, and are counted.
func TestRandomHistory(t *testing.T) {
	const stride = 5
	r := rand.New(rand.NewPCG(1, 2))
	s := newSlab(t, Options{Stride: stride, MaxRows: 3000})
	inUse := map[uint32]float32{}
	var order []uint32
	for step := range 4000 {
		if r.IntN(2) == 0 || len(order) == 0 {
			rows := make([]uint32, 1+r.IntN(20))
			if err := s.AllocN(rows); err != nil {
				if len(inUse)+len(rows) <= 3000 {
					t.Fatal(err)
				}
				continue
			}
			for _, n := range rows {
				if _, ok := inUse[n]; ok {
					t.Fatalf("step %d: row %d handed out twice", step, n)
				}
				for i := range row(s, n) {
					if row(s, n)[i] != 0 {
						t.Fatalf("step %d: row %d is not cleared", step, n)
					}
					row(s, n)[i] = float32(step + 1)
				}
				inUse[n] = float32(step + 1)
				order = append(order, n)
			}
			continue
		}
		at := r.IntN(len(order))
		n := order[at]
		order[at] = order[len(order)-1]
		order = order[:len(order)-1]
		for _, x := range row(s, n) {
			if x != inUse[n] {
				t.Fatalf("step %d: row %d reads %v, want %v", step, n, x, inUse[n])
			}
		}
		delete(inUse, n)
		if err := s.Free(n); err != nil {
			t.Fatal(err)
		}
		if s.Len() != len(inUse) {
			t.Fatalf("step %d: Len = %d, want %d", step, s.Len(), len(inUse))
		}
	}
}

// TestConcurrentUse lets goroutines hand out, write, read back and free at once.
func TestConcurrentUse(t *testing.T) {
	s := newSlab(t, Options{Stride: 8})
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			rows := make([]uint32, 7)
			for range 2000 {
				if err := s.AllocN(rows); err != nil {
					t.Error(err)
					return
				}
				data := s.Data()
				for _, n := range rows {
					for i := range 8 {
						data[int(n)*8+i] += float32(worker + 1)
					}
				}
				for _, n := range rows {
					for i := range 8 {
						if got := data[int(n)*8+i]; got != float32(worker+1) {
							t.Errorf("row %d reads %v, want %d", n, got, worker+1)
						}
					}
				}
				if err := s.Free(rows...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	if s.Len() != 0 || len(s.Data()) > 8*7*8 {
		t.Errorf("%d rows in use, %d ever handed out, want 0 and at most 56", s.Len(), len(s.Data())/8)
	}
}

func TestAllocAllocatesNothingOnTheHeap(t *testing.T) {
	s := newSlab(t, Options{Stride: 16})
	if n := testing.AllocsPerRun(100, func() {
		n, _ := s.Alloc()
		_ = s.Free(n)
	}); n != 0 {
		t.Errorf("Alloc and Free allocate %.0f times", n)
	}
}

func BenchmarkAllocFree(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(map[int]string{1: "rows=1", 64: "rows=64"}[n], func(b *testing.B) {
			s := newSlab(b, Options{Stride: 64})
			rows := make([]uint32, n)
			for range b.N {
				if err := s.AllocN(rows); err != nil {
					b.Fatal(err)
				}
				if err := s.Free(rows...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
