package fake

import (
	"context"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// PageRequest asks for a page of a list of an instance. PageSize is 1 to 100, 10 by default.
type PageRequest struct {
	IotInstanceId         string
	CurrentPage, PageSize int
}

// list returns a page of an instance's list, and how many there are.
func listed[T any](c *Cloud, r PageRequest, of func(*instance) []T) (rows []T, total int, err error) {
	in, err := c.instance(r.IotInstanceId)
	if err != nil {
		return nil, 0, err
	}
	page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 100)
	if err != nil {
		return nil, 0, err
	}
	all := of(in)
	return slices.Clone(cut(all, page, size)), len(all), nil
}

// ListJobResponse is a page of device jobs.
type ListJobResponse struct {
	Total int
	Data  []iot.Job
}

// ListJob lists the device jobs of an instance, whatever their status.
func (c *Cloud) ListJob(ctx context.Context, r PageRequest) (ListJobResponse, error) {
	return call(ctx, c, Op{Name: "ListJob", Instance: r.IotInstanceId}, func(Fault) (out ListJobResponse, err error) {
		out.Data, out.Total, err = listed(c, r, func(in *instance) []iot.Job { return in.jobs })
		return out, err
	})
}

// QuerySceneRuleResponse is a page of scene rules.
type QuerySceneRuleResponse struct {
	Total    int
	RuleList []iot.Scene
}

// QuerySceneRule lists the scene rules of an instance.
func (c *Cloud) QuerySceneRule(ctx context.Context, r PageRequest) (QuerySceneRuleResponse, error) {
	return call(ctx, c, Op{Name: "QuerySceneRule", Instance: r.IotInstanceId}, func(Fault) (out QuerySceneRuleResponse, err error) {
		out.RuleList, out.Total, err = listed(c, r, func(in *instance) []iot.Scene { return in.scenes })
		return out, err
	})
}

// ListOTAFirmwareRequest asks for a page of the firmwares of a product.
type ListOTAFirmwareRequest struct {
	PageRequest
	ProductKey string
}

// Firmware is an update package.
type Firmware struct{ FirmwareId, FirmwareName, DestVersion, ProductKey string }

// ListOTAFirmwareResponse is a page of update packages.
type ListOTAFirmwareResponse struct {
	Total        int
	FirmwareInfo []Firmware
}

// ListOTAFirmware lists the update packages of a product.
func (c *Cloud) ListOTAFirmware(ctx context.Context, r ListOTAFirmwareRequest) (ListOTAFirmwareResponse, error) {
	op := Op{Name: "ListOTAFirmware", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (out ListOTAFirmwareResponse, err error) {
		out.FirmwareInfo, out.Total, err = listed(c, r.PageRequest, func(in *instance) []Firmware { return in.firmwares(r.ProductKey) })
		return out, err
	})
}

// firmwares returns the update packages that the batches of a product are about, each once.
func (in *instance) firmwares(productKey string) []Firmware {
	var list []Firmware
	for _, j := range in.updates {
		f := Firmware{j.FirmwareID, j.Firmware, j.Version, j.ProductKey}
		if j.ProductKey == productKey && !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}

// ListOTAJobByFirmwareRequest asks for a page of the batches of an update package.
type ListOTAJobByFirmwareRequest struct {
	PageRequest
	FirmwareId string
}

// ListOTAJobByFirmwareResponse is a page of batches.
type ListOTAJobByFirmwareResponse struct {
	Total            int
	SimpleOTAJobInfo []iot.OTAJob
}

// ListOTAJobByFirmware lists the batches of an update package.
func (c *Cloud) ListOTAJobByFirmware(
	ctx context.Context, r ListOTAJobByFirmwareRequest,
) (ListOTAJobByFirmwareResponse, error) {
	op := Op{Name: "ListOTAJobByFirmware", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (out ListOTAJobByFirmwareResponse, err error) {
		out.SimpleOTAJobInfo, out.Total, err = listed(c, r.PageRequest, func(in *instance) []iot.OTAJob {
			other := func(j iot.OTAJob) bool { return j.FirmwareID != r.FirmwareId }
			return slices.DeleteFunc(slices.Clone(in.updates), other)
		})
		if err == nil && out.Total == 0 {
			return out, refuse(codeNoFirmware, "there is no firmware %q on this instance", r.FirmwareId)
		}
		return out, err
	})
}

// ListOTATaskByJobRequest asks for a page of the devices of a batch.
type ListOTATaskByJobRequest struct {
	PageRequest
	JobId string
}

// ListOTATaskByJobResponse is a page of devices.
type ListOTATaskByJobResponse struct {
	Total             int
	SimpleOTATaskInfo []iot.OTATask
}

// ListOTATaskByJob lists the devices of a batch with how far each is.
func (c *Cloud) ListOTATaskByJob(ctx context.Context, r ListOTATaskByJobRequest) (ListOTATaskByJobResponse, error) {
	op := Op{Name: "ListOTATaskByJob", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (out ListOTATaskByJobResponse, err error) {
		out.SimpleOTATaskInfo, out.Total, err = listed(c, r.PageRequest, func(in *instance) []iot.OTATask { return in.tasks[r.JobId] })
		return out, err
	})
}
