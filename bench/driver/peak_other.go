//go:build !linux

package main

import "os"

// peakBytes is known on Linux only.
func peakBytes(*os.ProcessState) int64 { return 0 }
