package tslsync

import (
	"cmp"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// HistoryLimits returns that share of the documented quotas of the calls that read history, in calls per second and account, by
// the name of the API: for a pacer of a [Comparison]'s own, such as the governor of package quota, and for
// [Workload.Estimate]. A share is more than 0 and at most 1, else the error is [iot.Invalid].
func HistoryLimits(share float64) (map[string]float64, error) {
	if !(share > 0 && share <= 1) {
		return nil, refuse("a share of %g of the quotas: more than 0 is wanted, and at most 1", share)
	}
	return map[string]float64{apiProperties: 10 * share, apiEvents: 50 * share, apiServices: 50 * share}, nil
}

// A Workload is a history to compare. All of its devices report alike: describe other devices by a workload of their own.
type Workload struct {
	Devices int
	Span    time.Duration // the time that is compared, at most what the platform keeps
	// How often a device reports each property and event, and how often each service is called, per day. A feature that
	// is never used is in the list as 0, because it is read all the same.
	Properties, Events, Services []float64
}

// An Estimate says what a comparison takes.
type Estimate struct {
	Properties int64 `json:"properties"` // calls of QueryDevicePropertiesData, on both sides
	Events     int64 `json:"events"`     // calls of QueryDeviceEventData
	Services   int64 `json:"services"`   // calls of QueryDeviceServiceData
	// Duration is how long the calls take at the pace of the limits, if no answer takes longer than its turn. It is zero where an API
	// has no limit.
	Duration time.Duration `json:"duration"`
}

// Calls returns the number of calls in all.
func (e Estimate) Calls() int64 { return e.Properties + e.Events + e.Services }

// Estimate returns the fewest calls that the page limits allow, and how long they take within limits in calls per second by the
// name of the API.
func (w Workload) Estimate(limits map[string]float64) Estimate {
	e := Estimate{
		Properties: w.calls(w.propertyPages()),
		Events:     w.calls(w.pages(w.Events)),
		Services:   w.calls(w.pages(w.Services)),
	}
	e.Duration = lasts(e.Properties, limits[apiProperties]) + lasts(e.Events, limits[apiEvents]) + lasts(e.Services, limits[apiServices])
	return e
}

func lasts(calls int64, perSecond float64) time.Duration {
	if perSecond <= 0 {
		return 0
	}
	return time.Duration(float64(calls) / perSecond * float64(time.Second))
}

// Fits returns how many devices can be compared within a time: all, or the size of the sample that is left.
func (w Workload) Fits(within time.Duration, limits map[string]float64) int {
	one := w
	one.Devices = 1
	if each := one.Estimate(limits).Duration; each > 0 {
		return int(min(int64(w.Devices), int64(within/each)))
	}
	return w.Devices
}

func (w Workload) calls(pages int64) int64 { return 2 * int64(w.Devices) * pages }

// propertyPages is what one device takes if those that report most share a call.
func (w Workload) propertyPages() int64 {
	sorted := slices.SortedFunc(slices.Values(w.Properties), func(a, b float64) int { return cmp.Compare(b, a) })
	var pages int64
	for group := range slices.Chunk(sorted, iot.MaxHistoryProperties) {
		pages += pagesOf(w.rows(group[0]), iot.MaxHistoryRows)
	}
	return pages
}

func (w Workload) pages(perDay []float64) int64 {
	var pages int64
	for _, n := range perDay {
		pages += pagesOf(w.rows(n), iot.MaxHistoryRecords)
	}
	return pages
}

func (w Workload) rows(perDay float64) int64 { return int64(perDay * w.Span.Hours() / 24) }

// pagesOf counts one page for nothing: it takes a call to see that.
func pagesOf(rows, size int64) int64 { return max(1, (rows+size-1)/size) }
