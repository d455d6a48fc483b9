package route

import (
	"fmt"
	"math"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Place is where a device is, as far as that is known.
type Place uint8

// The places.
const (
	Unsure Place = iota // nobody knows: a look at both instances decides
	Source              // at the legacy public instance
	Target              // at the Enterprise instance
	Moving              // on its way there or back: a look tells where it is now, and may be wrong soon
	places              // how many there are
)

// String returns the place in a word.
func (p Place) String() string {
	switch p {
	case Unsure:
		return "unsure"
	case Source:
		return "source"
	case Target:
		return "target"
	case Moving:
		return "moving"
	}
	return "invalid"
}

// Known reports whether p is one of the two instances.
func (p Place) Known() bool { return p == Source || p == Target }

// other returns the other one of the two instances.
func (p Place) other() Place {
	if p == Target {
		return Source
	}
	return Target
}

// A Fact is where a device was at a time.
type Fact struct {
	// Device is the device. Without a DeviceName, the fact is about all devices of the product of which nothing else
	// is known, and about calls that name no device.
	Device iot.DeviceID
	Place  Place
	// At is when that was so: not when it was told. It must be a time after 1970 and before 2262.
	At time.Time
}

// check returns an Invalid error if the fact cannot be kept.
func (f Fact) check() error {
	err := iot.CheckProductKey(f.Device.ProductKey)
	if err == nil && f.Device.DeviceName != "" {
		err = iot.CheckDeviceName(f.Device.DeviceName)
	}
	switch {
	case err != nil:
		return err
	case f.Place >= places:
		return invalid("learn where %s is: place %d is none", f.Device, f.Place)
	case f.At.Before(time.Unix(0, 1)) || f.At.After(time.Unix(0, math.MaxInt64)):
		return invalid("learn where %s is: the time %v is not between 1970 and 2262", f.Device, f.At)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf(format, args...)}
}
