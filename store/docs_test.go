package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs holds docs/durability.md to the tests: each that it names is there, here but for the one that needs the whole server.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/durability.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names = append(names, "../power_linux_test.go")
	var code strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(page), -1)
	if len(named) < 12 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, n := range named {
		if !strings.Contains(code.String(), "func "+n[1]+"(t *testing.T)") {
			t.Errorf("%s is named, and there is none", n[1])
		}
	}
}
