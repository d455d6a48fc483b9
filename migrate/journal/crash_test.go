package journal_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// boundaries returns where in data each batch ends, from 0 on.
func boundaries(t *testing.T, data []byte) []int {
	lines := slices.Collect(bytes.Lines(data))
	var at []int
	for _, end := range ends() {
		at = append(at, len(bytes.Join(lines[:end], nil)))
	}
	if at[len(at)-1] != len(data) {
		t.Fatalf("the batches have %d bytes, the data %d", at[len(at)-1], len(data))
	}
	return at
}

// TestCutAnywhere ends a journal's file at every byte: what is left is a prefix of whole batches, and the
// campaign goes on from there.
func TestCutAnywhere(t *testing.T) {
	data := small(t)
	sweepTail(t, data, 1, func(cut int) []byte { return data[:cut] })
}

// TestZerosAnywhere does the same with zeros up to the end, as file systems show them after a power loss.
func TestZerosAnywhere(t *testing.T) {
	data := small(t)
	sweepTail(t, data, 5, func(cut int) []byte {
		return slices.Concat(data[:cut], make([]byte, len(data)-cut))
	})
}

func sweepTail(t *testing.T, data []byte, step int, tail func(cut int) []byte) {
	bounds := boundaries(t, data)
	dir := t.TempDir()
	for cut := 0; cut <= len(data); cut += step {
		batch, exact := slices.BinarySearch(bounds, cut)
		if !exact {
			batch--
		}
		want := ends()[batch]
		write(t, dir, tail(cut))
		d := unsynced(t, dir)
		mustHold(t, d, want)
		mustAppend(t, d, want, note("goes on"), note("goes on"))
		mustHold(t, d, want+2)
		if !bytes.Equal(contents(t, dir)[:bounds[batch]], data[:bounds[batch]]) {
			t.Fatalf("cut at byte %d: what was whole was changed", cut)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHoles zeroes a part of the file. It is torn if those can be sectors of the last append that were not
// written, and damage otherwise.
func TestHoles(t *testing.T) {
	data := sample(t)
	last, size := boundaries(t, data)[3], boundaries(t, data)[4]
	data = data[:size] // ends with the batch of three
	aligned := func(off int) bool { return off == last || off == size || off%512 == 0 }
	for start := range data {
		for _, end := range []int{start + 1, start + 100, (start/512 + 1) * 512, size} {
			if end > size || start < last && end > last {
				continue
			}
			holed := bytes.Clone(data)
			clear(holed[start:end])
			sum, err := journal.Verify(bytes.NewReader(holed))
			if torn := start >= last && (end == size || aligned(start) && aligned(end)); !torn {
				if !errors.Is(err, migrate.ErrDamaged) {
					t.Fatalf("zeros from %d to %d of %d: got %v, want %v", start, end, size, err, migrate.ErrDamaged)
				}
			} else if err != nil || sum.Entries != int64(ends()[3]) || sum.Torn != int64(size-last) {
				t.Fatalf("zeros from %d to %d of %d: got %+v and %v, want them torn", start, end, size, sum, err)
			}
		}
	}
}

// TestChangedByte changes every byte: nothing changed is ever accepted.
func TestChangedByte(t *testing.T) {
	data := sample(t)
	bounds := boundaries(t, data)
	last := int64(bounds[len(bounds)-2])
	for i := range data {
		for _, to := range []byte{0, '\n', data[i] ^ 1, data[i] ^ 0x80} {
			if to == data[i] {
				continue
			}
			changed := bytes.Clone(data)
			changed[i] = to
			sum, err := journal.Verify(bytes.NewReader(changed))
			if err == nil && (sum.Bytes != last || int64(i) < last) {
				t.Fatalf("byte %d changed from %q to %q: accepted %d bytes", i, data[i], to, sum.Bytes)
			}
			if err != nil && !errors.Is(err, migrate.ErrDamaged) {
				t.Fatalf("byte %d changed from %q to %q: %v", i, data[i], to, err)
			}
		}
	}
}

// TestMovedLines leaves out, repeats and swaps whole lines.
func TestMovedLines(t *testing.T) {
	lines := slices.Collect(bytes.Lines(sample(t)))
	for i := range len(lines) - 1 {
		for name, moved := range map[string][][]byte{
			"left out": slices.Concat(lines[:i], lines[i+1:]),
			"repeated": slices.Concat(lines[:i+1], lines[i:]),
			"swapped":  slices.Concat(lines[:i], lines[i+1:i+2], lines[i:i+1], lines[i+2:]),
			"added":    slices.Concat(lines[:i], [][]byte{[]byte("\n")}, lines[i:]),
		} {
			if _, err := journal.Verify(bytes.NewReader(bytes.Join(moved, nil))); !errors.Is(err, migrate.ErrDamaged) {
				t.Errorf("line %d %s: got %v, want %v", i+1, name, err, migrate.ErrDamaged)
			}
		}
	}
}

// TestSealed reads lines whose sums fit, but which no journal has written.
func TestSealed(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":                  `{"seq":1` + "x}",
		"no object":                `[1]`,
		"number missing":           `{"fence":0,"at":"2024-05-06T07:08:09Z","kind":"note"}`,
		"first number":             `{"seq":2}`,
		"gap":                      `{"seq":1}` + "\n" + `{"seq":3}`,
		"batch starts elsewhere":   `{"seq":1,"batch":[0,1]}`,
		"batch before its entry":   `{"seq":1,"batch":[1,0]}`,
		"batch left":               `{"seq":1,"batch":[1,2]}` + "\n" + `{"seq":2}`,
		"device without a name":    `{"seq":1,"names":{"a1Gateway01":[""]}}`,
		"time that is none":        `{"seq":1,"at":"yesterday"}`,
		"number of another type":   `{"seq":"1"}`,
		"batch ends beyond itself": `{"seq":1,"batch":[1,3]}` + "\n" + `{"seq":2,"batch":[1,2]}` + "\n" + `{"seq":3,"batch":[1,2]}`,
	} {
		if sum, err := journal.Verify(bytes.NewReader(journal.Seal(text))); !errors.Is(err, migrate.ErrDamaged) {
			t.Errorf("%s: got %+v and %v, want %v", name, sum, err, migrate.ErrDamaged)
		}
	}
}

// TestDamageRefusesAppends leaves a damaged file as it is, and names it.
func TestDamageRefusesAppends(t *testing.T) {
	data := sample(t)
	i := bytes.Index(data, []byte("host-a"))
	data[i] = 'm'
	dir := t.TempDir()
	write(t, dir, data)
	d := open(t, dir)
	if all, err := read(t, d); !errors.Is(err, migrate.ErrDamaged) || len(all) != 1 {
		t.Errorf("read %d entries and %v, want 1 and %v", len(all), err, migrate.ErrDamaged)
	}
	for _, after := range []int64{1, 8} {
		err := d.Append(t.Context(), campaign, after, note("x"))
		if !errors.Is(err, migrate.ErrDamaged) {
			t.Fatalf("append: got %v, want %v", err, migrate.ErrDamaged)
		}
		for _, want := range []string{file(dir), "line 2:", "put back a copy"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error %q does not say %q", err, want)
			}
		}
	}
	if !bytes.Equal(contents(t, dir), data) {
		t.Error("the damaged file was changed")
	}
}
