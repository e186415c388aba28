package slab

import (
	"fmt"
	"math"
)

// Alloc hands out one row, all zeros: the one freed last, or else a fresh one.
// The error wraps ErrFull or ErrClosed, or says that the system has no memory.
func (s *Slab) Alloc() (uint32, error) {
	var one [1]uint32
	if err := s.AllocN(one[:]); err != nil {
		return None, err
	}
	return one[0], nil
}

// AllocN fills rows with the numbers of as many rows, all zeros: freed ones
// first, the last freed first, then fresh ones in ascending order. It hands out
// all of them or none, with the errors of Alloc.
func (s *Slab) AllocN(rows []uint32) error {
	reused, err := s.take(rows)
	if err != nil {
		return err
	}
	for _, row := range rows[:reused] { // ours alone by now: no lock needed
		at := int(row) * s.stride
		clear(s.data[at : at+s.stride])
	}
	return nil
}

// take does AllocN's book-keeping and returns how many rows, at the front, have
// been in use before.
func (s *Slab) take(rows []uint32) (reused int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	reused = min(len(rows), int(s.freed))
	first := s.rows.Load()
	if err := s.extend(len(rows) - reused); err != nil {
		return 0, err
	}
	for i := range rows[:reused] {
		rows[i] = s.free
		s.free = math.Float32bits(s.data[int(s.free)*s.stride])
	}
	s.freed -= uint32(reused)
	for i := range rows[reused:] {
		rows[reused+i] = first + uint32(i)
	}
	return reused, nil
}

// AllocRun hands out n fresh rows that lie side by side, all zeros, and returns
// the first; freed rows are left for Alloc. It suits tables whose keys are
// indices, and rows read from a file. The errors are those of Alloc.
func (s *Slab) AllocRun(n int) (first uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first = s.rows.Load()
	if err := s.extend(max(n, 0)); err != nil {
		return None, err
	}
	return first, nil
}

// Grow makes rows 0 to n-1 part of Data, if they are not yet. A slab that holds
// something about the rows of another slab, under the same numbers, grows by
// this and never by Alloc. The errors are those of Alloc.
func (s *Slab) Grow(n int) error {
	if uint64(max(n, 0)) <= uint64(s.rows.Load()) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extend(max(0, n-int(s.rows.Load())))
}

// extend makes n fresh rows part of Data. The caller holds mu.
func (s *Slab) extend(n int) error {
	if s.data == nil {
		return fmt.Errorf("%w: open another", ErrClosed)
	}
	if n == 0 {
		return nil
	}
	if uint64(n) > uint64(s.max-s.rows.Load()) {
		return s.full(n)
	}
	rows := s.rows.Load() + uint32(n)
	if err := s.commit(int(rows) * s.stride * floatBytes); err != nil {
		return err
	}
	s.rows.Store(rows)
	return nil
}

// full says which bound was met and what moves it.
func (s *Slab) full(n int) error {
	advice := "raise the address space limit (ulimit -v) or set Options.MaxRows"
	switch {
	case s.max == MaxRows:
		advice = "no slab holds more: spread the rows over several"
	case s.byUser:
		advice = "raise Options.MaxRows"
	}
	return fmt.Errorf("%w: %d of at most %d rows of %d bytes are in use and %d more were asked for; %s",
		ErrFull, s.rows.Load()-s.freed, s.max, s.stride*floatBytes, n, advice)
}

// commit makes the first size bytes usable. It goes in steps of an eighth of
// what there is, at least 2 MiB, so that a growing slab seldom asks the system.
func (s *Slab) commit(size int) error {
	if size <= s.committed {
		return nil
	}
	end := int(roundUp(uint64(len(s.data))*floatBytes, pageStep))
	goal := int(roundUp(uint64(max(size, s.committed+s.committed/8)), hugeBytes))
	goal = min(goal, end)
	if err := commit(s.bytes(s.committed, goal)); err != nil {
		return fmt.Errorf("slab: the system refused %d bytes on top of %d (a limit of the container, of RLIMIT_DATA or of vm.overcommit_memory): %w",
			goal-s.committed, s.committed, err)
	}
	s.committed = goal
	return nil
}

// Free takes rows back. Each must have been handed out and not been freed
// since, and nobody may touch it any more: its first number becomes a link of
// the free list at once. The error wraps ErrRow, and then no row was taken
// back, or ErrClosed.
func (s *Slab) Free(rows ...uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.data == nil {
		return fmt.Errorf("%w: its rows are gone", ErrClosed)
	}
	for _, row := range rows {
		if row >= s.rows.Load() {
			return fmt.Errorf("%w: rows below %d were handed out; received %d", ErrRow, s.rows.Load(), row)
		}
	}
	for _, row := range rows {
		s.data[int(row)*s.stride] = math.Float32frombits(s.free)
		s.free = row
	}
	s.freed += uint32(len(rows))
	return nil
}
