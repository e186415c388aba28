//go:build linux && !slab_heap

package slab

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSumHugePages(t *testing.T) {
	const smaps = `7f0000000000-7f0000200000 rw-p 00000000 00:00 0
Size:               2048 kB
AnonHugePages:         0 kB
VmFlags: rd wr mr mw me dd
7f0000200000-7f0000800000 rw-p 00000000 00:00 0
AnonHugePages:      4096 kB
7f0000800000-7f0000a00000 ---p 00000000 00:00 0
AnonHugePages:      2048 kB
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
AnonHugePages:         0 kB
`
	for _, c := range []struct {
		from, to uintptr
		want     int64
	}{
		{0x7f0000000000, 0x7f0000800000, 4 << 20},
		{0x7f0000000000, 0x7f0000200000, 0},
		{0x7f0000000000, 0x7f0000a00000, 6 << 20},
		{0x1000, 0x2000, 0},
	} {
		if got := sumHugePages(strings.NewReader(smaps), c.from, c.to); got != c.want {
			t.Errorf("[%#x, %#x): %d, want %d", c.from, c.to, got, c.want)
		}
	}
}

// TestHugePagesAreUsed touches 64 MiB. Where the system's setting allows huge
// pages, a good part must come on them; the first 2 MiB never do.
func TestHugePagesAreUsed(t *testing.T) {
	s := newSlab(t, Options{Stride: 1024})
	if _, err := s.AllocRun(hugeBytes / 4096); err != nil {
		t.Fatal(err)
	}
	touch(s)
	if got := s.HugePages(); got != 0 {
		t.Errorf("the first 2 MiB have %d bytes of huge pages, want none", got)
	}
	if _, err := s.AllocRun(62 << 20 / 4096); err != nil {
		t.Fatal(err)
	}
	touch(s)
	setting, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	got := s.HugePages()
	t.Logf("setting %q: %d MiB of 64 MiB on huge pages", strings.TrimSpace(string(setting)), got>>20)
	if got > s.Bytes() {
		t.Errorf("%d bytes on huge pages of %d", got, s.Bytes())
	}
	if allowed := strings.Contains(string(setting), "[madvise]") || strings.Contains(string(setting), "[always]"); allowed && got < 8<<20 && freeMemory() > 1<<30 {
		t.Errorf("%d bytes on huge pages of 62 MiB that were advised", got)
	}
}

func touch(s *Slab) {
	data := s.Data()
	for i := 0; i < len(data); i += 1024 {
		data[i] = 1
	}
}

func freeMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return info.Freeram * uint64(info.Unit)
}

// TestNothingIsCommittedAhead compares the process's resident memory: a slab that
// reserves a TiB and holds ten rows takes no more than some pages.
func TestNothingIsCommittedAhead(t *testing.T) {
	before := resident(t)
	for range 20 {
		s := newSlab(t, Options{Stride: 16})
		if _, err := s.AllocRun(10); err != nil {
			t.Fatal(err)
		}
		touch(s)
	}
	if grown := resident(t) - before; grown > 4<<20 {
		t.Errorf("20 slabs of ten rows take %d bytes", grown)
	}
}

func resident(t *testing.T) int64 {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestAddressSpaceLimit runs itself again under a limit of 16 GiB of address
// space: the default must adapt, leave room for more slabs, and name the limit
// when it is met; what was asked for by number and cannot be had is an error.
func TestAddressSpaceLimit(t *testing.T) {
	if os.Getenv("SLAB_TEST_LIMITED") == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestAddressSpaceLimit$")
		command.Env = append(os.Environ(), "SLAB_TEST_LIMITED=1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	limit := unix.Rlimit{Cur: 16 << 30, Max: 16 << 30}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &limit); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		s := newSlab(t, Options{Stride: 16})
		if bytes := int64(s.Max()) * 64; bytes < 256<<20 || bytes > 2<<30 {
			t.Errorf("under a limit of 16 GiB a slab reserves %d bytes", bytes)
		}
		if _, err := s.AllocRun(s.Max() + 1); !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "ulimit -v") {
			t.Errorf("past the reservation: %v", err)
		}
	}
	if _, err := New(Options{Stride: 16, MaxRows: 1 << 30}); !errors.Is(err, unix.ENOMEM) || !strings.Contains(err.Error(), "lower MaxRows") {
		t.Errorf("64 GiB under a limit of 16: %v, want ENOMEM and advice", err)
	}
}

// TestMemoryRefused runs itself again with RLIMIT_DATA low: rows that the system
// will not back are an error, and the slab goes on with those it has.
func TestMemoryRefused(t *testing.T) {
	if os.Getenv("SLAB_TEST_REFUSED") == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestMemoryRefused$")
		command.Env = append(os.Environ(), "SLAB_TEST_REFUSED=1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	limit := unix.Rlimit{Cur: 1 << 30, Max: 1 << 30}
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &limit); err != nil {
		t.Fatal(err)
	}
	s := newSlab(t, Options{Stride: 16})
	if _, err := s.AllocRun(1000); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AllocRun(2 << 30 / 64); !errors.Is(err, unix.ENOMEM) || !strings.Contains(err.Error(), "RLIMIT_DATA") {
		t.Errorf("2 GiB of rows under 1 GiB of RLIMIT_DATA: %v, want ENOMEM and advice", err)
	}
	if s.Len() != 1000 {
		t.Errorf("%d rows after the refusal, want 1000", s.Len())
	}
	if n, err := s.Alloc(); n != 1000 || err != nil {
		t.Errorf("Alloc after the refusal: %d, %v", n, err)
	}
}
