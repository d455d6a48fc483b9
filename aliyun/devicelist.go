package aliyun

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A DeviceListFormat says how a device list is written. The platform does not document the form of the console's export, so the
// zero value takes what is usual: CSV with a line of headers, its columns in any order, with or without a byte order mark.
type DeviceListFormat struct {
	// Comma separates the columns. Zero is the first of comma, semicolon and tab that the line of headers has.
	Comma rune
	// DeviceName and ProductKey are what the columns may be called: case, spaces, - and _ do not count. Nil are the
	// English and Chinese names that are usual. The file needs a column of device names.
	DeviceName, ProductKey []string
}

// ReadDevices reads a device list row by row. An ID has no product key if its row has none. A list that cannot be
// read ends with an [iot.Invalid] error that names the line and what to do; the reader's own errors are passed on.
func ReadDevices(r io.Reader, f DeviceListFormat) iter.Seq2[iot.DeviceID, error] {
	return func(yield func(iot.DeviceID, error) bool) {
		rows, err := openRows(r, f)
		for err == nil {
			var id iot.DeviceID
			if id, err = rows.next(); err == nil && !yield(id, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(iot.DeviceID{}, err)
		}
	}
}

// maxRow bounds a row: a quote that is never closed must not fill the memory.
const maxRow = 1 << 20

// deviceRows are the rows of a device list below its headers.
type deviceRows struct {
	csv       *csv.Reader
	limit     *rowLimit
	line      int // of the row that was read last
	name, key int // columns; key is -1 if there is none
}

// A rowLimit reads until it is exhausted.
type rowLimit struct {
	from io.Reader
	left int
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, invalid("a row is longer than %d bytes: a quote may not be closed", maxRow)
	}
	n, err := l.from.Read(p)
	l.left -= n
	return n, err
}

func openRows(r io.Reader, f DeviceListFormat) (*deviceRows, error) {
	if strings.ContainsRune("\r\n\"\uFFFD", f.Comma) {
		return nil, invalid("device list: DeviceListFormat.Comma is %q, which separates no columns", f.Comma)
	}
	limit := &rowLimit{from: r, left: maxRow}
	text := bufio.NewReaderSize(limit, 64<<10)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = text.Discard(len(mark)) // they are there
	}
	head, err := text.Peek(4 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("device list: %w", err)
	}
	rows := &deviceRows{csv: csv.NewReader(text), limit: limit}
	rows.csv.Comma = f.comma(string(head))
	rows.csv.FieldsPerRecord = -1
	rows.csv.ReuseRecord = true
	return rows, rows.readHeaders(f)
}

// readHeaders finds the columns.
func (r *deviceRows) readHeaders(f DeviceListFormat) error {
	headers, err := r.read()
	if errors.Is(err, io.EOF) {
		return listError(1, "the file is empty: its first line has to name the columns")
	}
	if err != nil {
		return err
	}
	r.name, err = column(headers, "DeviceName", f.DeviceName, []string{"DeviceName", "设备名称", "设备名"})
	if err != nil {
		return err
	}
	if r.name < 0 {
		return listError(r.line, "no column is called DeviceName: save the file as UTF-8, or set DeviceListFormat.DeviceName to the column's name")
	}
	r.key, err = column(headers, "ProductKey", f.ProductKey, []string{"ProductKey", "产品Key"})
	return err
}

// comma returns what separates the columns.
func (f DeviceListFormat) comma(text string) rune {
	if f.Comma != 0 {
		return f.Comma
	}
	line, _, _ := strings.Cut(text, "\n")
	if i := strings.IndexAny(line, ",;\t"); i >= 0 {
		return rune(line[i])
	}
	return ','
}

// column returns the column that has one of the names, or -1.
func column(headers []string, what string, names, usual []string) (int, error) {
	if names == nil {
		names = usual
	}
	found := -1
	for i, header := range headers {
		if !slices.ContainsFunc(names, func(name string) bool { return plain(name) == plain(header) }) {
			continue
		}
		if found >= 0 {
			return -1, listError(1, fmt.Sprintf("columns %d and %d both are %s: set DeviceListFormat.%s to one name", found+1, i+1, what, what))
		}
		found = i
	}
	return found, nil
}

// plain returns a header without what does not count in it.
func plain(header string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "", "\t", "").Replace(header))
}

// next returns the device of the next row.
func (r *deviceRows) next() (iot.DeviceID, error) {
	fields, err := r.read()
	if err != nil {
		return iot.DeviceID{}, err
	}
	if r.name >= len(fields) {
		return iot.DeviceID{}, listError(r.line, fmt.Sprintf(
			"it has %d columns, and the device name is in column %d: export the list again", len(fields), r.name+1))
	}
	id := iot.DeviceID{DeviceName: strings.Clone(strings.TrimSpace(fields[r.name]))}
	err = iot.CheckDeviceName(id.DeviceName)
	if r.key >= 0 && r.key < len(fields) && err == nil {
		if id.ProductKey = strings.Clone(strings.TrimSpace(fields[r.key])); id.ProductKey != "" {
			err = iot.CheckProductKey(id.ProductKey)
		}
	}
	if err != nil {
		return iot.DeviceID{}, fmt.Errorf("device list: line %d: correct it, or export the list again: %w", r.line, err)
	}
	return id, nil
}

// read returns the fields of the next row that is not empty. They are valid until the next call.
func (r *deviceRows) read() ([]string, error) {
	r.limit.left = maxRow
	fields, err := r.csv.Read()
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		return nil, listError(e.StartLine, "it is not well-formed CSV: "+e.Err.Error()+": export the list again")
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("device list: after line %d: %w", r.line, err)
	}
	r.line, _ = r.csv.FieldPos(0)
	return fields, nil
}

func listError(line int, message string) error {
	return invalid("device list: line %d: %s", line, message)
}
