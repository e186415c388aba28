package format

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/tensor"
)

// TestDocumentedBytes keeps the dumps in docs/format.md true: they are what is
// written, and what is written there is read.
func TestDocumentedBytes(t *testing.T) {
	doc, err := os.ReadFile("../../docs/format.md")
	must(t, err)
	text := strings.ReplaceAll(string(doc), "\r\n", "\n")
	film := table{
		h: Header{Name: "film", Width: 2, Slots: []Slot{{"m", 1}}, Seed: 7, Step: 9, HasLast: true, Rows: 2},
		blocks: []Block{{Keys: []uint64{42, ^uint64(0)}, Last: []int64{9, 8},
			Rows: []float32{1, -2, 0.5, 0, 3, 0.25}}},
	}
	genre := table{
		h:      Header{Name: "genre", KeyType: tensor.String, Width: 1, Rows: Unknown},
		blocks: []Block{{Strings: []string{"War", "Sci-Fi"}, Rows: []float32{1, 2}}},
	}
	user := table{
		h:      Header{Name: "user", Width: 1, Rows: 1, Policy: "frequency", Clock: 5},
		blocks: []Block{{Keys: []uint64{42}, Scores: []int64{3}, Rows: []float32{1}}},
	}
	item := table{
		h:      Header{Name: "item", Width: 3, Rows: 1, Type: BFloat16, Slots: []Slot{{"m", 1}}},
		blocks: []Block{{Keys: []uint64{42}, Rows: []float32{1, -2, 0.5, 0.25}}},
	}
	clicks := table{
		h:      Header{Name: "clicks", Width: 3, Rows: 1, Type: Int32},
		blocks: []Block{{Keys: []uint64{42}, Cells: AppendCells(nil, []int32{1, -2, 1 << 16})}},
	}
	title := table{
		h:      Header{Name: "title", Width: 2, Rows: 1, Type: Text},
		blocks: []Block{{Keys: []uint64{42}, Texts: []string{"Heat", "1995"}}},
	}
	for name, file := range map[string][]byte{
		"film.table":         encoded(t, film),
		"genre.table":        encoded(t, genre),
		"user.table":         encoded(t, user),
		"item.table":         encoded(t, item),
		"clicks.table":       encoded(t, clicks),
		"title.table":        encoded(t, title),
		"dense.arrays":       encodeArrays(t, []Array{array(t, "bias", []float32{1, -1}, 2)}),
		"layer-lookup.state": encodeVocabulary(t, &Vocabulary{KeyType: tensor.Int64, Unknown: 2, Keys: []uint64{42, ^uint64(0)}, Uses: []uint64{3, 1}}),
	} {
		want := "`" + name + "`:\n\n```\n" + hex.Dump(file) + "```\n"
		if !strings.Contains(text, want) {
			t.Errorf("docs/format.md lacks\n%s", want)
		}
	}
}

func encoded(t *testing.T, f table) []byte {
	file, err := f.encode(false)
	must(t, err)
	got, err := decode(bytes.NewReader(file), false)
	must(t, err)
	if !same(got, f) {
		t.Errorf("got %+v, want %+v", got, f)
	}
	return file
}
