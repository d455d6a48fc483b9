package aliyun

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

func (in *instance) Labels(ctx context.Context, id iot.DeviceID) (map[string]string, error) {
	const api = "QueryDeviceProp"
	if err := id.Check(); err != nil {
		return nil, err
	}
	var out struct{ Props string }
	if err := in.read(ctx, api, device(id), &out); err != nil {
		return nil, err
	}
	labels := map[string]string{}
	if out.Props == "" {
		return labels, nil
	}
	if err := json.Unmarshal([]byte(out.Props), &labels); err != nil {
		return nil, strange(api, "the labels of "+id.String()+" are not a JSON object of texts")
	}
	return labels, nil
}

func (in *instance) SetLabels(ctx context.Context, id iot.DeviceID, labels map[string]string) error {
	const api = "SaveDeviceProp"
	if err := id.Check(); err != nil {
		return err
	}
	if n := len(labels); n == 0 || n > iot.MaxLabels {
		return refuse(api, fmt.Sprintf("%d labels: 1 to %d are allowed in a call", n, iot.MaxLabels))
	}
	text, err := json.Marshal(labels)
	if err != nil {
		return refuse(api, "the labels cannot be written as JSON")
	}
	query := device(id)
	query["Props"] = string(text)
	return in.write(ctx, rpc.Call{API: api, Query: query}, nil)
}

func (in *instance) Shadow(ctx context.Context, id iot.DeviceID) (json.RawMessage, error) {
	const api = "GetDeviceShadow"
	if err := id.Check(); err != nil {
		return nil, err
	}
	var out struct{ ShadowMessage string }
	if err := in.read(ctx, api, device(id), &out); err != nil {
		return nil, err
	}
	switch shadow := json.RawMessage(out.ShadowMessage); {
	case len(shadow) == 0:
		return nil, nil
	case !json.Valid(shadow):
		return nil, strange(api, "the shadow of "+id.String()+" is not JSON")
	default:
		return shadow, nil
	}
}

// Script leaves the address out, which is signed and expires.
func (in *instance) Script(ctx context.Context, productKey string) (iot.Script, error) {
	const api = "GetThingScript"
	if err := named(api, productKey); err != nil {
		return iot.Script{}, err
	}
	var out struct{ Data struct{ ScriptType string } }
	if err := in.read(ctx, api, rpc.Params{"ProductKey": productKey}, &out); err != nil {
		return iot.Script{}, err
	}
	if out.Data.ScriptType == "" { // how the platform says that there is none is not documented
		return iot.Script{}, &iot.Error{Kind: iot.NotFound, Op: api, Message: "product " + productKey + " has no script"}
	}
	return iot.Script{Language: out.Data.ScriptType}, nil
}
