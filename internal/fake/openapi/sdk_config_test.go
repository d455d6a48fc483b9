package openapi_test

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

func (p *pair) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// config asks for what fleet files do not describe. The vendor's Go client cannot read a list of jobs: see jobsAnswer.
func (p *pair) config() {
	id := iot.DeviceID{ProductKey: meter, DeviceName: deviceNames(1)[0]}
	p.both(func(c *fake.Cloud) error {
		return c.Setup("", fake.Setup{
			Parsers: []iot.Parser{{
				ID: "7001", Name: "表 parser", Running: true, Script: "a<b", Draft: "c",
				Sources:      []iot.ParserSource{{Topic: "/+/user/update", Scope: "BASIC", ProductKey: meter, DeviceName: "+"}},
				Destinations: []iot.ParserOutput{{ID: "8001", Name: "table", Type: "OTS", Configuration: json.RawMessage(`{"a":"b"}`), OnError: true}},
			}},
			DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_1", Description: "d"}, {ID: "floor001", Name: "floor_1", Parent: "site0001"}},
			Members:      map[string][]iot.DeviceID{"floor001": {id}},
			Scenes:       []iot.Scene{{ID: "s1", Name: "Lights", Running: true}, {ID: "s2", Name: "Doors"}},
			OTAJobs: []iot.OTAJob{{
				ID: "o1", ProductKey: meter, FirmwareID: "f1", Firmware: "Meter", Version: "2.0", Type: "UPGRADE_FIRMWARE", Status: "IN_PROGRESS",
			}},
			OTATasks: map[string][]iot.OTATask{"o1": {{Device: id, Status: "QUEUED"}}},
			Shadows:  map[iot.DeviceID]json.RawMessage{id: json.RawMessage(`{"version":1}`)},
			Scripts:  map[string]string{meter: "JavaScript"},
		})
	})
	p.oneDevice(id)
	p.deviceGroups(id)
	p.parsers()
	p.work()
}

func (p *pair) oneDevice(id iot.DeviceID) {
	direct := fake.DeviceRequest{ProductKey: id.ProductKey, DeviceName: id.DeviceName}
	labels := map[string]string{"site": "杭州 &=+", "owner": `"a"`}
	text, err := json.Marshal(labels)
	if err != nil {
		p.Fatal(err)
	}
	save := vendor.CreateSaveDevicePropRequest()
	save.ProductKey, save.DeviceName, save.Props = id.ProductKey, id.DeviceName, string(text)
	expect(p, "SaveDeviceProp", p.client.SaveDeviceProp, save, unanswered((*fake.Cloud).SaveDeviceProp),
		fake.SaveDevicePropRequest{DeviceRequest: direct, Props: labels}, func(struct{}, *vendor.SaveDevicePropResponse) {})
	shadow := vendor.CreateGetDeviceShadowRequest()
	shadow.ProductKey, shadow.DeviceName = id.ProductKey, id.DeviceName
	expect(p, "GetDeviceShadow", p.client.GetDeviceShadow, shadow, (*fake.Cloud).GetDeviceShadow, direct,
		func(a fake.GetDeviceShadowResponse, want *vendor.GetDeviceShadowResponse) {
			want.ShadowMessage = a.ShadowMessage
		})
	script := vendor.CreateGetThingScriptRequest()
	script.ProductKey = meter
	expect(p, "GetThingScript", p.client.GetThingScript, script, (*fake.Cloud).GetThingScript, fake.GetThingScriptRequest{ProductKey: meter},
		func(a fake.GetThingScriptResponse, want *vendor.GetThingScriptResponse) {
			want.Data.ScriptType, want.Data.ScriptUrl = a.ScriptType, a.ScriptUrl
		})
	rules := vendor.CreateListRuleRequest()
	out, err := p.client.ListRule(rules)
	if err != nil {
		p.Fatal(err)
	}
	rule := vendor.CreateGetRuleRequest()
	rule.RuleId = requests.Integer(fmt.Sprint(out.Data.RuleInfo[0].Id))
	expect(p, "GetRule", p.client.GetRule, rule, (*fake.Cloud).GetRule, fake.GetRuleRequest{RuleId: string(rule.RuleId)},
		func(x fake.RuleInfo, want *vendor.GetRuleResponse) {
			want.RuleInfo = vendor.RuleInfo{
				Id: p.number(x.Id), Name: x.Name, ProductKey: x.ProductKey, ShortTopic: x.ShortTopic, Topic: x.Topic,
				Status: x.Status, DataType: x.DataType, Select: x.Select, Where: x.Where,
			}
		})
}

