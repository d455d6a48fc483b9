package migrate

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// imageVersion is that of the images of states. It has to be raised whenever the same entries come to another state, or a field
// means something else: images of before are then ignored, and the journal is folded from its start.
const imageVersion = 2

// stateImage is a [State] but for what follows from its plan.
type stateImage struct {
	Version int               `json:"version"`
	Header  Header            `json:"header"`
	Seq     int64             `json:"seq"`
	Fence   int64             `json:"fence"`
	Ended   bool              `json:"ended"`
	Began   time.Time         `json:"began"`
	Latest  time.Time         `json:"latest"`
	Lanes   []json.RawMessage `json:"lanes"`
}

// Image returns the state as it is after the entry with number Seq, so that [RestoreState] need not fold the entries before. It fails
// before the first entry. An image is a cache: other versions of this module may not read it.
func (s *State) Image() ([]byte, error) {
	if !s.bound {
		return nil, errors.New("image of a state: the campaign has not begun")
	}
	image := stateImage{
		Version: imageVersion, Header: s.header, Seq: s.seq, Fence: s.fence, Ended: s.ended, Began: s.began, Latest: s.latest,
	}
	for _, l := range s.lanes {
		lane, err := marshalFields(l.fields())
		if err != nil {
			return nil, fmt.Errorf("image of lane %s: %w", l.id(), err)
		}
		image.Lanes = append(image.Lanes, lane)
	}
	return json.Marshal(image)
}

// RestoreState returns the state of which [State.Image] made an image. It goes on as if it had folded the journal itself. An image
// of another version or that cannot be is [ErrDamaged], one of a campaign with another header [ErrMismatch].
func RestoreState(p *Plan, h Header, image []byte) (*State, error) {
	var in stateImage
	if err := json.Unmarshal(image, &in); err != nil {
		return nil, fmt.Errorf("image of a state: %w: %w", err, ErrDamaged)
	}
	s := NewState(p)
	switch {
	case in.Version != imageVersion:
		return nil, fmt.Errorf("image of a state: version %d, this program reads %d: %w", in.Version, imageVersion, ErrDamaged)
	case in.Header != h:
		return nil, fmt.Errorf("image of a state: it is of another campaign: %w", ErrMismatch)
	case len(in.Lanes) != len(s.lanes):
		return nil, fmt.Errorf("image of a state: %d lanes, the plan has %d: %w", len(in.Lanes), len(s.lanes), ErrDamaged)
	}
	s.header, s.bound = in.Header, true
	s.seq, s.fence, s.ended, s.began, s.latest = in.Seq, in.Fence, in.Ended, in.Began, in.Latest
	for i, l := range s.lanes {
		if err := l.restore(in.Lanes[i]); err != nil {
			return nil, fmt.Errorf("image of lane %s: %w: %w", l.id(), err, ErrDamaged)
		}
	}
	return s, nil
}

// A field is one of a lane or its way back, by a pointer to it.
type field struct {
	name string
	at   any
}

// marshalFields writes a JSON object.
func marshalFields(fields []field) ([]byte, error) {
	out := []byte{'{'}
	for i, f := range fields {
		value, err := json.Marshal(f.at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(strconv.AppendQuote(out, f.name), ':'), value...)
	}
	return append(out, '}'), nil
}

// unmarshalFields reads what marshalFields wrote. An image with other fields is of another version.
func unmarshalFields(data []byte, fields []field) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(data, &values); err != nil {
		return err
	}
	if len(values) != len(fields) {
		return fmt.Errorf("%d fields, this program knows %d", len(values), len(fields))
	}
	for _, f := range fields {
		value, ok := values[f.name]
		if !ok {
			return fmt.Errorf("field %q is missing", f.name)
		}
		if err := json.Unmarshal(value, f.at); err != nil {
			return fmt.Errorf("field %q: %w", f.name, err)
		}
	}
	return nil
}

// imagedDevices is a list of devices with a form of its own: a million of them are written and read.
type imagedDevices []device

const deviceSize = 10

// MarshalJSON writes deviceSize bytes for each device, in base64.
func (d imagedDevices) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, len(d)*deviceSize)
	for _, x := range d {
		out = binary.LittleEndian.AppendUint32(out, uint32(x.call))
		out = binary.LittleEndian.AppendUint16(out, x.counted)
		out = append(out, byte(x.state), x.passed, x.attempts, bits(x.asleep, x.there, x.away))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *imagedDevices) UnmarshalJSON(data []byte) error {
	var in []byte
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	if len(in)%deviceSize != 0 {
		return fmt.Errorf("%d bytes are no devices", len(in))
	}
	*d = make(imagedDevices, len(in)/deviceSize) // sub-devices may have joined those of the plan
	for i := range *d {
		b := in[i*deviceSize:][:deviceSize]
		(*d)[i] = device{
			call: int32(binary.LittleEndian.Uint32(b)), counted: binary.LittleEndian.Uint16(b[4:]),
			state: DeviceState(b[6]), passed: b[7], attempts: b[8], asleep: b[9]&1 != 0, there: b[9]&2 != 0, away: b[9]&4 != 0,
		}
	}
	return nil
}

func bits(set ...bool) byte {
	var b byte
	for i, on := range set {
		if on {
			b |= 1 << i
		}
	}
	return b
}
