package main_test

import (
	"fmt"
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// statement is how a promise is numbered, in docs/security.md and in the names of tests.
var statement = regexp.MustCompile(`^(?:P[1-9]|L1[0-7]|A18|A19|A20|A2[2-6])$`)

// promised are all that there must be.
var promised = strings.Fields("P1 P2 P3 P4 P5 P6 P7 P8 P9 L10 L11 L12 L13 L14 L15 L16 L17 A18 A19 A20 A22 A23 A24 A25 A26")

// TestStatements: each promise of docs/security.md is made in words, has tests, and these exist; and a test that is named
// after a promise is in its row.
func TestStatements(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range statements(string(text), testNames(ours(t))) {
		t.Error(wrong)
	}
}

// testNames are the tests and fuzz targets of all packages.
func testNames(files []source) (all []string) {
	for _, f := range files {
		if !f.test() {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz")) {
				all = append(all, fn.Name.Name)
			}
		}
	}
	return all
}

var (
	inWords = regexp.MustCompile(`(?m)^- \*\*([A-Z][0-9]+)\*\* \S`)
	inTable = regexp.MustCompile("(?m)^\\| ([A-Za-z0-9 ]+) \\| (.*`.*) \\|$")
	ofTest  = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	ofNames = regexp.MustCompile(`^(?:Test|Fuzz)([PLA][0-9]+)[A-Z]`)
)

// statements says what is wrong with a page, given the names of all tests.
func statements(page string, tests []string) (wrong []string) {
	words := map[string]bool{}
	for _, m := range inWords.FindAllStringSubmatch(page, -1) {
		words[m[1]] = true
	}
	rows := map[string][]string{}
	for _, m := range inTable.FindAllStringSubmatch(page, -1) {
		for _, name := range ofTest.FindAllStringSubmatch(m[2], -1) {
			rows[m[1]] = append(rows[m[1]], name[1])
			if !slices.Contains(tests, name[1]) {
				wrong = append(wrong, fmt.Sprintf("%s: there is no %s", m[1], name[1]))
			}
		}
	}
	for _, p := range promised {
		if !words[p] {
			wrong = append(wrong, p+" is not promised in words")
		}
		if len(rows[p]) == 0 {
			wrong = append(wrong, p+" has no test")
		}
	}
	for _, name := range tests {
		if m := ofNames.FindStringSubmatch(name); m != nil && statement.MatchString(m[1]) && !slices.Contains(rows[m[1]], name) {
			wrong = append(wrong, name+" is not in the row of "+m[1])
		}
	}
	return wrong
}

// TestStatementsNotices breaks the page in each way, and each must be noticed.
func TestStatementsNotices(t *testing.T) {
	var page strings.Builder
	for _, p := range promised {
		fmt.Fprintf(&page, "- **%s** Something.\n", p)
	}
	for _, p := range promised {
		fmt.Fprintf(&page, "| %s | `Test%sHolds` |\n", p, p)
	}
	var tests []string
	for _, p := range promised {
		tests = append(tests, "Test"+p+"Holds")
	}
	good := page.String()
	if wrong := statements(good, tests); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	for _, c := range []struct{ from, to, want string }{
		{"- **L12** Something.\n", "", "L12 is not promised"},
		{"| L12 | `TestL12Holds` |\n", "", "L12 has no test"},
		{"`TestL12Holds`", "`TestL12Held`", "L12: there is no TestL12Held"},
		{"| L12 | `TestL12Holds` |", "| L12 | by hand |", "L12 has no test"},
		{"| L12 | `TestL12Holds` |", "| L12 | `TestL13Holds` |", "TestL12Holds is not in the row of L12"},
	} {
		if got := strings.Join(statements(strings.Replace(good, c.from, c.to, 1), tests), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%q instead of %q: found %q, want %q", c.to, c.from, got, c.want)
		}
	}
}