func vendorGroup(x fake.DeviceGroupInfo) vendor.GroupInfo {
	return vendor.GroupInfo{GroupId: x.GroupId, GroupName: x.GroupName, GroupDesc: x.GroupDesc}
}

func (p *pair) deviceGroups(id iot.DeviceID) {
	for _, parent := range []string{"", "site0001"} {
		r := vendor.CreateQueryDeviceGroupListRequest()
		r.CurrentPage, r.PageSize, r.SuperGroupId = "1", "200", parent
		expect(p, "QueryDeviceGroupList", p.client.QueryDeviceGroupList, r, (*fake.Cloud).QueryDeviceGroupList,
			fake.QueryDeviceGroupListRequest{CurrentPage: 1, PageSize: 200, SuperGroupId: parent},
			func(a fake.QueryDeviceGroupListResponse, want *vendor.QueryDeviceGroupListResponse) {
				want.Total, want.PageCount, want.CurrentPage, want.PageSize = a.Total, a.PageCount, a.CurrentPage, a.PageSize
				want.Data.GroupInfo = list(a.GroupInfo, vendorGroup)
			})
	}
	of := vendor.CreateQueryDeviceGroupByDeviceRequest()
	of.ProductKey, of.DeviceName = id.ProductKey, id.DeviceName
	expect(p, "QueryDeviceGroupByDevice", p.client.QueryDeviceGroupByDevice, of, (*fake.Cloud).QueryDeviceGroupByDevice,
		fake.DeviceRequest{ProductKey: id.ProductKey, DeviceName: id.DeviceName},
		func(a fake.QueryDeviceGroupByDeviceResponse, want *vendor.QueryDeviceGroupByDeviceResponse) {
			want.GroupInfos.GroupInfo = list(a.GroupInfo, vendorGroup)
		})
	create := vendor.CreateCreateDeviceGroupRequest()
	create.GroupName, create.GroupDesc, create.SuperGroupId = "floor_2", "second", "site0001"
	made := expect(p, "CreateDeviceGroup", p.client.CreateDeviceGroup, create, (*fake.Cloud).CreateDeviceGroup,
		fake.CreateDeviceGroupRequest{GroupName: "floor_2", GroupDesc: "second", SuperGroupId: "site0001"},
		func(a fake.DeviceGroupInfo, want *vendor.CreateDeviceGroupResponse) {
			want.Data.GroupId, want.Data.GroupName, want.Data.GroupDesc = a.GroupId, a.GroupName, a.GroupDesc
		})
	add := vendor.CreateBatchAddDeviceGroupRelationsRequest()
	add.GroupId, add.Device = made.GroupId, &[]vendor.BatchAddDeviceGroupRelationsDevice{{ProductKey: id.ProductKey, DeviceName: id.DeviceName}}
	expect(p, "BatchAddDeviceGroupRelations", p.client.BatchAddDeviceGroupRelations, add, (*fake.Cloud).BatchAddDeviceGroupRelations,
		fake.BatchAddDeviceGroupRelationsRequest{GroupId: made.GroupId, Device: []iot.DeviceID{id}},
		func(a fake.BatchAddDeviceGroupRelationsResponse, want *vendor.BatchAddDeviceGroupRelationsResponse) {
			want.ValidDeviceCount, want.SuccessAddedDeviceCount = a.ValidDeviceCount, a.SuccessAddedDeviceCount
		})
	devices := vendor.CreateQueryDeviceListByDeviceGroupRequest()
	devices.GroupId, devices.CurrentPage, devices.PageSize = made.GroupId, "1", "50"
	expect(p, "QueryDeviceListByDeviceGroup", p.client.QueryDeviceListByDeviceGroup, devices, (*fake.Cloud).QueryDeviceListByDeviceGroup,
		fake.QueryDeviceListByDeviceGroupRequest{GroupId: made.GroupId, CurrentPage: 1, PageSize: 50},
		func(a fake.QueryDeviceListByDeviceGroupResponse, want *vendor.QueryDeviceListByDeviceGroupResponse) {
			want.Total, want.PageCount, want.Page, want.PageSize = a.Total, a.PageCount, a.Page, a.PageSize
			want.Data.SimpleDeviceInfo = list(a.SimpleDeviceInfo, func(x fake.TopoDevice) vendor.SimpleDeviceInfo {
				return vendor.SimpleDeviceInfo{ProductKey: x.ProductKey, DeviceName: x.DeviceName, IotId: x.IotId}
			})
		})
}

