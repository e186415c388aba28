package dense

// fillUniform fills dst with numbers in [0, 1): number i is a hash of (key, i)
// with 24 random bits, the most a float32 below 1 can carry evenly.
//
// The hash is Steele, Lea and Flood's SplitMix64 ("Fast splittable
// pseudorandom number generators", 2014) at counter i, so it has no state that
// a checkpoint would have to keep.
func fillUniform(dst []float32, key uint64) {
	for i := range dst {
		dst[i] = float32(mix(key+uint64(i)*golden)>>40) * (1.0 / (1 << 24))
	}
}

// streamKey is the key of one random array of one step.
func streamKey(seed uint64, step int64, stream uint64) uint64 {
	return mix(mix(mix(seed+golden)+uint64(step)*golden) + stream*golden)
}

const golden = 0x9e3779b97f4a7c15

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
