package sim

import (
	"context"
	"net/http"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
)

// taskState is what an act at the console answers.
type taskState struct {
	TaskID  string         `json:"taskId"`
	State   fake.TaskState `json:"state"`
	Results []deviceResult `json:"results,omitempty"`
}

// deviceResult is what an act did to one device.
type deviceResult struct {
	DeviceName string `json:"deviceName"`
	Status     string `json:"status"` // DEVICE_SUCCEEDED or DEVICE_FAILED
	Code       int    `json:"code,omitempty"`
	Message    string `json:"message,omitempty"`
}

func (o *console) createTask(r *http.Request) (any, error) {
	var body struct {
		ProductKey       string `json:"productKey"`
		TargetInstanceID string `json:"targetInstanceId"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	id, err := o.cloud.Console().CreateTask(r.Context(), body.ProductKey, body.TargetInstanceID)
	if err != nil {
		return nil, err
	}
	return o.state(id, nil), nil
}

func (o *console) gray(r *http.Request) (any, error) {
	var body struct {
		DeviceNames []string `json:"deviceNames"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if len(body.DeviceNames) == 0 {
		return nil, missing("deviceNames", "a gray batch has at least one device")
	}
	results, err := o.cloud.Console().Gray(r.Context(), r.PathValue("id"), body.DeviceNames)
	if err != nil {
		return nil, err
	}
	return o.state(r.PathValue("id"), results), nil
}

// rollback returns all devices if the field is not there. An empty list is refused: it could mean all or none.
func (o *console) rollback(r *http.Request) (any, error) {
	var body struct {
		DeviceNames []string `json:"deviceNames"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.DeviceNames != nil && len(body.DeviceNames) == 0 {
		return nil, missing("deviceNames", "an empty list returns no device; leave the field out to return all")
	}
	results, err := o.cloud.Console().Rollback(r.Context(), r.PathValue("id"), body.DeviceNames)
	if err != nil {
		return nil, err
	}
	return o.state(r.PathValue("id"), results), nil
}

func (o *console) dataSync(r *http.Request) (any, error) {
	var body struct {
		Enabled *bool `json:"enabled"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	if body.Enabled == nil {
		return nil, missing("enabled", "true or false")
	}
	if err := o.cloud.Console().DataSync(r.Context(), r.PathValue("id"), *body.Enabled); err != nil {
		return nil, err
	}
	return o.state(r.PathValue("id"), nil), nil
}

// act returns the page of an act that takes nothing but its task.
func (o *console) act(do func(*fake.Console, context.Context, string) error) page {
	return func(r *http.Request) (any, error) {
		if err := read(r, &struct{}{}); err != nil {
			return nil, err
		}
		if err := do(o.cloud.Console(), r.Context(), r.PathValue("id")); err != nil {
			return nil, err
		}
		return o.state(r.PathValue("id"), nil), nil
	}
}

// state returns the state of a task that exists.
func (o *console) state(id string, results []fake.MigrationResult) taskState {
	s := taskState{TaskID: id}
	for _, t := range o.cloud.Console().Tasks() {
		if t.ID == id {
			s.State = t.State
		}
	}
	for _, r := range results {
		s.Results = append(s.Results, deviceResult(r))
	}
	return s
}

// taskView is a task as GET /tasks lists it.
type taskView struct {
	TaskID           string         `json:"taskId"`
	ProductKey       string         `json:"productKey"`
	TargetInstanceID string         `json:"targetInstanceId"`
	State            fake.TaskState `json:"state"`
	Moved            int            `json:"moved"`
	DataSync         bool           `json:"dataSync"`
	SyncedFrom       time.Time      `json:"syncedFrom,omitzero"`
	Created          time.Time      `json:"created"`
	Confirmed        time.Time      `json:"confirmed,omitzero"`
	Ended            time.Time      `json:"ended,omitzero"`
}

func (o *console) listTasks(*http.Request) (any, error) {
	list := []taskView{}
	for _, t := range o.cloud.Console().Tasks() {
		list = append(list, taskView{
			TaskID: t.ID, ProductKey: t.ProductKey, TargetInstanceID: t.Target, State: t.State, Moved: t.Moved,
			DataSync: t.DataSync, SyncedFrom: t.SyncedFrom, Created: t.Created, Confirmed: t.Confirmed, Ended: t.Ended,
		})
	}
	return map[string]any{"tasks": list}, nil
}
