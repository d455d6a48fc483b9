package dual

import "github.com/iotferry/iotferry/iot"

// Spans returns how many spans of numbers are remembered of a device.
func (c *Continuity) Spans(id iot.DeviceID) int { return len(c.tracks[id].numbers.spans) }

// MaxSpans bounds them.
const MaxSpans = maxSpans
