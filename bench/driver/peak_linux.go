package main

import (
	"os"
	"syscall"
)

// peakBytes is the largest resident set that an ended process had.
func peakBytes(s *os.ProcessState) int64 {
	if usage, ok := s.SysUsage().(*syscall.Rusage); ok {
		return usage.Maxrss << 10 // Linux counts kibibytes
	}
	return 0
}
