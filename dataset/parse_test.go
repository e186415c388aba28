package dataset

import (
	"math"
	"strconv"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

// FuzzParseNumber compares with strconv: the same texts are numbers, with the
// same bits, but for NaN and infinities, which are refused.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"0", "-0", "3.5", ".5", "5.", "-.25", "16777215", "16777216", "0.1", "1e-3", "-", ".", "", "+1", "1_000", "0x1p4", "NaN", "-Inf", "1.2.3", "000000001.5", "1e39", "0.000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := strconv.ParseFloat(s, 32)
		ok := err == nil && !math.IsNaN(want) && !math.IsInf(want, 0)
		got, err := parseNumber([]byte(s))
		if (err == nil) != ok || ok && math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Errorf("%q: got %v, %v; want %v", s, got, err, want)
		}
	})
}

// FuzzParseInt compares with strconv.
func FuzzParseInt(f *testing.F) {
	for _, s := range []string{"0", "-1", "+7", "2147483647", "2147483648", "-2147483649", "9223372036854775808", "18446744073709551615", "007", "", "-", "1.0", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		signed, wide := strconv.ParseInt(s, 10, 64)
		_, narrow := strconv.ParseInt(s, 10, 32)
		unsigned, uwide := strconv.ParseUint(s, 10, 64)
		for _, c := range []struct {
			k    tensor.KeyType
			want int64
			err  error
		}{{tensor.Int64, signed, wide}, {tensor.Int32, signed, narrow}, {tensor.Uint64, int64(unsigned), uwide}} {
			got, err := parseInt([]byte(s), c.k)
			if (err == nil) != (c.err == nil) || err == nil && got != c.want {
				t.Errorf("%q as %v: got %d, %v; want %d, %v", s, c.k, got, err, c.want, c.err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	text := string(ratingsText(100_000))
	cfg := Config{
		File: File{Path: "ratings.csv"},
		Columns: []Column{
			{Name: "user", From: "userId", Kind: ID}, {Name: "film", From: "movieId", Kind: ID},
			{Name: "rating", Kind: Label}, {Name: "time", From: "timestamp", Kind: Timestamp},
		},
		Open: files{"ratings.csv": text}.open,
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Read(ctx, cfg); err != nil {
			b.Fatal(err)
		}
	}
}