func (p *pair) parsers() {
	all := vendor.CreateListParserRequest()
	all.CurrentPage, all.PageSize = "1", "50"
	expect(p, "ListParser", p.client.ListParser, all, (*fake.Cloud).ListParser, fake.ListParserRequest{CurrentPage: 1, PageSize: 50},
		func(a fake.ListParserResponse, want *vendor.ListParserResponse) {
			want.Total = a.Total
			want.Data.ParserList = list(a.ParserList, func(x fake.ParserInfo) vendor.ParserList {
				return vendor.ParserList{ParserId: p.number(x.ParserId), Name: x.Name, Status: x.Status}
			})
		})
	one := vendor.CreateGetParserRequest()
	one.ParserId = "7001"
	got := expect(p, "GetParser", p.client.GetParser, one, (*fake.Cloud).GetParser, fake.ParserRequest{ParserId: "7001"},
		func(a fake.ParserInfo, want *vendor.GetParserResponse) {
			want.Data = vendor.DataInGetParser{
				ParserId: p.number(a.ParserId), DataSourceId: p.number(a.DataSourceId), Name: a.Name, Status: a.Status, Script: a.Script, ScriptDraft: a.ScriptDraft,
			}
		})
	items := vendor.CreateListDataSourceItemRequest()
	items.DataSourceId, items.Page, items.PageSize = requests.Integer(got.DataSourceId), "1", "50"
	expect(p, "ListDataSourceItem", p.client.ListDataSourceItem, items, (*fake.Cloud).ListDataSourceItem,
		fake.ListDataSourceItemRequest{DataSourceId: got.DataSourceId, Page: 1, PageSize: 50},
		func(a fake.ListDataSourceItemResponse, want *vendor.ListDataSourceItemResponse) {
			want.Total, want.Page, want.PageSize = a.Total, a.Page, a.PageSize
			want.DataSourceItems.DataSourceItem = list(a.DataSourceItem, func(x iot.ParserSource) vendor.DataSourceItem {
				return vendor.DataSourceItem{Topic: x.Topic, ScopeType: x.Scope, ProductKey: x.ProductKey, DeviceName: x.DeviceName}
			})
		})
	outputs := vendor.CreateListParserDestinationRequest()
	outputs.ParserId = "7001"
	expect(p, "ListParserDestination", p.client.ListParserDestination, outputs, (*fake.Cloud).ListParserDestination, fake.ParserRequest{ParserId: "7001"},
		func(a fake.ListParserDestinationResponse, want *vendor.ListParserDestinationResponse) {
			want.Data.Destinations = list(a.Destinations, func(x iot.ParserOutput) vendor.Destinations {
				return vendor.Destinations{
					DestinationId: p.number(x.ID), Name: x.Name, Type: x.Type, Configuration: string(x.Configuration), IsFailover: x.OnError,
				}
			})
		})
}

