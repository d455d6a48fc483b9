package sim

import (
	"net/http"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// deviceView is what is really so about a device.
type deviceView struct {
	DeviceName string     `json:"deviceName"`
	Instance   string     `json:"instance"` // ID of where it lives; empty for the public one
	Online     bool       `json:"online"`   // a device is behind its connection
	Status     string     `json:"status"`   // as its instance shows it
	Gateway    string     `json:"gateway"`  // productKey/deviceName; empty for none
	LastSeen   *time.Time `json:"lastSeen"` // when it was last online: now, for one that is; null if never
	Moved      int        `json:"moved"`    // how often it was moved away from where it was created
	Returned   int        `json:"returned"` // how often it was moved back
	Kicked     int        `json:"kicked"`   // how often a move cut it off
}

func viewOf(t fake.Truth) deviceView {
	v := deviceView{
		DeviceName: t.ID.DeviceName, Instance: t.Instance, Online: t.Alive, Status: string(t.Status),
		Moved: t.Moved, Returned: t.Returned, Kicked: t.Kicked,
	}
	if !t.Gateway.IsZero() {
		v.Gateway = t.Gateway.String()
	}
	if !t.LastSeen.IsZero() {
		v.LastSeen = &t.LastSeen
	}
	return v
}

func (o *console) showDevice(r *http.Request) (any, error) {
	id := iot.DeviceID{ProductKey: r.PathValue("productKey"), DeviceName: r.PathValue("deviceName")}
	t, ok := o.cloud.Truth(id)
	if !ok {
		return nil, &problem{http.StatusNotFound, "no such device", id.String()}
	}
	return viewOf(t), nil
}

func (o *console) listDevices(r *http.Request) (any, error) {
	truths, ok := o.cloud.Truths(r.PathValue("productKey"))
	if !ok {
		return nil, &problem{http.StatusNotFound, "no such product", r.PathValue("productKey")}
	}
	list := make([]deviceView, 0, len(truths))
	for _, t := range truths {
		list = append(list, viewOf(t))
	}
	return map[string]any{"devices": list}, nil
}

// callCount counts the calls of one API, or the acts of one kind at the console.
type callCount struct {
	Kind      fake.OpKind `json:"kind"`
	Name      string      `json:"name"`
	Calls     int         `json:"calls"`
	Throttled int         `json:"throttled"`
	Failed    int         `json:"failed"`
}

func (o *console) listCalls(*http.Request) (any, error) {
	list := []callCount{}
	for _, c := range o.cloud.Calls() {
		list = append(list, callCount(c))
	}
	return map[string]any{"calls": list}, nil
}
