package rowan

import (
	"runtime"
	"sync"
)

// crew runs one function on several goroutines. It keeps what it needs from
// call to call, so that a steady stream of calls allocates nothing.
type crew struct {
	wait   sync.WaitGroup
	work   func(worker int)
	starts []func()
}

// do calls c.work(0) to c.work(n-1), each on its own goroutine, and waits.
func (c *crew) do(n int) {
	for i := len(c.starts); i < n; i++ {
		c.starts = append(c.starts, func() {
			defer c.wait.Done()
			c.work(i)
		})
	}
	c.wait.Add(n - 1)
	for _, start := range c.starts[1:max(n, 1)] {
		go start()
	}
	c.work(0)
	c.wait.Wait()
}

// minIDsPerWorker is the number of ids below which another goroutine costs
// more than it brings: to start and join one takes about as long as to pool
// some hundred cold rows.
const minIDsPerWorker = 1024

// workers returns how many goroutines to share out a call of n ids.
func (t *Table) workers(n int) int {
	limit := t.opt.Threads
	if limit == 0 {
		limit = runtime.GOMAXPROCS(0)
	}
	return max(1, min(limit, n/minIDsPerWorker))
}

// firstError keeps the error of the earliest position in the batch, so that
// the error which a call reports does not depend on its goroutines.
type firstError struct {
	mu  sync.Mutex
	err error
	at  int
}

func (f *firstError) set(err error, at int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || at < f.at {
		f.err, f.at = err, at
	}
}

func (f *firstError) reset() { f.err, f.at = nil, 0 }
