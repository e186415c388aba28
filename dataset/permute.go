package dataset

import (
	"math"
	"math/bits"
)

// permutation is an order of the numbers from 0 to n-1 that is computed, not
// stored: entry i is a pure function of (seed, stream, n, i), the same on every
// machine. So a position in the middle of an epoch is found at once, and an
// order of any length takes no memory.
//
// It is a Feistel network on the numbers l + left·r, l below left and r below
// right, where left·right is n or a little more. Each round adds to one half a
// random function of the other, which can be undone, so the whole is a
// permutation; what falls outside n is put through again. (Black and Rogaway,
// "Ciphers with Arbitrary Finite Domains", 2002.)
type permutation struct {
	n, left, right uint64
	keys           [rounds]uint64
}

// rounds is twice the four that Luby and Rackoff need for a network that
// nobody tells from chance: half of them are adds to a half of one or two
// values when n is tiny.
const rounds = 8

func newPermutation(n int, seed, stream uint64) *permutation {
	p := &permutation{n: uint64(n)}
	p.left = max(1, uint64(math.Ceil(math.Sqrt(float64(n)))))
	p.right = max(1, (p.n+p.left-1)/p.left)
	key := mix64(seed ^ mix64(stream+0x9e3779b97f4a7c15))
	for i := range p.keys {
		key += 0x9e3779b97f4a7c15
		p.keys[i] = mix64(key)
	}
	return p
}

// at returns entry i, which must be below n.
func (p *permutation) at(i int) uint32 {
	x := p.once(uint64(i))
	for x >= p.n {
		x = p.once(x)
	}
	return uint32(x)
}

func (p *permutation) once(x uint64) uint64 {
	l, r := x%p.left, x/p.left
	for i := 0; i < rounds; i += 2 {
		l = addBelow(l, below(mix64(r^p.keys[i]), p.left), p.left)
		r = addBelow(r, below(mix64(l^p.keys[i+1]), p.right), p.right)
	}
	return l + p.left*r
}

// below maps a random word to a number below n.
func below(word, n uint64) uint64 {
	hi, _ := bits.Mul64(word, n)
	return hi
}

// addBelow is a + b modulo n, where both are below n.
func addBelow(a, b, n uint64) uint64 {
	if a += b; a >= n {
		a -= n
	}
	return a
}

// mix64 is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
