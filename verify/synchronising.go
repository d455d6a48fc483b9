package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
)

const (
	syncTried  = 20   // devices that are asked for history at the target
	syncListed = 1000 // devices that are listed to find some that are online
)

// Synchronising is the condition that data synchronisation runs, which no API tells: the target has history of a device that lives at
// the source. Its place is [migrate.Stage.Opens] of the stage that waits for data synchronisation; its name is "synchronising".
//
// It asks for up to 20 devices, those that are online first. Where the platform does not show history before the move, or the
// devices that are left report nothing, it never holds: then a person declares since when synchronisation runs. If no device with a thing model is left at the source, it holds, as there
// is nothing to synchronise.
func Synchronising() migrate.Condition {
	return migrate.NewCondition("synchronising", synchronising)
}

func synchronising(ctx context.Context, w *migrate.Waiting) (migrate.Observation, error) {
	ids, err := syncSample(ctx, w)
	if err != nil {
		return migrate.Observation{}, err
	}
	if len(ids) == 0 {
		return migrate.Observation{Holds: true, Evidence: migrate.Evidence{
			Source: migrate.NotObserved, Seen: "no device with a thing model is left at the source",
		}}, nil
	}
	now := w.Clock.Now()
	o := migrate.Observation{Evidence: migrate.Evidence{
		Source: "history at " + w.Target.Info.String(), At: now,
		Seen: fmt.Sprintf("the target shows no history of %d devices that live at the source, such as %s", len(ids), ids[0]),
	}}
	rows := tslsync.Comparison{
		Source: nothing{}, Target: w.Target.HistoryReader, Clock: w.Clock,
		Model: func(productKey string) (*tslsync.Model, error) { return modelAt(ctx, w.Source.View, productKey) },
	}
	var cursors []tslsync.Cursor
	for _, id := range ids {
		cursors = append(cursors, tslsync.NewCursor(id, now.Add(time.Hour-iot.HistoryKept), now))
	}
	for step, err := range tslsync.Compare(ctx, rows, slices.Values(cursors)) {
		if err != nil {
			return migrate.Observation{}, fmt.Errorf("verify: at %s: %w", w.Target.Info, err)
		}
		if len(step.Hours) > 0 {
			h := step.Hours[0]
			o.Holds = true
			o.Evidence.Seen = fmt.Sprintf("%d rows of %s %s of %s from the hour of %s, which lives at the source",
				h.Rows(), h.Report, h.Identifier, h.Device, stamp(h.Start))
			break
		}
	}
	return o, nil
}

// syncSample returns some devices of the lane that live at the source, those that are online first.
func syncSample(ctx context.Context, w *migrate.Waiting) ([]iot.DeviceID, error) {
	var online, others []iot.DeviceID
	for d, err := range alinkDevices(ctx, w) {
		if err != nil {
			return nil, err
		}
		if d.Status == iot.Online {
			online = append(online, d.ID)
		} else {
			others = append(others, d.ID)
		}
		if len(online) >= syncTried || len(online)+len(others) >= syncListed {
			break
		}
	}
	ids := append(online, others...)
	return ids[:min(len(ids), syncTried)], nil
}
