package carry

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// A Record is one thing that a [Store] holds. Exactly one of its fields is set.
type Record struct {
	// Group is a group of devices of the source.
	Group *iot.DeviceGroup `json:"group,omitempty"`
	// Device is what a device has at the source. Of several records of a device, each is carried.
	Device *configdiff.DeviceConfig `json:"device,omitempty"`
	// Kept is the key of a product of which all devices are kept.
	Kept string `json:"kept,omitempty"`
	// Carried says how far somebody has come with carrying.
	Carried *Progress `json:"carried,omitempty"`
}

// Progress is how far [Carry] has come.
type Progress struct {
	Name    string `json:"name"`    // Options.Name
	Devices int    `json:"devices"` // how many records of devices it has gone through, from the first on
}

// A Store holds records in the order in which they were saved. It belongs to one process at a time.
type Store interface {
	// Save appends records. When it returns nil, they are durable, all of them; after an error none, some or all of them are there.
	Save(ctx context.Context, records ...Record) error
	// Records yields what was saved, the oldest first. Records that are saved meanwhile need not be among them. After an error it ends.
	Records(ctx context.Context) iter.Seq2[Record, error]
}

// A Memory is a [Store] that lasts as long as the process. The zero value is empty; it is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records []Record
}

// Save appends records.
func (m *Memory) Save(ctx context.Context, records ...Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = append(m.records, records...)
	return nil
}

// Records yields what was saved when it began.
func (m *Memory) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		m.mu.Lock()
		records := slices.Clip(m.records)
		m.mu.Unlock()
		for _, r := range records {
			if err := ctx.Err(); err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}
