package keymap

import "math/bits"

// segment is a ring of buckets, a power of two of them.
type segment []bucket

// at returns the bucket a distance on from the home of a hash.
func (g segment) at(hash uint64, distance int) *bucket {
	return &g[(int(hash)+distance)&(len(g)-1)]
}

// reach returns the number of buckets that a walk may look at.
func (g segment) reach() int { return min(len(g), maxWalk) }

// full says whether a segment with so many keys should split.
func (g segment) full(keys int) bool { return keys >= len(g)*fill }

// place puts a key that is absent into the first free slot of its walk and tells
// the buckets before that it passed. Where the walk ends first, it has passed
// all of them and place returns false: the key belongs in the stash.
func (g segment) place(hash uint64, row uint32) bool {
	reach := g.reach()
	for d := range reach {
		b := g.at(hash, d)
		if b.put(hash, row) {
			return true
		}
		b.meta += onePassed
	}
	return false
}

// find returns where a key lies, as the distance from its home and the slot; or,
// not being found, whether it may be in the stash.
func (g segment) find(hash uint64) (distance, slot int, found, stashed bool) {
	for d := range g.reach() {
		b := g.at(hash, d)
		if hits := b.match(hash); hits != 0 {
			return d, bits.TrailingZeros32(hits), true, false
		}
		if b.passed() == 0 {
			return 0, 0, false, false
		}
	}
	return 0, 0, false, true
}

// unpass takes back that a key passed the first n buckets of its walk.
func (g segment) unpass(hash uint64, n int) {
	for d := range n {
		g.at(hash, d).meta -= onePassed
	}
}

// remove empties the slot of a key that find has found, and then pulls keys back
// that passed it, so that a bucket which was passed stays full.
func (g segment) remove(hash uint64, distance, slot int) {
	g.unpass(hash, distance)
	hole := (int(hash) + distance) & (len(g) - 1)
	g[hole].meta &^= 1 << slot
	for g[hole].passed() > 0 {
		next, ok := g.pull(hole)
		if !ok {
			return // those that passed are in the stash, where nothing pulls
		}
		hole = next
	}
}

// pull moves the nearest key that passed the hole into it and returns the bucket
// that it left.
func (g segment) pull(hole int) (from int, ok bool) {
	for d := 1; d < g.reach(); d++ {
		from = (hole + d) & (len(g) - 1)
		b := &g[from]
		for used := b.meta & inUse; used != 0; used &= used - 1 {
			slot := bits.TrailingZeros32(used)
			hash := b.hashes[slot]
			walked := (from - int(hash)) & (len(g) - 1)
			if walked < d { // its home lies after the hole
				continue
			}
			b.meta &^= 1 << slot
			g[hole].put(hash, b.rows[slot])
			for back := range d {
				g[(hole+back)&(len(g)-1)].meta -= onePassed
			}
			return from, true
		}
		if b.passed() == 0 {
			break
		}
	}
	return 0, false
}
