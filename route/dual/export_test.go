package dual

import "github.com/iotferry/iotferry/iot"

// Spans returns how many spans of numbers are remembered of a device.
func (c *Continuity) Spans(id iot.DeviceID) int { return len(c.tracks[id].numbers.spans) }

// MaxSpans bounds them.
const MaxSpans = maxSpans

// Lines returns how many lines there are.
func (m *Merge) Lines() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.lines)
}
