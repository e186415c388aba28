package initializer

// Stream returns the random stream of an integer key of a table: the number
// that [Initializer.Row] turns into the key's first values. For one seed and
// table, different keys have different streams, all 2^64 of them. Signed keys
// are converted to uint64.
func Stream(seed uint64, table string, key uint64) uint64 {
	return TableStream(seed, table).Key(key)
}

// StreamString is [Stream] for a string key. Different keys share a stream only
// if their 64-bit hashes meet: one pair in 2^64.
func StreamString(seed uint64, table, key string) uint64 {
	return TableStream(seed, table).KeyString(key)
}

// Streams is the part of a stream that all keys of a table share. A table
// computes it once, so that a key costs one mixing round.
type Streams uint64

// TableStream returns the streams of a table under a seed.
func TableStream(seed uint64, table string) Streams {
	return Streams(mix(mix(seed+golden) ^ hashString(table)))
}

// Key returns the stream of an integer key; see [Stream].
func (s Streams) Key(key uint64) uint64 {
	return mix(uint64(s) ^ mix(key+golden))
}

// KeyString returns the stream of a string key; see [StreamString].
func (s Streams) KeyString(key string) uint64 {
	return mix(uint64(s) ^ hashString(key))
}

// golden is 2^64 divided by the golden ratio, made odd: SplitMix64's increment.
const golden = 0x9e3779b97f4a7c15

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014; constants by Stafford, variant 13).
// It is a bijection, and each bit of x changes each bit of the result with a
// chance close to one half.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hashString is a stable 64-bit hash: the string's length, then eight bytes at
// a time, little endian, the last ones filled up with zeros, each mixed in.
func hashString(s string) uint64 {
	h := mix(^uint64(len(s))) // not as integer keys start
	for ; len(s) >= 8; s = s[8:] {
		h = mix(h ^ word(s[:8]))
	}
	if len(s) > 0 {
		h = mix(h ^ word(s))
	}
	return h
}

// word reads up to eight bytes of s, little endian.
func word(s string) uint64 {
	var w uint64
	for i := range len(s) {
		w |= uint64(s[i]) << (8 * i)
	}
	return w
}

// Bits returns 64 random bits, number i of those that a stream has: a function of
// the two and of nothing else.
//
// The stream goes into both rounds: if two streams met in the first for some pair
// of numbers, as shifted sequences of one counter would, they part in the second.
func Bits(stream, i uint64) uint64 {
	return mix(mix(stream^(i+1)*golden) + stream)
}

// bits returns the random bits of dimension i of a stream.
func bits(stream uint64, i int) uint64 { return Bits(stream, uint64(i)) }

// reseed sets a stream apart by an initializer's own seed; 0 leaves it as it is.
func reseed(stream uint64, seed int64) uint64 {
	if seed == 0 {
		return stream
	}
	return mix(stream ^ mix(uint64(seed)+golden))
}
