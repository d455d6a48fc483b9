package iotferry_test

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are what people read; CI runs the commands in them.
func documents(tree fs.FS) ([]string, error) {
	docs, err := fs.Glob(tree, "docs/*.md")
	return append(docs, "README.md"), err
}

// A block is a fenced block of a document.
type block struct {
	file  string
	line  int // of its first line of text
	kind  string
	lines []string
}

func blocks(tree fs.FS, file string) ([]block, error) {
	text, err := fs.ReadFile(tree, file)
	if err != nil {
		return nil, err
	}
	var out []block
	open := false
	for i, line := range strings.Split(string(text), "\n") {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open:
			open = false
		case fence:
			open = true
			out = append(out, block{file: file, line: i + 2, kind: kind})
		case open:
			last := &out[len(out)-1]
			last.lines = append(last.lines, line)
		}
	}
	return out, nil
}

func blocksOfKind(tree fs.FS, kind string) ([]block, error) {
	docs, err := documents(tree)
	if err != nil {
		return nil, err
	}
	var out []block
	for _, file := range docs {
		all, err := blocks(tree, file)
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(all, func(b block) bool { return b.kind != kind })...)
	}
	return out, nil
}

// snippetRules: code in documents stands in a compiled file, line by line.
func snippetRules(tree fs.FS) ([]string, error) {
	snippets, err := blocksOfKind(tree, "go")
	if err != nil {
		return nil, err
	}
	sources, err := goLines(tree)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, s := range snippets {
		if !slices.ContainsFunc(sources, func(source []string) bool { return holds(source, s.lines) }) {
			out = append(out, fmt.Sprintf("%s:%d: this code is in no .go file", s.file, s.line))
		}
	}
	return out, nil
}

func goLines(tree fs.FS) ([][]string, error) {
	var out [][]string
	err := walkTree(tree, func(name string) error {
		if path.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		out = append(out, strings.Split(string(src), "\n"))
		return err
	})
	return out, err
}

// holds reports whether the lines of a snippet follow each other in a source, all of them further in by the same.
func holds(source, snippet []string) bool {
	if len(snippet) == 0 {
		return false
	}
	for i := range len(source) - len(snippet) + 1 {
		indent, ok := strings.CutSuffix(source[i], snippet[0])
		if ok && strings.Trim(indent, "\t") == "" && slices.EqualFunc(source[i:i+len(snippet)], snippet, func(src, want string) bool {
			return src == want && want == "" || src == indent+want
		}) {
			return true
		}
	}
	return false
}

func TestSnippetsAreCompiled(t *testing.T) { keepsInTree(t, snippetRules) }

func TestSnippetRulesBite(t *testing.T) {
	const source = "package p\n\nfunc f() {\n\tif x {\n\t\ty()\n\n\t\tz()\n\t}\n}\n"
	for name, test := range map[string]struct{ snippet, want string }{
		"as it is":        {"func f() {\n\tif x {\n", ""},
		"a part, dedent":  {"if x {\n\ty()\n\n\tz()\n}\n", ""},
		"another word":    {"if x {\n\tw()\n", "README.md:3"},
		"a line left out": {"if x {\n\tz()\n", "README.md:3"},
		"other indents":   {"if x {\ny()\n", "README.md:3"},
		"half a line":     {"x {\n", "README.md:3"},
		"empty":           {"", "README.md:3"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := snippetRules(mapTree(map[string]string{
				"README.md": "Look:\n```go\n" + test.snippet + "```\n", "p/x.go": source,
			}))
			if err != nil {
				t.Fatal(err)
			}
			expectComplaint(t, got, test.want)
		})
	}
}

