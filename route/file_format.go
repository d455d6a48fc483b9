package route

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A file begins with a header and has a frame for each Save: the length of its facts in bytes, their sum, the sum of these two, four
// bytes each, then the facts. A fact is the product's key, or nothing if it is that of the fact before, the device's name, the place, and the
// nanoseconds since the fact before.
const fileHeader = "iotferry route 1\n"

const (
	frameHead = 12
	maxFrame  = 64 << 20 // more than any Save makes
)

// appendFrame adds the frame of one Save.
func appendFrame(b []byte, facts []Fact) []byte {
	begin := len(b)
	b = append(b, make([]byte, frameHead)...)
	key, at := "", int64(0)
	for _, f := range facts {
		same := f.Device.ProductKey
		if same == key {
			same = ""
		}
		key = f.Device.ProductKey
		b = appendText(appendText(b, same), f.Device.DeviceName)
		b = append(b, byte(f.Place))
		b = binary.AppendVarint(b, f.At.UnixNano()-at)
		at = f.At.UnixNano()
	}
	payload := b[begin+frameHead:]
	binary.LittleEndian.PutUint32(b[begin:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[begin+4:], sum(payload))
	binary.LittleEndian.PutUint32(b[begin+8:], sum(b[begin:begin+8]))
	return b
}

func appendText(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// readFrames calls visit with the facts of each frame, and returns how many bytes are whole. A last frame that a crash has cut
// off is left out.
func readFrames(r io.Reader, visit func([]Fact) error) (whole int64, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	header := make([]byte, len(fileHeader))
	switch n, err := io.ReadFull(in, header); {
	case err == io.EOF || err == io.ErrUnexpectedEOF && string(header[:n]) == fileHeader[:n]:
		return 0, nil
	case err != nil && err != io.ErrUnexpectedEOF:
		return 0, err
	case string(header) != fileHeader:
		return 0, fmt.Errorf("it does not begin with %q: %w", fileHeader, ErrDamaged)
	}
	whole = int64(len(fileHeader))
	for {
		payload, err := readFrame(in)
		switch {
		case errors.Is(err, errTorn):
			return whole, nil
		case err != nil:
			return whole, fmt.Errorf("from byte %d on: %w", whole, err)
		}
		facts, err := parseFacts(payload)
		if err != nil {
			return whole, fmt.Errorf("from byte %d on: %w: %w", whole, ErrDamaged, err)
		}
		if err := visit(facts); err != nil {
			return whole, err
		}
		whole += int64(frameHead + len(payload))
	}
}

var errTorn = errors.New("the frame is not whole")

// readFrame returns the facts' bytes of the next frame. All frames but the last were synced before the next was begun, so only the
// last one can be torn.
func readFrame(in *bufio.Reader) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, torn(err)
	}
	n := binary.LittleEndian.Uint32(head[:])
	switch {
	case head == [frameHead]byte{}: // the file became longer, and this was not written
		return nil, errTorn
	case sum(head[:8]) != binary.LittleEndian.Uint32(head[8:]) || n == 0 || n > maxFrame:
		if err := onlyZeros(in); err != nil {
			return nil, fmt.Errorf("a frame has no head: %w", err)
		}
		return nil, errTorn // it was written up to here
	}
	payload, err := io.ReadAll(io.LimitReader(in, int64(n)))
	if err != nil {
		return nil, err
	}
	if len(payload) < int(n) {
		return nil, errTorn
	}
	if sum(payload) != binary.LittleEndian.Uint32(head[4:]) {
		if err := onlyZeros(in); err != nil {
			return nil, fmt.Errorf("a sum is wrong: %w", err)
		}
		return nil, errTorn
	}
	return payload, nil
}

// onlyZeros returns nil if nothing else follows.
func onlyZeros(in *bufio.Reader) error {
	for {
		switch b, err := in.ReadByte(); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case b != 0:
			return ErrDamaged
		}
	}
}

func torn(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errTorn
	}
	return err
}

var errShort = errors.New("a fact ends early")

func parseFacts(b []byte) ([]Fact, error) {
	var facts []Fact
	key, at := "", int64(0)
	for len(b) > 0 {
		product, b1, ok1 := cutText(b)
		name, b2, ok2 := cutText(b1)
		if !ok1 || !ok2 || len(b2) == 0 {
			return nil, errShort
		}
		since, n := binary.Varint(b2[1:])
		if n <= 0 {
			return nil, errShort
		}
		if product != "" {
			key = product
		}
		at += since
		f := Fact{iot.DeviceID{ProductKey: key, DeviceName: name}, Place(b2[0]), time.Unix(0, at).UTC()}
		if err := f.check(); err != nil {
			return nil, err
		}
		facts = append(facts, f)
		b = b2[1+n:]
	}
	return facts, nil
}

func cutText(b []byte) (string, []byte, bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}
