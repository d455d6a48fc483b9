package openapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Config says who may call, and when it is.
type Config struct {
	// AccessKeyID and AccessKeySecret are the one key that is known. Both are needed.
	AccessKeyID     string
	AccessKeySecret iot.Secret
	// Clock is what timestamps are compared with; nil means iot.SystemClock(). Clients sign with their own
	// time: it should be the real one even if the platform's clock runs ahead.
	Clock iot.Clock
}

// New returns the OpenAPI of a platform in memory: a handler for the path /, safe for concurrent use. It
// starts no goroutine; a call ends with its request's context. The time-outs are those of the server around
// it. An incomplete Config is refused with [iot.Invalid].
func New(cloud *fake.Cloud, c Config) (http.Handler, error) {
	switch {
	case cloud == nil:
		return nil, invalid("there is no platform: give one made by fake.New")
	case c.AccessKeyID == "":
		return nil, invalid("set Config.AccessKeyID")
	case c.AccessKeySecret.Reveal() == "":
		return nil, invalid("set Config.AccessKeySecret")
	}
	if c.Clock == nil {
		c.Clock = iot.SystemClock()
	}
	return &handler{
		cloud:   cloud,
		actions: actions(),
		gate:    gate{id: c.AccessKeyID, secret: c.AccessKeySecret, clock: c.Clock},
	}, nil
}

func invalid(message string) error {
	return &iot.Error{Kind: iot.Invalid, Op: "open the OpenAPI", Message: message}
}

const apiVersion = "2018-01-20"

type handler struct {
	cloud   *fake.Cloud
	actions map[string]action
	gate    gate
}

// ServeHTTP answers one call.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	out, err := h.serve(w, r)
	if refusal, ok := errors.AsType[*fake.APIError](err); ok {
		writeRefusal(w, r.Host, id, refusal)
		return
	}
	_, lost := errors.AsType[*fake.LostError](err)
	switch {
	case lost || r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // net/http's way to cut the connection
	case err != nil:
		writeRefusal(w, r.Host, id, &fake.APIError{
			HTTPStatus: http.StatusInternalServerError, Code: "InternalError", Message: "The request has not been answered.",
		})
	default:
		writeAnswer(w, id, out)
	}
}

// serve checks a call and does it.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) (members, error) {
	p, err := readParams(w, r)
	if err != nil {
		return nil, err
	}
	act, err := h.route(r.URL.Path, p)
	if err != nil {
		return nil, err
	}
	if err := h.gate.admit(r.Method, p); err != nil {
		return nil, err
	}
	return act(r.Context(), h.cloud, p)
}

// route finds the action of a call.
func (h *handler) route(path string, p *params) (action, error) {
	name, version := p.required("Action"), p.required("Version")
	switch {
	case p.err != nil:
		return nil, p.err
	case version != apiVersion:
		return nil, &fake.APIError{
			HTTPStatus: http.StatusNotFound, Code: "InvalidVersion", Message: "The specified version is not " + apiVersion + ".",
		}
	}
	act := h.actions[name]
	if act == nil || path != "/" {
		return nil, &fake.APIError{
			HTTPStatus: http.StatusNotFound, Code: "InvalidAction.NotFound", Message: "The specified API does not exist here: check path and action.",
		}
	}
	return act, nil
}

// requestID returns a new ID in the platform's form.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// An action decodes the parameters of an API, calls it and returns its answer's members.
type action func(context.Context, *fake.Cloud, *params) (members, error)

// api makes an action of an API's three parts.
func api[Q, A any](
	request func(*params) Q, call func(*fake.Cloud, context.Context, Q) (A, error), answer func(A) members,
) action {
	return func(ctx context.Context, cloud *fake.Cloud, p *params) (members, error) {
		q := request(p)
		if p.err != nil {
			return nil, p.err
		}
		a, err := call(cloud, ctx, q)
		if err != nil {
			return nil, err
		}
		return answer(a), nil
	}
}

// order makes an action of an API whose answer has no members.
func order[Q any](request func(*params) Q, call func(*fake.Cloud, context.Context, Q) error) action {
	return api(request, func(cloud *fake.Cloud, ctx context.Context, q Q) (members, error) {
		return nil, call(cloud, ctx, q)
	}, func(m members) members { return m })
}

