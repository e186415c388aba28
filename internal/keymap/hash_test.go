package keymap

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestHashIsABijection(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, key := range []uint64{0, 1, ^uint64(0), 1 << 63, 1<<63 - 1} {
		if got := Key(Hash(key)); got != key {
			t.Errorf("Key(Hash(%#x)) = %#x", key, got)
		}
	}
	for range 10000 {
		key := r.Uint64()
		if got := Key(Hash(key)); got != key {
			t.Fatalf("Key(Hash(%#x)) = %#x", key, got)
		}
		if got := Hash(Key(key)); got != key {
			t.Fatalf("Hash(Key(%#x)) = %#x", key, got)
		}
	}
}

// TestHashVectors holds the hashes still: files and routes depend on them. The
// values for integers are those of SplitMix64's finaliser.
func TestHashVectors(t *testing.T) {
	for key, want := range map[uint64]uint64{
		0:                  0,
		1:                  0x5692161d100b05e5,
		0x9e3779b97f4a7c15: 0xe220a8397b1dcdaf, // the first number of SplitMix64 from seed 0
		^uint64(0):         0xb4d055fcf2cbbd7b,
	} {
		if got := Hash(key); got != want {
			t.Errorf("Hash(%#x) = %#x, want %#x", key, got, want)
		}
	}
}

func TestHashStringVectors(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 5)
	for _, c := range []struct {
		s    string
		want uint64
	}{
		{"", 0x9b71f860dc01b49d},
		{"a", 0x5b4c9200970616d1},
		{"ab", 0x2399d898fb004e31},
		{"abc", 0xf5fd59c48ac7d4ad},
		{"Drama", 0x32d53abb64078793},
		{"Sci-Fi", 0x4a90c8dc54391540},
		{"Children", 0xf0f459741e9901f0},
		{"\x00", 0x1d5c5e4dd09745a7},
		{"\x00\x00", 0xe5751f5aa0992efe},
		{long[:16], 0xa7a91ce33cb30d45},
		{long[:17], 0x1371b3f0426a3b53},
		{long[:31], 0x22284ac21cc3526e},
		{long[:32], 0xa11f79cd767f3340},
		{long[:33], 0x126549f04259f9ee},
		{long, 0xe5b6e2c484111ceb},
	} {
		if got := HashString(c.s); got != c.want {
			t.Errorf("HashString(%q) = %#x, want %#x", c.s, got, c.want)
		}
	}
}

// TestHashStringAvalanche flips each bit of strings of every length up to
// 70 and asks that the hash changes in about half its bits, each bit being as
// likely as another.
func TestHashStringAvalanche(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for length := 1; length <= 70; length++ {
		var flips [64]int
		trials, total := 0, 0
		for range 1 + 400/length {
			b := make([]byte, length)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			base := HashString(string(b))
			for i := range length * 8 {
				b[i/8] ^= 1 << (i % 8)
				diff := base ^ HashString(string(b))
				b[i/8] ^= 1 << (i % 8)
				if diff == 0 {
					t.Fatalf("length %d: bit %d does not move the hash", length, i)
				}
				total += bits.OnesCount64(diff)
				trials++
				for bit := range 64 {
					flips[bit] += int(diff >> bit & 1)
				}
			}
		}
		if mean := float64(total) / float64(trials); mean < 31.5 || mean > 32.5 {
			t.Errorf("length %d: a flipped bit moves %.2f bits of the hash, want 32", length, mean)
		}
		for bit, n := range flips {
			if share := float64(n) / float64(trials); share < 0.43 || share > 0.57 {
				t.Errorf("length %d: bit %d of the hash flips in %.3f of the trials", length, bit, share)
			}
		}
	}
}

// TestHashSpreads counts keys of the kinds that tables have in 4,096 boxes, by
// the low bits (buckets) and by the high bits (stripes and directories), and
// asks for no more unevenness than chance brings (chi squared, 5 sigma).
func TestHashSpreads(t *testing.T) {
	const n, boxes = 1 << 17, 4096
	kinds := map[string]func(i int) uint64{
		"counters":           func(i int) uint64 { return Hash(uint64(i)) },
		"multiples":          func(i int) uint64 { return Hash(uint64(i) << 20) },
		"high bits":          func(i int) uint64 { return Hash(uint64(i) << 47) },
		"decimal strings":    func(i int) uint64 { return HashString(fmt.Sprint(i)) },
		"padded strings":     func(i int) uint64 { return HashString(fmt.Sprintf("user:%020d", i)) },
		"strings of zeros":   func(i int) uint64 { return HashString(zeros[:i]) },
		"two-byte alphabets": func(i int) uint64 { return HashString(fmt.Sprintf("%017b", i)) },
	}
	for name, hash := range kinds {
		t.Run(name, func(t *testing.T) {
			n := n
			if name == "strings of zeros" {
				n = len(zeros)
			}
			var low, high [boxes]int
			seen := make(map[uint64]bool, n)
			for i := range n {
				h := hash(i)
				seen[h] = true
				low[h%boxes]++
				high[h>>52]++
			}
			if len(seen) != n {
				t.Errorf("%d of %d keys share a hash", n-len(seen), n)
			}
			for name, counts := range map[string]*[boxes]int{"low": &low, "high": &high} {
				if z := unevenness(counts[:], n); z > 5 {
					t.Errorf("%s bits: %.1f sigma more uneven than chance", name, z)
				}
			}
		})
	}
}

var zeros = strings.Repeat("\x00", 1<<14)

// unevenness is chi squared of counts that should be equal, in standard
// deviations from what chance brings.
func unevenness(counts []int, n int) float64 {
	want := float64(n) / float64(len(counts))
	var chi float64
	for _, c := range counts {
		chi += (float64(c) - want) * (float64(c) - want) / want
	}
	freedom := float64(len(counts) - 1)
	return (chi - freedom) / math.Sqrt(2*freedom)
}
