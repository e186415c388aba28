//go:build linux && !slab_heap

package slab

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const bigPage = hugeBytes

// advise asks for huge pages behind the first 2 MiB, and that neither a fork
// nor a core dump copies a table. All of it is advice: a kernel that knows one
// of these not loses nothing but speed.
func advise(all []byte) {
	if len(all) > hugeBytes {
		_ = unix.Madvise(all[hugeBytes:], unix.MADV_HUGEPAGE)
	}
	_ = unix.Madvise(all, unix.MADV_DONTFORK)
	_ = unix.Madvise(all, unix.MADV_DONTDUMP)
}

// hugePages sums up what the kernel reports for mappings within [from, to).
func hugePages(from, to uintptr) int64 {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return 0
	}
	defer f.Close()
	return sumHugePages(f, from, to)
}

// sumHugePages reads smaps: a line with the addresses of a mapping, then lines
// of its figures.
//
//	7f0000000000-7f0000200000 rw-p 00000000 00:00 0
//	AnonHugePages:      2048 kB
func sumHugePages(smaps io.Reader, from, to uintptr) int64 {
	var sum int64
	inside := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		var start, end uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &start, &end); n == 2 {
			inside = start < to && end > from
			continue
		}
		var kib int64
		if inside && strings.HasPrefix(line, "AnonHugePages:") {
			_, _ = fmt.Sscanf(line, "AnonHugePages: %d kB", &kib)
			sum += kib << 10
		}
	}
	return sum
}
