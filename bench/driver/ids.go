package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"math/rand"
	"os"
)

// zipfExponent is that of the published synthetic models of recommenders.
const zipfExponent = 1.05

// source is a stream of pseudo-random numbers, splitmix64: a counter through a
// bijection of 64 bits, so that its first 2^64 numbers are all different.
type source uint64

func (s *source) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	x := uint64(*s)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// uniform returns count ids, each drawn evenly from [0, n).
func uniform(s source, n, count int) []int64 {
	ids := make([]int64, count)
	for i := range ids {
		high, _ := bits.Mul64(s.next(), uint64(n))
		ids[i] = int64(high)
	}
	return ids
}

// zipf returns count ids from [0, n) whose ranks follow a power law, popular
// ones scattered over the whole range as ids from a hash or a log would be.
//
// With s = 1.05 and u even in [0, 1), the rank is the whole part of
//
//	x = (1 - u·(1 - (n+1)^(1-s)))^(1/(1-s))
//
// the inverse of the distribution of a density x^-s on [1, n+1). Rank k becomes
// id k·m mod n with m the number nearest to n/φ that has no factor in common
// with n: neighbours in rank lie far apart, and no two ranks share an id.
func zipf(s source, n, count int) []int64 {
	m := scatter(n)
	top := 1 - math.Pow(float64(n)+1, 1-zipfExponent)
	ids := make([]int64, count)
	for i := range ids {
		u := float64(s.next()>>11) / (1 << 53)
		rank := min(int(math.Pow(1-u*top, 1/(1-zipfExponent))), n) - 1
		high, low := bits.Mul64(uint64(rank), uint64(m))
		ids[i] = int64(bits.Rem64(high, low, uint64(n)))
	}
	return ids
}

// scatter returns the multiplier of zipf.
func scatter(n int) int {
	m := max(int(float64(n)/math.Phi), 1)
	for gcd(m, n) != 1 {
		m++
	}
	return m
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// keys returns count different random 64-bit keys.
func keys(s source, count int) []int64 {
	out := make([]int64, count)
	for i := range out {
		out[i] = int64(s.next())
	}
	return out
}

// shuffled returns keys in another order.
func shuffled(s source, keys []int64) []int64 {
	out := make([]int64, len(keys))
	for i, j := range rand.New(rand.NewSource(int64(s))).Perm(len(keys)) {
		out[i] = keys[j]
	}
	return out
}

// writeIDs writes ids as 64-bit little-endian integers, nothing before or after.
func writeIDs(name string, ids []int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var b [8]byte
	for _, id := range ids {
		binary.LittleEndian.PutUint64(b[:], uint64(id))
		if _, err = w.Write(b[:]); err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), f.Close())
}
