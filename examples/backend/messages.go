package main

import (
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route/dual"
	"github.com/iotferry/iotferry/verify"
)

// Messages is the part of the backend that hears devices. It did so before the migration, from the one instance; package route/dual is
// all that is new: what both instances deliver is handled once, and the gap that a move makes is measured. It is a
// [verify.Sink]: what the backend has heard from the target proves that devices report there. It is safe for concurrent use.
// Make one with [NewMessages].
type Messages struct {
	gaps   gaps
	merge  *dual.Merge
	notice func(iot.Message) bool

	mu     sync.Mutex
	newest map[iot.DeviceID][]iot.Message // oldest first
}

// NewMessages returns what hears the devices, at either instance; the ID is that of the target. HoldBack is that of
// [dual.MergeConfig]. Notice gets the messages that tell of moves, and says which these are; nil is none.
func NewMessages(target string, holdBack time.Duration, notice func(iot.Message) bool) (*Messages, error) {
	m := &Messages{gaps: gaps{target: target}, notice: notice, newest: map[iot.DeviceID][]iot.Message{}}
	var err error
	m.merge, err = dual.NewMerge(dual.MergeConfig{Handle: m.store, HoldBack: holdBack, Holds: m.gaps.moves})
	return m, err
}

// Handle takes a message of either instance. It is what the stream of package aliyun runs with.
func (m *Messages) Handle(ctx context.Context, msg iot.Message) error {
	if m.notice != nil && m.notice(msg) {
		return nil
	}
	m.gaps.saw(msg)
	return m.merge.Handle(ctx, msg)
}

const keptOfOne = 16 // messages of one device

// store is the backend's own business: it writes what a device says where others look for it.
func (m *Messages) store(_ context.Context, msg iot.Message) error {
	id, ok := msg.Device()
	if !ok {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := append(m.newest[id], msg)
	m.newest[id] = slices.Delete(kept, 0, max(0, len(kept)-keptOfOne))
	return nil
}

// Latest implements [verify.Sink].
func (m *Messages) Latest(_ context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		for _, id := range ids {
			for _, msg := range m.kept(id) {
				if !yield(msg, nil) {
					return
				}
			}
		}
	}
}

func (m *Messages) kept(id iot.DeviceID) []iot.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.newest[id])
}

var _ verify.Sink = (*Messages)(nil)
