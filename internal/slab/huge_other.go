//go:build !linux || slab_heap

package slab

func advise([]byte) {}

func hugePages(_, _ uintptr) int64 { return 0 }