func (p *pair) work() {
	page := fake.PageRequest{CurrentPage: 1, PageSize: 50}
	jobs := vendor.CreateListJobRequest()
	jobs.CurrentPage, jobs.PageSize = "1", "50"
	expect(p, "ListJob", p.client.ListJob, jobs, (*fake.Cloud).ListJob, page,
		func(a fake.ListJobResponse, want *vendor.ListJobResponse) { want.Total = a.Total })
	scenes := vendor.CreateQuerySceneRuleRequest()
	scenes.CurrentPage, scenes.PageSize = "1", "50"
	expect(p, "QuerySceneRule", p.client.QuerySceneRule, scenes, (*fake.Cloud).QuerySceneRule, page,
		func(a fake.QuerySceneRuleResponse, want *vendor.QuerySceneRuleResponse) {
			want.Data.Total = a.Total
			want.Data.RuleList = list(a.RuleList, func(x iot.Scene) vendor.Rule {
				r := vendor.Rule{RuleId: x.ID, RuleName: x.Name}
				if x.Running {
					r.RuleStatus = 1
				}
				return r
			})
		})
	firmwares := vendor.CreateListOTAFirmwareRequest()
	firmwares.ProductKey, firmwares.CurrentPage, firmwares.PageSize = meter, "1", "50"
	expect(p, "ListOTAFirmware", p.client.ListOTAFirmware, firmwares, (*fake.Cloud).ListOTAFirmware,
		fake.ListOTAFirmwareRequest{PageRequest: page, ProductKey: meter},
		func(a fake.ListOTAFirmwareResponse, want *vendor.ListOTAFirmwareResponse) {
			want.Total = a.Total
			want.FirmwareInfo.SimpleFirmwareInfo = list(a.FirmwareInfo, func(x fake.Firmware) vendor.SimpleFirmwareInfo {
				return vendor.SimpleFirmwareInfo{FirmwareId: x.FirmwareId, FirmwareName: x.FirmwareName, DestVersion: x.DestVersion, ProductKey: x.ProductKey}
			})
		})
	tasks := vendor.CreateListOTATaskByJobRequest()
	tasks.JobId, tasks.CurrentPage, tasks.PageSize = "o1", "1", "50"
	expect(p, "ListOTATaskByJob", p.client.ListOTATaskByJob, tasks, (*fake.Cloud).ListOTATaskByJob,
		fake.ListOTATaskByJobRequest{PageRequest: page, JobId: "o1"},
		func(a fake.ListOTATaskByJobResponse, want *vendor.ListOTATaskByJobResponse) {
			want.Total = a.Total
			want.Data.SimpleOTATaskInfo = list(a.SimpleOTATaskInfo, func(x iot.OTATask) vendor.SimpleOTATaskInfo {
				return vendor.SimpleOTATaskInfo{ProductKey: x.Device.ProductKey, DeviceName: x.Device.DeviceName, TaskStatus: x.Status}
			})
		})
	batches := vendor.CreateListOTAJobByFirmwareRequest()
	batches.FirmwareId, batches.CurrentPage, batches.PageSize = "f1", "1", "50"
	expect(p, "ListOTAJobByFirmware", p.client.ListOTAJobByFirmware, batches, (*fake.Cloud).ListOTAJobByFirmware,
		fake.ListOTAJobByFirmwareRequest{PageRequest: page, FirmwareId: "f1"},
		func(a fake.ListOTAJobByFirmwareResponse, want *vendor.ListOTAJobByFirmwareResponse) {
			want.Total = a.Total
			want.Data.SimpleOTAJobInfo = list(a.SimpleOTAJobInfo, func(x iot.OTAJob) vendor.SimpleOTAJobInfo {
				return vendor.SimpleOTAJobInfo{JobId: x.ID, ProductKey: x.ProductKey, FirmwareId: x.FirmwareID, JobType: x.Type, JobStatus: x.Status}
			})
		})
}
