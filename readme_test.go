package rowan_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadme says that the program in the README is the package's Example, and
// that what it prints is what the Example prints.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(source), "func Example() {\n")
	example, _, _ = strings.Cut(example, "\n}\n")
	code, output, _ := strings.Cut(example, "\n\t// Output:\n")
	if code == "" || output == "" {
		t.Fatal("example_test.go has no func Example with an output")
	}
	code = strings.ReplaceAll("\n"+strings.TrimRight(code, "\n"), "\n\t", "\n")
	output = strings.ReplaceAll("\n"+output, "\n\t// ", "\n")
	for what, text := range map[string]string{"the Example's code": "```go" + code + "\n```", "its output": "```" + output + "\n```"} {
		if !strings.Contains(string(readme), text) {
			t.Errorf("README.md does not have %s:\n%s", what, text)
		}
	}
}
