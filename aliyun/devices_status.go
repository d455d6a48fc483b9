package aliyun

import (
	"context"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// maxRounds is how often a product is read by status before it is walked.
const maxRounds = 3

// rounds lists a large product by QueryDeviceByStatus, which has no deep pages: 500,000 devices take 200 s at 50 calls/s, and 67
// minutes by QueryDevice. Each device comes once, in no order that is known.
//
// These pages go by numbers: a device that changes its status shifts them, and another one can be skipped. So
// the rounds go on until as many devices were seen as the product had, and has, and none was created meanwhile. A product that never
// stands still for a whole round is walked in the end, without what was yielded already.
func (in *instance) rounds(ctx context.Context, productKey string, page deviceList, yield func(iot.Device, error) bool) {
	s := &sighting{seen: map[string]int{}}
	s.begin(page)
	for range maxRounds {
		for row, err := range in.byStatus(ctx, productKey) {
			if err != nil {
				yield(iot.Device{}, err)
				return
			}
			if s.add(row.DeviceName) && !yield(row.device(productKey), nil) {
				return
			}
		}
		var err error
		if page, err = in.devicePage(ctx, productKey, 1, ""); err != nil {
			yield(iot.Device{}, err)
			return
		}
		if s.whole(page) {
			return
		}
	}
	in.walk(ctx, productKey, page, func(d iot.Device, err error) bool {
		return err == nil && !s.add(d.ID.DeviceName) || yield(d, err)
	})
}

// byStatus yields the devices of each status: unactive, online, offline, disabled.
func (in *instance) byStatus(ctx context.Context, productKey string) iter.Seq2[listRow, error] {
	const api = "QueryDeviceByStatus"
	return func(yield func(listRow, error) bool) {
		for _, status := range []string{"0", "1", "3", "8"} {
			list := numbered(api, devicePage, true, func(page string) ([]listRow, int, error) {
				var out struct {
					Total int
					Data  struct{ SimpleDeviceInfo []listRow }
				}
				err := in.read(ctx, api, rpc.Params{
					"ProductKey": productKey, "Status": status, "CurrentPage": page, "PageSize": strconv.Itoa(devicePage),
				}, &out)
				return out.Data.SimpleDeviceInfo, out.Total, err
			})
			for row, err := range list {
				if !yield(row, err) || err != nil {
					return
				}
			}
		}
	}
}

// A sighting remembers which devices of a product were seen, and whether these can be all.
type sighting struct {
	seen   map[string]int // by name: in which of the product's states it was seen last
	state  int            // grows when the product is found to have changed
	count  int            // how many were seen in this state
	total  int            // how many devices the product had when the state began
	newest string         // the one that was created last
}

// begin begins a state of the product, as the first page of its list shows it.
func (s *sighting) begin(page deviceList) {
	s.state++
	s.count, s.total, s.newest = 0, page.Total, newest(page)
}

// add notes a device and returns whether it was not seen before.
func (s *sighting) add(name string) bool {
	last, seen := s.seen[name]
	if last != s.state {
		s.seen[name] = s.state
		s.count++
	}
	return !seen
}

// whole reports whether all devices were seen. The product is taken for unchanged if it has as many devices as before,
// and the newest is the same; else what was seen so far proves nothing any more, and the next state begins.
func (s *sighting) whole(page deviceList) bool {
	if page.Total == s.total && newest(page) == s.newest {
		return s.count == s.total
	}
	s.begin(page)
	return false
}

func newest(page deviceList) string {
	if len(page.Data.DeviceInfo) == 0 {
		return ""
	}
	return page.Data.DeviceInfo[0].DeviceName
}
