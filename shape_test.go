package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The code's own shape: which room imports which, what the pure rooms must not do, how long things may grow. The rules
// are in CONTRIBUTING.md; here they are checked, and each check is shown to fail.

// room is a directory with a package.
type room struct {
	imports []string // which of our rooms it may import
	pure    bool     // no clock, no goroutine, no I/O
}

// rooms are all of them. A new one is entered here, with what it may know.
var rooms = map[string]room{
	".":                    {imports: []string{"callback", "conform", "console", "keeper", "prove", "store", "reactor", "protocol", "dispatch", "schedule", "footprint"}},
	"footprint":            {},
	"console":              {imports: []string{"document", "dispatch", "protocol", "schedule", "store"}},
	"reactor":              {imports: []string{"protocol", "dispatch"}},
	"protocol":             {imports: []string{"document", "dispatch"}, pure: true},
	"document":             {imports: []string{"dispatch"}, pure: true},
	"protocol/transcript":  {},
	"protocol/conformance": {},
	"dispatch":             {imports: []string{"schedule"}, pure: true},
	"schedule":             {pure: true},
	"store":                {},
	"keeper":               {imports: []string{"document", "dispatch", "store"}},
	"callback":             {},
	"prove":                {},
	"conform":              {},
	"bench":                {},
	"bench/echo":           {imports: []string{"reactor", "protocol", "dispatch", "footprint"}},
	"examples":             {},
	"examples/go/worker":   {},
	"examples/go/producer": {},
}

// shared are the files of a pure room that more than one goroutine enters: the ring, the combiner that runs the
// dispatcher, and the budget of bytes. They may use what orders memory, and nothing else that is forbidden.
var shared = []string{"dispatch/ring.go", "dispatch/combiner.go", "dispatch/budget.go"}

// longer are the functions over maxFunction lines, as long as they are. The list only shrinks.
var longer = map[string]int{
	"protocol.scanValue": 82, // a state machine whose states are its labels
}

const (
	maxFunction = 70
	maxFile     = 800
)

// impure is what a pure room must not import: these packages, and all below them.
var impure = []string{"net", "os", "log", "syscall", "sync", "crypto/rand", "context", "io/fs", "math/rand"}

// harmless is what it may import all the same: names and types that do nothing by themselves.
var harmless = []string{"net/http", "net/netip", "math/rand/v2"}

// drawers are names that say nothing about what is inside.
var drawers = []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "impl", "misc", "shared", "lib"}

// source is one file.
type source struct {
	dir, name string
	lines     int
	set       *token.FileSet
	*ast.File
}

func (s source) path() string { return path.Join(s.dir, s.name) }
func (s source) test() bool   { return strings.HasSuffix(s.name, "_test.go") }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path(), s.set.Position(n.Pos()).Line)
}

func parse(name, text string) (source, error) {
	s := source{dir: path.Dir(name), name: path.Base(name), lines: strings.Count(text, "\n"), set: token.NewFileSet()}
	var err error
	s.File, err = parser.ParseFile(s.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return s, err
}

// ours reads every Go file of the module.
func ours(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && (len(base) > 1 && base[0] == '.' || base == "node_modules" || base == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(name), string(text))
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rule looks at files and says what is wrong with them.
type rule func(files []source) []string

var rules = map[string]rule{
	"imports":    imports,
	"purity":     purity,
	"names":      names,
	"length":     length,
	"documented": documented,
	"sleep":      sleep,
}

func TestShape(t *testing.T) {
	files := ours(t)
	if len(files) < 20 {
		t.Fatalf("only %d files were found", len(files))
	}
	for name, check := range rules {
		t.Run(name, func(t *testing.T) {
			for _, wrong := range check(files) {
				t.Error(wrong)
			}
		})
	}
}

// imports keeps the one direction: main, reactor, protocol, dispatch, schedule.
func imports(files []source) (wrong []string) {
	for _, f := range files {
		r, known := rooms[f.dir]
		if !known {
			wrong = append(wrong, f.path()+": the directory is no room of shape_test.go")
		}
		for _, i := range f.Imports {
			to, isOurs := strings.CutPrefix(importPath(i), "workman/")
			if isOurs && !f.test() && !slices.Contains(r.imports, to) {
				wrong = append(wrong, fmt.Sprintf("%s: %s must not import %s", f.at(i), f.dir, to))
			}
		}
	}
	return wrong
}

func importPath(i *ast.ImportSpec) string {
	p, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		return i.Path.Value
	}
	return p
}

// purity keeps clocks, goroutines and I/O out of the pure rooms.
func purity(files []source) (wrong []string) {
	for _, f := range files {
		if !rooms[f.dir].pure || f.test() {
			continue
		}
		isShared := slices.Contains(shared, f.path())
		for _, i := range f.Imports {
			if p := importPath(i); isImpure(p) && !(isShared && within(p, "sync")) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is pure, and must not import %s", f.at(i), f.dir, p))
			}
		}
		for n := range ast.Preorder(f.File) {
			if what := impurity(n); what != "" {
				wrong = append(wrong, fmt.Sprintf("%s: %s is pure, and must not use %s", f.at(n), f.dir, what))
			}
		}
	}
	return wrong
}

