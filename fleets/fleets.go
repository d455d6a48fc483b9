// Package fleets holds ready-made fleet files: descriptions of an account before its migration, as examples,
// tests and the simulator read them. FORMAT.md beside this file describes the format. The files in the
// folder bad, which a reader must refuse, are not part of the package.
package fleets

import (
	"bytes"
	"embed"
	"io"
	"io/fs"
)

//go:embed *.json
var files embed.FS

//go:embed demo.json
var demo []byte

// Open opens the file of that name, such as "mixed.json" or "mixed.expected.json". There are the fleet files
// demo, mixed, s1-direct, s2-gateway, s3-preregistered and s4-tsl; demo and mixed have an expected file, which
// says what a correct plan for them contains. The error for any other name is [fs.ErrNotExist].
func Open(name string) (fs.File, error) { return files.Open(name) }

// Demo returns a reader of demo.json: a small town with something of each scenario, and something of most
// that blocks one. Each call starts anew.
func Demo() io.Reader { return bytes.NewReader(demo) }
