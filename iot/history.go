package iot

import (
	"context"
	"encoding/json"
	"time"
)

// The limits of reading what devices reported.
const (
	// HistoryKept is how far back the platform answers: 30 days before the time of the call.
	HistoryKept = 30 * 24 * time.Hour

	MaxHistoryProperties = 10  // properties of one device per call: QueryDevicePropertiesData
	MaxHistoryRows       = 100 // rows of each property per call: QueryDevicePropertiesData
	MaxHistoryRecords    = 50  // rows of an event or a service per call: QueryDeviceEventData, QueryDeviceServiceData
)

// A HistoryReader reads what devices reported in the last 30 days. Every method is one call and returns one
// page, so that a caller can count calls, keep its place and stop after any of them: the next page is the same
// call from [HistoryPage.Next] on.
//
// All methods read times from <= t < to, in whole milliseconds as the platform keeps them, oldest first. Rows that
// are older than [HistoryKept] are left out, without an error. A device or an identifier that has nothing in that
// time gives an empty page. The error is [NotFound] if the instance does not have the device, and [Invalid] for more than
// [MaxHistoryProperties] identifiers, for none, and for bounds that are not ascending.
//
// A HistoryReader is safe for concurrent use.
type HistoryReader interface {
	// PropertyHistory reads up to [MaxHistoryRows] rows of each of up to [MaxHistoryProperties] properties
	// of a device (QueryDevicePropertiesData).
	PropertyHistory(ctx context.Context, id DeviceID, identifiers []string, from, to time.Time) (HistoryPage, error)
	// EventHistory reads up to [MaxHistoryRecords] occurrences of one event of a device (QueryDeviceEventData).
	EventHistory(ctx context.Context, id DeviceID, identifier string, from, to time.Time) (HistoryPage, error)
	// ServiceHistory reads up to [MaxHistoryRecords] calls of one service of a device (QueryDeviceServiceData).
	ServiceHistory(ctx context.Context, id DeviceID, identifier string, from, to time.Time) (HistoryPage, error)
}

// A HistoryPage is the answer to one call of a [HistoryReader].
type HistoryPage struct {
	// Rows are ordered by the identifiers as they were asked for, then by time. Several rows may have the
	// same identifier and time: the platform may deliver, and keep, a report more than once.
	Rows []HistoryRow
	// Next is where the next page begins: up to it, and without it, the page has every row of every identifier
	// asked for. Rows at or after it may be in the page, and come again. It is later than the from of
	// the call. The zero time says that nothing is left (NextValid, NextTime).
	Next time.Time
}

// A HistoryRow is one report of a device, as the platform kept it.
type HistoryRow struct {
	Identifier string    // of the property, event or service; in a function block "block:identifier"
	At         time.Time // by the device's clock if it sent a time, in UTC and whole milliseconds
	// Value is the value of a property, or the output of an event or a service, as the platform gives it.
	// It may be a JSON string that holds the value's own text, such as "23.5" or "{\"a\":1}": the
	// platform does so, and only the data type of the thing model tells it from a text.
	Value json.RawMessage
	// Input is what a service was called with, in the form of Value. It is nil for properties and events.
	Input json.RawMessage
}

// A ModelVersionReader reads every published version of a thing model.
type ModelVersionReader interface {
	// ModelVersions lists the published versions of a product's thing model in the platform's order
	// (ListThingModelVersion); empty if none is published, NotFound if the instance does not have the product.
	ModelVersions(ctx context.Context, productKey string) ([]ModelVersion, error)
	// ThingModelVersion reads one published version in the platform's own JSON (QueryThingModelPublished with
	// ModelVersion); NotFound if there is no such version.
	ThingModelVersion(ctx context.Context, productKey, version string) (json.RawMessage, error)
}

// A ModelVersion names one published version of a thing model.
type ModelVersion struct {
	Version   string    // as the platform gives it; the argument of [ModelVersionReader.ThingModelVersion]
	Published time.Time // by the platform's clock, in UTC; zero if it does not tell
}