func within(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }

func isImpure(p string) bool {
	return !slices.Contains(harmless, p) && slices.ContainsFunc(impure, func(q string) bool { return within(p, q) })
}

// impurity names what a node does that a pure room must not; it is empty for others.
func impurity(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.ChanType, *ast.SendStmt, *ast.SelectStmt:
		return "a channel"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "a channel"
		}
	case *ast.SelectorExpr:
		pkg, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		name := n.Sel.Name
		switch pkg.Name {
		case "time":
			if slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}, name) {
				return "time." + name
			}
		case "fmt":
			if strings.HasPrefix(name, "Print") || strings.HasPrefix(name, "Scan") {
				return "fmt." + name
			}
		case "rand":
			if !slices.Contains([]string{"Rand", "Source", "New", "PCG", "NewPCG", "ChaCha8", "NewChaCha8"}, name) {
				return "rand." + name + ", whose source is its own"
			}
		case "http":
			if !strings.HasPrefix(name, "Status") && !strings.HasPrefix(name, "Method") {
				return "http." + name
			}
		}
	}
	return ""
}

// names keeps drawers away.
func names(files []source) (wrong []string) {
	for _, f := range files {
		for _, name := range []string{strings.TrimSuffix(f.Name.Name, "_test"), path.Base(f.dir), strings.TrimSuffix(f.name, ".go")} {
			if slices.Contains(drawers, name) {
				wrong = append(wrong, fmt.Sprintf("%s: %q says nothing about what is inside", f.path(), name))
			}
		}
	}
	return wrong
}

// length is a ratchet: nothing new grows past the limits, and what is past them only shrinks.
func length(files []source) (wrong []string) {
	seen := map[string]bool{}
	for _, f := range files {
		if f.lines > maxFile {
			wrong = append(wrong, fmt.Sprintf("%s: %d lines, and %d is the most", f.path(), f.lines, maxFile))
		}
		if f.test() {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.dir + "." + receiver(fn) + fn.Name.Name
			n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			allowed, listed := longer[name]
			seen[name] = true
			switch {
			case listed && n < allowed:
				wrong = append(wrong, fmt.Sprintf("%s: %s has shrunk to %d lines: well done, now lower it in shape_test.go", f.at(fn), name, n))
			case n > max(allowed, maxFunction):
				wrong = append(wrong, fmt.Sprintf("%s: %s has %d lines, and %d is the most", f.at(fn), name, n, max(allowed, maxFunction)))
			}
		}
	}
	for name := range longer {
		if !seen[name] {
			wrong = append(wrong, name+" is gone: take it from the list in shape_test.go")
		}
	}
	return wrong
}

// receiver is "Type." of a method.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	e := fn.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name + "."
		default:
			return "?."
		}
	}
}

// documented sees that each package says what it is, in doc.go unless it is a command, and each exported name too.
func documented(files []source) (wrong []string) {
	said := map[string]bool{}
	library := map[string]bool{}
	for _, f := range files {
		if f.test() {
			continue
		}
		library[f.dir] = library[f.dir] || f.Name.Name != "main"
		said[f.dir] = said[f.dir] || f.Doc != nil && (f.name == "doc.go" || f.Name.Name == "main")
		if f.Name.Name == "main" {
			continue
		}
		for _, d := range f.Decls {
			for _, name := range undocumented(d) {
				wrong = append(wrong, fmt.Sprintf("%s: %s has no comment", f.at(d), name))
			}
		}
	}
	for dir := range library {
		if !said[dir] {
			wrong = append(wrong, dir+": no doc.go says what the package is")
		}
	}
	return wrong
}

// undocumented lists the exported names of a declaration that no comment is about.
func undocumented(d ast.Decl) (found []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		owner := strings.TrimSuffix(receiver(d), ".")
		if d.Name.IsExported() && d.Doc == nil && (owner == "" || ast.IsExported(owner)) {
			found = append(found, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					found = append(found, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						found = append(found, n.Name)
					}
				}
			}
		}
	}
	return found
}

