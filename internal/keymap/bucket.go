package keymap

import (
	"math/bits"
	"unsafe"
)

const (
	slots        = 5            // keys in a bucket: as many as fit beside meta
	inUse        = 1<<slots - 1 // the bits of meta that say which slots are in use
	onePassed    = 1 << slots   // what a key that passed adds to meta
	bucketBytes  = 64           // a cache line
	bucketShift  = 6            // log2 of that
	segmentBits  = 12           // log2 of the buckets in a whole segment
	wholeMask    = 1<<segmentBits - 1
	segmentSize  = 1 << segmentBits
	segmentShift = segmentBits + bucketShift
	segmentBytes = 1 << segmentShift

	// fill is how many keys a bucket holds on average when its segment splits.
	// Just before a split, when walks are longest:
	//
	//	keys a bucket    finds that end at home    buckets a find    bytes a key
	//	3.5              0.92                      1.15              18.3
	//	4                0.87                      1.30              16.0
	//	4.5              0.82                      1.77              14.2
	//
	// and just after it half as many keys, 0.99, 1.01 and twice the bytes.
	fill = 4
	// maxWalk bounds a walk in buckets. The longest in a full segment of random
	// keys is some 30 long; one in a million might be longer than this.
	maxWalk = 64
)

// bucket is one cache line of up to five keys; the package comment draws it.
type bucket struct {
	hashes [slots]uint64
	rows   [slots]uint32
	meta   uint32
}

var _ [0]struct{} = [unsafe.Sizeof(bucket{}) - bucketBytes]struct{}{}

// match returns a bit for each slot in use that holds the hash: one or none.
func (b *bucket) match(hash uint64) uint32 {
	hits := bit(b.hashes[0] == hash) | bit(b.hashes[1] == hash)<<1 | bit(b.hashes[2] == hash)<<2 |
		bit(b.hashes[3] == hash)<<3 | bit(b.hashes[4] == hash)<<4
	return hits & b.meta
}

// row returns the row of the slot that match has found.
func (b *bucket) row(hits uint32) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(&b.rows), bits.TrailingZeros32(hits)*4))
}

// bit is compiled to a flag, not a branch.
func bit(is bool) uint32 {
	var b uint32
	if is {
		b = 1
	}
	return b
}

// passed returns how many keys' walks go on beyond the bucket.
func (b *bucket) passed() uint32 { return b.meta / onePassed }

// put fills a free slot, or says that there is none.
func (b *bucket) put(hash uint64, row uint32) bool {
	slot := bits.TrailingZeros32(^b.meta)
	if slot >= slots {
		return false
	}
	b.hashes[slot], b.rows[slot] = hash, row
	b.meta |= 1 << slot
	return true
}

// each yields the slots in use.
func (b *bucket) each(yield func(hash uint64, row uint32) bool) bool {
	for used := b.meta & inUse; used != 0; used &= used - 1 {
		slot := bits.TrailingZeros32(used)
		if !yield(b.hashes[slot], b.rows[slot]) {
			return false
		}
	}
	return true
}
