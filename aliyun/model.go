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
	return in.thingModel(ctx, productKey, "")
}

func (in *instance) ThingModelVersion(ctx context.Context, productKey, version string) (json.RawMessage, error) {
	if err := named("QueryThingModelPublished", productKey, version); err != nil {
		return nil, err
	}
	return in.thingModel(ctx, productKey, version)
}

// thingModel reads a version of a model, the newest if none is named.
func (in *instance) thingModel(ctx context.Context, productKey, version string) (json.RawMessage, error) {
	const api = "QueryThingModelPublished"
	var out struct {
		Data struct{ ThingModelJson string }
	}
	if err := in.read(ctx, api, rpc.Params{"ProductKey": productKey, "ModelVersion": version}, &out); err != nil {
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

// ModelVersions is empty also for a product that cannot have a model.
func (in *instance) ModelVersions(ctx context.Context, productKey string) ([]iot.ModelVersion, error) {
	const api = "ListThingModelVersion"
	if err := named(api, productKey); err != nil {
		return nil, err
	}
	var out struct {
		Data struct {
			ModelVersions []struct{ ModelVersion, GmtCreate string }
		}
	}
	err := in.read(ctx, api, rpc.Params{"ProductKey": productKey}, &out)
	if codeOf(err) == noModel {
		return nil, nil
	}
	var list []iot.ModelVersion
	for _, v := range out.Data.ModelVersions {
		list = append(list, iot.ModelVersion{Version: v.ModelVersion, Published: instant(v.GmtCreate)})
	}
	return list, err
}