// actions returns all actions by name.
func actions() map[string]action {
	type cloud = fake.Cloud
	return map[string]action{
		"QueryProductList":         api(productListRequest, (*cloud).QueryProductList, productListAnswer),
		"QueryProduct":             api(productRequest, (*cloud).QueryProduct, productAnswer),
		"QueryThingModelPublished": api(modelRequest, (*cloud).QueryThingModelPublished, modelAnswer),
		"ListThingModelVersion":    api(modelVersionsRequest, (*cloud).ListThingModelVersion, modelVersionsAnswer),

		"QueryDevicePropertyData":   api(historyRequest, (*cloud).QueryDevicePropertyData, propertyHistoryAnswer),
		"QueryDevicePropertiesData": api(propertiesRequest, (*cloud).QueryDevicePropertiesData, propertiesAnswer),
		"QueryDeviceEventData":      api(historyRequest, (*cloud).QueryDeviceEventData, eventHistoryAnswer),
		"QueryDeviceServiceData":    api(historyRequest, (*cloud).QueryDeviceServiceData, serviceHistoryAnswer),

		"QueryDevice":            api(deviceListRequest, (*cloud).QueryDevice, deviceListAnswer),
		"QueryDeviceByStatus":    api(byStatusRequest, (*cloud).QueryDeviceByStatus, byStatusAnswer),
		"BatchGetDeviceState":    api(statesRequest, (*cloud).BatchGetDeviceState, statesAnswer),
		"BatchQueryDeviceDetail": api(detailsRequest, (*cloud).BatchQueryDeviceDetail, detailsAnswer),
		"QueryDeviceDetail":      api(deviceRequest, (*cloud).QueryDeviceDetail, detailAnswer),
		"GetDeviceStatus":        api(deviceRequest, (*cloud).GetDeviceStatus, statusAnswer),
		"QueryDeviceStatistics":  api(statisticsRequest, (*cloud).QueryDeviceStatistics, statisticsAnswer),
		"RegisterDevice":         api(deviceRequest, (*cloud).RegisterDevice, registerAnswer),
		"QueryDeviceProp":        api(deviceRequest, (*cloud).QueryDeviceProp, labelsAnswer),
		"ListDistributedDevice":  api(distributedRequest, (*cloud).ListDistributedDevice, distributedAnswer),

		"SaveDeviceProp":  order(saveLabelsRequest, (*cloud).SaveDeviceProp),
		"GetDeviceShadow": api(deviceRequest, (*cloud).GetDeviceShadow, shadowAnswer),
		"GetThingScript":  api(scriptRequest, (*cloud).GetThingScript, scriptAnswer),

		"QueryDeviceGroupList":         api(deviceGroupsRequest, (*cloud).QueryDeviceGroupList, deviceGroupsAnswer),
		"QueryDeviceGroupByDevice":     api(deviceRequest, (*cloud).QueryDeviceGroupByDevice, groupsOfDeviceAnswer),
		"QueryDeviceListByDeviceGroup": api(groupDevicesRequest, (*cloud).QueryDeviceListByDeviceGroup, groupDevicesAnswer),
		"CreateDeviceGroup":            api(newDeviceGroupRequest, (*cloud).CreateDeviceGroup, newDeviceGroupAnswer),
		"BatchAddDeviceGroupRelations": api(addDevicesRequest, (*cloud).BatchAddDeviceGroupRelations, addDevicesAnswer),

		"GetRule":               api(ruleRequest, (*cloud).GetRule, ruleAnswer),
		"ListParser":            api(parsersRequest, (*cloud).ListParser, parsersAnswer),
		"GetParser":             api(parserRequest, (*cloud).GetParser, parserAnswer),
		"ListDataSourceItem":    api(sourceItemsRequest, (*cloud).ListDataSourceItem, sourceItemsAnswer),
		"ListParserDestination": api(parserRequest, (*cloud).ListParserDestination, destinationsAnswer),

		"ListJob":              api(pageRequest, (*cloud).ListJob, jobsAnswer),
		"QuerySceneRule":       api(pageRequest, (*cloud).QuerySceneRule, scenesAnswer),
		"ListOTAFirmware":      api(firmwaresRequest, (*cloud).ListOTAFirmware, firmwaresAnswer),
		"ListOTATaskByJob":     api(otaTasksRequest, (*cloud).ListOTATaskByJob, otaTasksAnswer),
		"ListOTAJobByFirmware": api(batchesRequest, (*cloud).ListOTAJobByFirmware, batchesAnswer),

		"GetThingTopo":          api(topologyRequest, (*cloud).GetThingTopo, topologyAnswer),
		"GetGatewayBySubDevice": api(deviceRequest, (*cloud).GetGatewayBySubDevice, gatewayAnswer),

		"Pub":                api(pubRequest, (*cloud).Pub, pubAnswer),
		"RRpc":               api(rrpcRequest, (*cloud).RRpc, rrpcAnswer),
		"InvokeThingService": api(serviceRequest, (*cloud).InvokeThingService, serviceAnswer),
		"SetDeviceProperty":  api(propertyRequest, (*cloud).SetDeviceProperty, propertyAnswer),

		"ListRule":                 api(ruleListRequest, (*cloud).ListRule, ruleListAnswer),
		"ListRuleActions":          api(ruleActionsRequest, (*cloud).ListRuleActions, ruleActionsAnswer),
		"CreateConsumerGroup":      api(newGroupRequest, (*cloud).CreateConsumerGroup, newGroupAnswer),
		"QueryConsumerGroupList":   api(groupListRequest, (*cloud).QueryConsumerGroupList, groupListAnswer),
		"QueryConsumerGroupStatus": api(groupRequest, (*cloud).QueryConsumerGroupStatus, groupAnswer),
		"QuerySubscribeRelation":   api(relationQuery, (*cloud).QuerySubscribeRelation, relationAnswer),
		"CreateSubscribeRelation":  order(relationRequest, (*cloud).CreateSubscribeRelation),
		"UpdateSubscribeRelation":  order(relationRequest, (*cloud).UpdateSubscribeRelation),

		"BatchGrayMigrationDevice": api(moveRequest, (*cloud).BatchGrayMigrationDevice, moveAnswer),
	}
}
