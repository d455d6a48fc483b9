package fake

import "context"

// BatchGrayMigrationDeviceRequest is the request of that API. It takes no instance: the target is that of
// the product's task.
type BatchGrayMigrationDeviceRequest struct {
	ProductKey  string
	DeviceNames []string // names beyond the tenth are dropped without a word
}

// BatchGrayMigrationDeviceResponse is the answer, which is a success even if every item failed.
type BatchGrayMigrationDeviceResponse struct {
	Details []MigrationResult // Data.Details.item
}

// A MigrationResult is what happened to one device of a batch.
type MigrationResult struct {
	DeviceName string
	Status     string // DEVICE_SUCCEEDED or DEVICE_FAILED
	Code       int
	Message    string
}

// maxMove is how many names a call takes.
const maxMove = 10

// BatchGrayMigrationDevice moves devices of a product whose migration task is gray-completed.
func (c *Cloud) BatchGrayMigrationDevice(
	ctx context.Context, r BatchGrayMigrationDeviceRequest,
) (BatchGrayMigrationDeviceResponse, error) {
	names := r.DeviceNames[:min(len(r.DeviceNames), maxMove)]
	op := Op{Name: "BatchGrayMigrationDevice", ProductKey: r.ProductKey, Devices: names}
	return call(ctx, c, op, func(f Fault) (BatchGrayMigrationDeviceResponse, error) {
		var out BatchGrayMigrationDeviceResponse
		t, err := c.movable(r.ProductKey, names)
		if err == nil {
			out.Details = c.migrate(t, names, statusGray, f)
		}
		return out, err
	})
}

// movable returns the task by which devices of a product can be moved now.
func (c *Cloud) movable(productKey string, names []string) (*task, error) {
	v, err := c.view("", productKey)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, refuse(codeNoNames, "there is no device name")
	}
	t := c.taskOf(v.product)
	switch {
	case t == nil:
		return nil, refuse(c.quirks.NotReadyCode, "product %s has no migration task", productKey)
	case t.state != TaskGrayCompleted && t.state != TaskFull && t.state != TaskCompleted:
		return nil, refuse(c.quirks.NotReadyCode, "the task of product %s is %s, not gray-completed", productKey, t.state)
	}
	return t, nil
}