var (
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile("(?m)^#+ +(.+)$")
	notSlug  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// linkRules: links within the repository lead somewhere, to the heading if they name one.
func linkRules(tree fs.FS) ([]string, error) {
	var out []string
	err := walkTree(tree, func(name string) error {
		if path.Ext(name) != ".md" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		for _, match := range links.FindAllStringSubmatch(string(text), -1) {
			if link := match[1]; !strings.Contains(link, "://") && !leads(tree, name, link) {
				out = append(out, fmt.Sprintf("%s: link %s leads nowhere", name, link))
			}
		}
		return nil
	})
	return out, err
}

func leads(tree fs.FS, from, link string) bool {
	file, anchor, _ := strings.Cut(link, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	if _, err := fs.Stat(tree, target); err != nil || anchor == "" {
		return err == nil
	}
	text, err := fs.ReadFile(tree, target)
	return err == nil && slices.ContainsFunc(headings.FindAllStringSubmatch(string(text), -1), func(h []string) bool {
		return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-") == anchor
	})
}

func TestLinksResolve(t *testing.T) { keepsInTree(t, linkRules) }

func TestLinkRulesBite(t *testing.T) {
	for link, ok := range map[string]bool{
		"docs/a.md": true, "docs": true, "docs/a.md#do-and-undo": true, "#top": true, "https://example.com/x": true,
		"docs/b.md": false, "../README.md": false, "docs/a.md#do": false, "#bottom": false,
	} {
		got, err := linkRules(mapTree(map[string]string{
			"README.md": fmt.Sprintf("# Top\n\nSee [it](%s).\n", link), "docs/a.md": "# A\n\n## Do, and `Undo`\n\nUp: [README](../README.md)\n",
		}))
		if err != nil {
			t.Fatal(err)
		}
		want := "link " + link
		if ok {
			want = ""
		}
		expectComplaint(t, got, want)
	}
}

const script = ".ci/run"

// commandRules: the README sets up with two commands; CI begins with the second, and runs every command of the documents.
func commandRules(tree fs.FS) ([]string, error) {
	commands, err := blocksOfKind(tree, "sh")
	if err != nil {
		return nil, err
	}
	ci, err := fs.ReadFile(tree, script)
	if err != nil {
		return nil, err
	}
	var out []string
	setUp := []string{"go run ./examples/quickstart", "go test ./..."}
	readme := slices.DeleteFunc(slices.Clone(commands), func(b block) bool { return b.file != "README.md" })
	if len(readme) != 1 || !slices.Equal(readme[0].lines, setUp) {
		out = append(out, fmt.Sprintf("README.md: its only commands must be %q", setUp))
	}
	_, steps, _ := strings.Cut(string(ci), "\nstep ")
	if !strings.HasPrefix(steps, setUp[1]+"\n") {
		out = append(out, fmt.Sprintf("%s: its first step must be %s", script, setUp[1]))
	}
	if !strings.Contains(string(ci), "\nrun_documents README.md docs/*.md\n") {
		out = append(out, script+": it does not run the documents' commands")
	}
	sources, err := goLines(tree)
	if err != nil {
		return nil, err
	}
	for _, b := range commands {
		for i, line := range b.lines {
			for _, name := range testNames.FindAllString(line, -1) {
				if !declares(sources, name) {
					out = append(out, fmt.Sprintf("%s:%d: no test is called %s", b.file, b.line+i, name))
				}
			}
			if !strings.HasPrefix(line, "go ") || strings.HasSuffix(line, `\`) {
				out = append(out, fmt.Sprintf("%s:%d: %q: CI runs single lines that begin with go", b.file, b.line+i, line))
			}
		}
	}
	return out, nil
}

var testNames = regexp.MustCompile(`\b(Test|Fuzz|Benchmark|Example)[A-Z]\w*`)

// declares reports whether there is a function whose name begins with name.
func declares(sources [][]string, name string) bool {
	return slices.ContainsFunc(sources, func(lines []string) bool {
		return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "func "+name) })
	})
}

func TestCommandsAreRun(t *testing.T) { keepsInTree(t, commandRules) }

func TestCommandRulesBite(t *testing.T) {
	const (
		readme = "```sh\ngo run ./examples/quickstart\ngo test ./...\n```\n"
		ci     = "set -e\nstep go test ./...\nstep go vet ./...\nrun_documents README.md docs/*.md\n"
	)
	for name, test := range map[string]struct {
		tree map[string]string
		want string
	}{
		"all well":         {nil, ""},
		"a third command":  {map[string]string{"README.md": readme + "```sh\ngo version\n```\n"}, "its only commands"},
		"another test":     {map[string]string{"README.md": strings.Replace(readme, "./...", ".", 1)}, "its only commands"},
		"vet first":        {map[string]string{script: strings.Replace(ci, "step go test", "step go vet", 1)}, "first step"},
		"not all are run":  {map[string]string{script: strings.Replace(ci, " docs/*.md", "", 1)}, "does not run"},
		"no single line":   {map[string]string{"docs/a.md": "```sh\ngo test \\\n```\n"}, "docs/a.md:2"},
		"a test that is":   {map[string]string{"docs/a.md": "```sh\ngo test -run 'TestThere|TestAl'\n```\n"}, ""},
		"a test that was":  {map[string]string{"docs/a.md": "```sh\ngo test -run 'TestThere|TestGone'\n```\n"}, "called TestGone"},
		"no command of go": {map[string]string{"docs/a.md": "```sh\ngo vet\ncurl x\n```\n"}, "docs/a.md:3"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := map[string]string{"README.md": readme, script: ci, "docs/a.md": "```sh\ngo vet\n```\n", "a_test.go": "func TestThere(\nfunc TestAlso("}
			for file, text := range test.tree {
				tree[file] = text
			}
			got, err := commandRules(mapTree(tree))
			if err != nil {
				t.Fatal(err)
			}
			expectComplaint(t, got, test.want)
		})
	}
}
