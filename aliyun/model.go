package aliyun

import (
	"context"
	"encoding/json"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// ThingModel is NotFound also for a product that cannot have a model.
func (in *instance) ThingModel(ctx context.Context, productKey string) (json.RawMessage, error) {
	const api = "QueryThingModelPublished"
	if err := named(api, productKey); err != nil {
		return nil, err
	}
	var out struct {
		Data struct{ ThingModelJson string }
	}
	if err := in.read(ctx, api, rpc.Params{"ProductKey": productKey}, &out); err != nil {
		return nil, err
	}
	model := json.RawMessage(out.Data.ThingModelJson)
	switch {
	case len(model) == 0:
		return nil, &iot.Error{Kind: iot.NotFound, Op: api, Message: "product " + productKey + " has no published thing model"}
	case !json.Valid(model):
		return nil, strange(api, "the thing model of product "+productKey+" is not JSON")
	}
	return model, nil
}