// sleep keeps tests from sleeping where they could wait for what they mean. In a bubble of testing/synctest a sleep is
// not one.
func sleep(files []source) (wrong []string) {
	for _, f := range files {
		if !f.test() || slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return importPath(i) == "testing/synctest" }) {
			continue
		}
		for n := range ast.Preorder(f.File) {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "time" {
					wrong = append(wrong, f.at(n)+": a test waits for what it means, and does not sleep")
				}
			}
		}
	}
	return wrong
}

// TestShapeNotices breaks each rule, and each must notice.
func TestShapeNotices(t *testing.T) {
	lines := strings.Repeat("\t_ = 0\n", maxFunction)
	for _, c := range []struct{ rule, file, text, want string }{
		{"imports", "schedule/a.go", `package schedule; import _ "workman/dispatch"`, "schedule must not import dispatch"},
		{"imports", "dispatch/a.go", `package dispatch; import _ "workman/protocol"`, "dispatch must not import protocol"},
		{"imports", "protocol/a.go", `package protocol; import _ "workman/reactor"`, "protocol must not import reactor"},
		{"imports", "bench/a.go", `package main; import _ "workman/dispatch"`, "bench must not import dispatch"},
		{"imports", "cellar/a.go", `package cellar`, "no room"},
		{"purity", "dispatch/a.go", `package dispatch; import "time"; var _ = time.Now`, "time.Now"},
		{"purity", "dispatch/a.go", `package dispatch; func f() { go f() }`, "a go statement"},
		{"purity", "dispatch/a.go", `package dispatch; var c = make(chan int)`, "a channel"},
		{"purity", "dispatch/ring.go", `package dispatch; var _ = <-c`, "a channel"},
		{"purity", "dispatch/a.go", `package dispatch; import _ "sync"`, "must not import sync"},
		{"purity", "dispatch/ring.go", `package dispatch; import _ "os"`, "must not import os"},
		{"purity", "dispatch/a.go", `package dispatch; import "math/rand/v2"; var _ = rand.IntN(3)`, "rand.IntN"},
		{"purity", "protocol/a.go", `package protocol; import _ "net"`, "must not import net"},
		{"purity", "protocol/a.go", `package protocol; import "net/http"; var _ = http.Get`, "http.Get"},
		{"purity", "protocol/a.go", `package protocol; import _ "log/slog"`, "must not import log/slog"},
		{"purity", "schedule/a.go", `package schedule; import "fmt"; func f() { fmt.Println() }`, "fmt.Println"},
		{"names", "reactor/util/a.go", `package util`, "says nothing"},
		{"names", "reactor/helpers.go", `package reactor`, "says nothing"},
		{"length", "reactor/a.go", "package reactor\n\nfunc f() {\n" + lines + "}\n", "f has 72 lines"},
		{"length", "reactor/a.go", "package reactor\n" + strings.Repeat("\n", maxFile), "801 lines"},
		{"documented", "reactor/a.go", "// Package reactor is.\npackage reactor", "no doc.go"},
		{"documented", "reactor/doc.go", "// Package reactor is.\npackage reactor\nfunc F() {}", "F has no comment"},
		{"documented", "reactor/doc.go", "// Package reactor is.\npackage reactor\nconst (\n A = 1 // A is\n B = 1\n)", "B has no comment"},
		{"documented", "reactor/doc.go", "// Package reactor is.\npackage reactor\n// T is.\ntype T int\nfunc (*T) M() {}", "M has no comment"},
		{"sleep", "reactor/a_test.go", `package reactor_test; import "time"; func f() { time.Sleep(1) }`, "does not sleep"},
	} {
		f, err := parse(c.file, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(rules[c.rule]([]source{f}), "\n"); !strings.Contains(found, c.want) {
			t.Errorf("%s found %q in %s, want %q:\n%.200s", c.rule, found, c.file, c.want, c.text)
		}
	}
	for _, c := range []struct{ rule, file, text string }{
		{"imports", "protocol/a.go", `package protocol; import _ "workman/dispatch"`},
		{"purity", "dispatch/ring.go", `package dispatch; import _ "sync/atomic"`},
		{"purity", "protocol/a.go", `package protocol; import "net/http"; var _ = http.StatusOK`},
		{"purity", "reactor/a.go", `package reactor; import "time"; var _ = time.Now`},
		{"sleep", "reactor/a_test.go", `package a; import ("time"; _ "testing/synctest"); func f() { time.Sleep(1) }`},
	} {
		f, err := parse(c.file, c.text)
		if err != nil {
			t.Fatal(err)
		}
		if found := rules[c.rule]([]source{f}); len(found) > 0 {
			t.Errorf("%s found %q in %s, and should not have", c.rule, found, c.text)
		}
	}
}
