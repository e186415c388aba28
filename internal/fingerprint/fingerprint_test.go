package fingerprint

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"strconv"
	"testing"
)

// TestAsTensorFlow compares both with what TensorFlow made of texts around each
// length at which the way changes, modulo a number that is no power of two.
func TestAsTensorFlow(t *testing.T) {
	file, err := os.ReadFile("../../layer/testdata/keras_ids.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Fingerprints struct {
			Modulus      string
			Texts        []string
			Key          []string
			Fast, Strong []string
		}
	}
	if err := json.Unmarshal(file, &recorded); err != nil {
		t.Fatal(err)
	}
	r := recorded.Fingerprints
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	key, modulus := [2]uint64{number(r.Key[0]), number(r.Key[1])}, number(r.Modulus)
	if len(r.Texts) < 30 {
		t.Fatalf("%d texts are recorded", len(r.Texts))
	}
	for i, text := range r.Texts {
		if got, want := Farm([]byte(text))%modulus, number(r.Fast[i]); got != want {
			t.Errorf("Farm of %d bytes: %d, want %d", len(text), got, want)
		}
		if got, want := Sip(key, []byte(text))%modulus, number(r.Strong[i]); got != want {
			t.Errorf("Sip of %d bytes: %d, want %d", len(text), got, want)
		}
	}
}

// TestSipAsPublished is the example of the paper, appendix A.
func TestSipAsPublished(t *testing.T) {
	var bytes [16]byte
	for i := range bytes {
		bytes[i] = byte(i)
	}
	key := [2]uint64{binary.LittleEndian.Uint64(bytes[:]), binary.LittleEndian.Uint64(bytes[8:])}
	if got := Sip(key, bytes[:15]); got != 0xa129ca6149be45e5 {
		t.Errorf("got %#x", got)
	}
}
