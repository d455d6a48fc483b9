package configdiff

import (
	"fmt"
	"iter"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// Options say what to compare. The zero value compares all products.
type Options struct {
	// Products are the keys of the products to compare; nil means all of the source.
	Products []string
	// Clock is used for waiting before something is read again, and for Budget; nil means real time.
	Clock iot.Clock
	// Budget is about how long the reads by device may take at the documented quotas; zero means an hour. Where it is too short for all
	// devices, labels and shadows of an even sample are read, and groups of devices as long as it lasts.
	Budget time.Duration
	// Examples is how many devices a difference names; zero means 20. All are counted.
	Examples int

	// Groups lets [ReadDevices] and [CompareDevices] read the groups of each device as well. [Before] and [After] compare groups as
	// wholes, and do not look at it.
	Groups bool

	// Keep is called by [Before] with what each device has at the source, one call at a time, for [After] and for whoever carries it. With it
	// every device is read, whatever the Budget. Its error ends the comparison.
	Keep func(DeviceConfig) error
	// Kept is what Keep got, for [After]: what a device that moved had at the source can be read by nobody. Nil leaves labels and shadows
	// uncompared. It is read once.
	Kept iter.Seq2[DeviceConfig, error]
	// Source is the configuration of the source as it was [Read] before the migration, for [After], which compares what it has of Products; nil
	// reads it now.
	Source *Config
}

// The defaults of [Options].
const (
	DefaultBudget   = time.Hour
	DefaultExamples = 20
)

// labelPace is how many devices' labels can be read in a second: QueryDeviceProp, 50 calls, less what a pacer keeps back.
const labelPace = 44

// Check returns an [iot.Invalid] error that names the first field that makes no sense.
func (o Options) Check() error {
	for i, key := range o.Products {
		if err := iot.CheckProductKey(key); err != nil {
			return fmt.Errorf("configdiff options: Products[%d]: %w", i, err)
		}
	}
	switch {
	case o.Budget < 0:
		return refuse("Budget is %v: it must be more than 0, or 0 for %v", o.Budget, DefaultBudget)
	case o.Examples < 0:
		return refuse("Examples is %d: it must be 1 or more, or 0 for %d", o.Examples, DefaultExamples)
	}
	return nil
}

func refuse(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "configdiff options", Message: fmt.Sprintf(format, args...)}
}

func (o Options) clock() iot.Clock {
	if o.Clock == nil {
		return iot.SystemClock()
	}
	return o.Clock
}

func (o Options) budget() time.Duration {
	if o.Budget == 0 {
		return DefaultBudget
	}
	return o.Budget
}

func (o Options) examples() int {
	if o.Examples == 0 {
		return DefaultExamples
	}
	return o.Examples
}

// step returns how many devices there are for each that is read: 1 reads all.
func (o Options) step(devices int) uint64 {
	fits := int(o.budget().Seconds() * labelPace)
	if devices <= max(fits, 1) {
		return 1
	}
	return uint64((devices + fits - 1) / max(fits, 1))
}
