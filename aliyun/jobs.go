package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// jobPage is the rows of ListJob and QuerySceneRule, whose largest page is not documented, and of the lists of update packages, where
// it is 100.
const jobPage = 50

// taskPage is the rows of ListOTATaskByJob, which lists 100,000 at most.
const taskPage = 100

// Jobs reads a list in each of the forms that the vendor's clients know: those of other languages read a list, that of Go one job.
func (in *instance) Jobs(ctx context.Context) iter.Seq2[iot.Job, error] {
	const api = "ListJob"
	return pages(api, jobPage, func(page string) ([]iot.Job, int, error) {
		var out struct {
			Total int
			Data  json.RawMessage
		}
		if err := in.read(ctx, api, rpc.Params{"CurrentPage": page, "PageSize": strconv.Itoa(jobPage)}, &out); err != nil {
			return nil, 0, err
		}
		var list []iot.Job
		for _, j := range jobRows(out.Data) {
			list = append(list, iot.Job{ID: j.JobId, Name: j.JobName, Type: j.Type, Status: j.Status})
		}
		return list, out.Total, nil
	})
}

type jobRow struct{ JobId, JobName, Type, Status string }

// jobRows reads a list, a list in an object, or a single job. What is none of them has no rows: then the total tells that some are missing.
func jobRows(data json.RawMessage) []jobRow {
	var list []jobRow
	if json.Unmarshal(data, &list) == nil {
		return list
	}
	var one jobRow
	if json.Unmarshal(data, &one) == nil && one.JobId != "" {
		return []jobRow{one}
	}
	var object struct {
		Data []jobRow `json:"data"` // in either case of its letters
	}
	_ = json.Unmarshal(data, &object)
	return object.Data
}

func (in *instance) Scenes(ctx context.Context) iter.Seq2[iot.Scene, error] {
	const api = "QuerySceneRule"
	return pages(api, jobPage, func(page string) ([]iot.Scene, int, error) {
		var out struct {
			Data struct {
				Total    int
				RuleList []struct {
					RuleId, RuleName string
					RuleStatus       int
				}
			}
		}
		err := in.read(ctx, api, rpc.Params{"CurrentPage": page, "PageSize": strconv.Itoa(jobPage)}, &out)
		var list []iot.Scene
		for _, r := range out.Data.RuleList {
			list = append(list, iot.Scene{ID: r.RuleId, Name: r.RuleName, Running: r.RuleStatus == 1})
		}
		return list, out.Data.Total, err
	})
}

// A firmware is an update package.
type firmware struct{ FirmwareId, FirmwareName, DestVersion string }

// OTAJobs asks for the batches of each update package of the product.
func (in *instance) OTAJobs(ctx context.Context, productKey string) iter.Seq2[iot.OTAJob, error] {
	return func(yield func(iot.OTAJob, error) bool) {
		for f, err := range in.firmwares(ctx, productKey) {
			if err != nil {
				yield(iot.OTAJob{}, err)
				return
			}
			for j, err := range in.batches(ctx, f) {
				if errors.Is(err, iot.NotFound) { // the package was deleted meanwhile
					break
				}
				if !yield(j, err) || err != nil {
					return
				}
			}
		}
	}
}

func (in *instance) firmwares(ctx context.Context, productKey string) iter.Seq2[firmware, error] {
	const api = "ListOTAFirmware"
	return pages(api, jobPage, func(page string) ([]firmware, int, error) {
		if err := named(api, productKey); err != nil { // all products would answer
			return nil, 0, err
		}
		var out struct {
			Total        int
			FirmwareInfo struct{ SimpleFirmwareInfo []firmware }
		}
		query := rpc.Params{"ProductKey": productKey, "CurrentPage": page, "PageSize": strconv.Itoa(jobPage)}
		err := in.read(ctx, api, query, &out)
		return out.FirmwareInfo.SimpleFirmwareInfo, out.Total, err
	})
}

func (in *instance) batches(ctx context.Context, f firmware) iter.Seq2[iot.OTAJob, error] {
	const api = "ListOTAJobByFirmware"
	return pages(api, jobPage, func(page string) ([]iot.OTAJob, int, error) {
		var out struct {
			Total int
			Data  struct {
				SimpleOTAJobInfo []struct{ JobId, ProductKey, JobType, JobStatus string }
			}
		}
		query := rpc.Params{"FirmwareId": f.FirmwareId, "CurrentPage": page, "PageSize": strconv.Itoa(jobPage)}
		err := in.read(ctx, api, query, &out)
		var list []iot.OTAJob
		for _, j := range out.Data.SimpleOTAJobInfo {
			list = append(list, iot.OTAJob{
				ID: j.JobId, ProductKey: j.ProductKey, FirmwareID: f.FirmwareId, Firmware: f.FirmwareName, Version: f.DestVersion,
				Type: j.JobType, Status: j.JobStatus,
			})
		}
		return list, out.Total, err
	})
}

func (in *instance) OTATasks(ctx context.Context, jobID string) iter.Seq2[iot.OTATask, error] {
	const api = "ListOTATaskByJob"
	return pages(api, taskPage, func(page string) ([]iot.OTATask, int, error) {
		if err := named(api, jobID); err != nil {
			return nil, 0, err
		}
		var out struct {
			Total int
			Data  struct {
				SimpleOTATaskInfo []struct{ ProductKey, DeviceName, TaskStatus string }
			}
		}
		err := in.read(ctx, api, rpc.Params{"JobId": jobID, "CurrentPage": page, "PageSize": strconv.Itoa(taskPage)}, &out)
		var list []iot.OTATask
		for _, t := range out.Data.SimpleOTATaskInfo {
			list = append(list, iot.OTATask{Device: iot.DeviceID{ProductKey: t.ProductKey, DeviceName: t.DeviceName}, Status: t.TaskStatus})
		}
		return list, out.Total, err
	})
}
