package kernel

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The register allocator knows 32 vector registers; AVX2 has 16. A function
// that needs more would be encoded for AVX-512 without a word.
func TestAVX2FunctionsKeepToAVX2(t *testing.T) {
	f, err := os.Open("kernel_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	beyond := regexp.MustCompile(`\b([XY](1[6-9]|[23][0-9])|Z[0-9]+|K[0-7])\b`)
	function, seen := "", 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "TEXT") {
			function = strings.Fields(line)[1]
		}
		if strings.Contains(function, "AVX2(") {
			seen++
			if beyond.MatchString(line) {
				t.Errorf("%s: %s", function, line)
			}
		}
	}
	if seen == 0 {
		t.Error("no AVX2 function found")
	}
}
