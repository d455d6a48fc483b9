package journal

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/iotferry/iotferry/migrate"
)

// MaxAppend is how many bytes the lines of one append may have together. It leaves room for an entry that
// names a million devices. Append refuses more with [iot.Invalid]; in a file, a longer line is damage.
const MaxAppend = 64 << 20

const (
	sumDigits = 32
	sumStart  = `,"sum":"`
	sumEnd    = `"}`
	sumLen    = len(sumStart) + sumDigits + len(sumEnd)
	batchLen  = len(`,"batch":[,]`) + 2*19 // at most
)

// chain returns the sum of a line from its body, which is all before the comma of "sum".
func chain(before string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(before))
	h.Write(body)
	var digest [sha256.Size]byte
	return hex.EncodeToString(h.Sum(digest[:0])[:sumDigits/2])
}

// encode returns the lines that append entries after end, and where they end.
func encode(end position, entries []migrate.Entry) ([]byte, position, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	next, last := end, end.seq+int64(len(entries))
	for _, e := range entries {
		start := buf.Len()
		e.Seq = next.seq + 1
		if err := cmp.Or(checkDevices(&e), enc.Encode(&e)); err != nil {
			return nil, end, invalid("entry %d cannot be written: %v", e.Seq, err)
		}
		if buf.Len()+sumLen+batchLen > MaxAppend {
			return nil, end, invalid("entries %d to %d are more than the %d bytes that an append may have: use smaller waves",
				end.seq+1, last, MaxAppend)
		}
		buf.Truncate(buf.Len() - len("}\n"))
		if len(entries) > 1 {
			fmt.Fprintf(&buf, `,"batch":[%d,%d]`, end.seq+1, last)
		}
		next = next.after(&e, chain(next.sum, buf.Bytes()[start:]))
		buf.WriteString(sumStart + next.sum + sumEnd + "\n")
	}
	next.off += int64(buf.Len())
	return buf.Bytes(), next, nil
}

// checkDevices refuses devices that reading would refuse: they would make the whole journal useless.
func checkDevices(e *migrate.Entry) error {
	for _, r := range e.Joined {
		if err := cmp.Or(r.Gateway.Check(), r.Sub.Check()); err != nil {
			return err
		}
	}
	for _, set := range [...]migrate.DeviceSet{
		e.Names, e.Unknown, e.Asleep, e.Arrived, e.Unmoved, e.Gone, e.Both, e.Passed,
	} {
		for _, id := range set {
			if err := id.Check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// A record is a line without its sum.
type record struct {
	migrate.Entry
	Batch [2]int64 `json:"batch"`
}

// decode checks a line against the sum of the line before, which stands in l.sum and gives way to its own.
func (l *line) decode() {
	text, ok := bytes.CutSuffix(l.text, []byte("\n"))
	if !ok || len(text) < sumLen {
		l.err = errors.New("it is not whole")
		return
	}
	l.sum = chain(l.sum, text[:len(text)-sumLen])
	if l.sum != claimed(l.text) {
		l.err = errors.New("its sum does not fit")
		return
	}
	l.err = l.rec.parse(text)
}

// claimed returns the sum that stands in a line, or nothing if there is none.
func claimed(text []byte) string {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(text) < sumLen {
		return ""
	}
	end := string(text[len(text)-sumLen:])
	if !strings.HasPrefix(end, sumStart) || !strings.HasSuffix(end, sumEnd) {
		return ""
	}
	return end[len(sumStart) : len(sumStart)+sumDigits]
}

// parse fills in the batch of an entry that was appended alone.
func (r *record) parse(text []byte) error {
	if err := json.Unmarshal(text, r); err != nil {
		return err
	}
	if r.Batch == [2]int64{} {
		r.Batch = [2]int64{r.Seq, r.Seq}
	}
	return nil
}
