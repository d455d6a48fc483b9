package openapi_test

import (
	"encoding/json"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"

	"github.com/iotferry/iotferry/internal/fake"
)

func (p *pair) products() {
	for _, page := range []string{"1", "2"} {
		r := vendor.CreateQueryProductListRequest()
		r.CurrentPage, r.PageSize = requests.Integer(page), "2"
		direct := fake.QueryProductListRequest{CurrentPage: int(page[0] - '0'), PageSize: 2}
		expect(p, "QueryProductList", p.client.QueryProductList, r, (*fake.Cloud).QueryProductList, direct,
			func(a fake.QueryProductListResponse, want *vendor.QueryProductListResponse) {
				want.Data = vendor.DataInQueryProductList{Total: a.Total, PageCount: a.PageCount, CurrentPage: a.CurrentPage, PageSize: a.PageSize}
				want.Data.List.ProductInfo = list(a.ProductInfo, func(x fake.ProductInfo) vendor.ProductInfo {
					return vendor.ProductInfo{
						ProductKey: x.ProductKey, ProductName: x.ProductName, NodeType: x.NodeType, DataFormat: x.DataFormat,
						AuthType: x.AuthType, DeviceCount: x.DeviceCount, GmtCreate: millis(x.GmtCreate),
					}
				})
			})
	}
	for _, key := range []string{meter, gateway, climate} {
		r := vendor.CreateQueryProductRequest()
		r.ProductKey = key
		expect(p, "QueryProduct", p.client.QueryProduct, r, (*fake.Cloud).QueryProduct, fake.QueryProductRequest{ProductKey: key},
			func(a fake.ProductInfo, want *vendor.QueryProductResponse) {
				want.Data = vendor.DataInQueryProduct{
					ProductKey: a.ProductKey, ProductName: a.ProductName, NodeType: a.NodeType, DataFormat: a.DataFormat,
					AuthType: a.AuthType, DeviceCount: a.DeviceCount, GmtCreate: millis(a.GmtCreate), Id2: a.Id2, NetType: a.NetType,
					ProtocolType: a.ProtocolType, Owner: a.Owner, ProductStatus: a.ProductStatus, ProductSecret: a.ProductSecret,
					ValidateType: a.ValidateType,
				}
			})
	}
	r := vendor.CreateQueryThingModelPublishedRequest()
	r.ProductKey = climate
	expect(p, "QueryThingModelPublished", p.client.QueryThingModelPublished, r, (*fake.Cloud).QueryThingModelPublished,
		fake.QueryThingModelPublishedRequest{ProductKey: climate},
		func(a fake.QueryThingModelPublishedResponse, want *vendor.QueryThingModelPublishedResponse) {
			want.Data.ThingModelJson = string(a.ThingModelJson)
		})
}

func (p *pair) devices() {
	names := append(deviceNames(24), "nobody")
	states := vendor.CreateBatchGetDeviceStateRequest()
	states.ProductKey, states.DeviceName = meter, &names
	expect(p, "BatchGetDeviceState", p.client.BatchGetDeviceState, states, (*fake.Cloud).BatchGetDeviceState,
		fake.BatchGetDeviceStateRequest{ProductKey: meter, DeviceName: names},
		func(a fake.BatchGetDeviceStateResponse, want *vendor.BatchGetDeviceStateResponse) {
			want.DeviceStatusList.DeviceStatus = list(a.DeviceStatus, func(x fake.DeviceStatus) vendor.DeviceStatus {
				return vendor.DeviceStatus{
					DeviceName: x.DeviceName, IotId: x.IotId, Status: x.Status, AsAddress: x.AsAddress,
					LastOnlineTime: utc(x.LastOnlineTime), Timestamp: millis(x.Timestamp),
				}
			})
		})
	details := vendor.CreateBatchQueryDeviceDetailRequest()
	details.ProductKey, details.DeviceName = meter, &names
	expect(p, "BatchQueryDeviceDetail", p.client.BatchQueryDeviceDetail, details, (*fake.Cloud).BatchQueryDeviceDetail,
		fake.BatchQueryDeviceDetailRequest{ProductKey: meter, DeviceName: names},
		func(a fake.BatchQueryDeviceDetailResponse, want *vendor.BatchQueryDeviceDetailResponse) {
			want.Data.DataItem = list(a.Data, func(x fake.DeviceDetail) vendor.DataItem {
				return vendor.DataItem{
					ProductKey: x.ProductKey, ProductName: x.ProductName, DeviceName: x.DeviceName, DeviceSecret: x.DeviceSecret,
					IotId: x.IotId, Status: x.Status, NodeType: x.NodeType, Region: x.Region, UtcCreate: utc(x.UtcCreate), UtcActive: utc(x.UtcActive),
				}
			})
		})
	for _, name := range deviceNames(4) {
		p.device(name)
	}
	register := vendor.CreateRegisterDeviceRequest()
	register.ProductKey, register.DeviceName = meter, "new@1.x:_"
	expect(p, "RegisterDevice", p.client.RegisterDevice, register, (*fake.Cloud).RegisterDevice,
		fake.DeviceRequest{ProductKey: meter, DeviceName: "new@1.x:_"},
		func(a fake.RegisterDeviceResponse, want *vendor.RegisterDeviceResponse) {
			want.Data.ProductKey, want.Data.DeviceName = a.ProductKey, a.DeviceName
			want.Data.DeviceSecret, want.Data.IotId = a.DeviceSecret, a.IotId
		})
}

// device asks for one device of each status.
func (p *pair) device(name string) {
	direct := fake.DeviceRequest{ProductKey: meter, DeviceName: name}
	detail := vendor.CreateQueryDeviceDetailRequest()
	detail.ProductKey, detail.DeviceName = meter, name
	expect(p, "QueryDeviceDetail", p.client.QueryDeviceDetail, detail, (*fake.Cloud).QueryDeviceDetail, direct,
		func(x fake.DeviceDetail, want *vendor.QueryDeviceDetailResponse) {
			want.Data = vendor.DataInQueryDeviceDetail{
				ProductKey: x.ProductKey, ProductName: x.ProductName, DeviceName: x.DeviceName, DeviceSecret: x.DeviceSecret,
				IotId: x.IotId, Status: x.Status, NodeType: x.NodeType, Region: x.Region, IpAddress: x.IpAddress, Owner: x.Owner,
				UtcCreate: utc(x.UtcCreate), UtcActive: utc(x.UtcActive), UtcOnline: utc(x.UtcOnline),
			}
		})
	status := vendor.CreateGetDeviceStatusRequest()
	status.ProductKey, status.DeviceName = meter, name
	expect(p, "GetDeviceStatus", p.client.GetDeviceStatus, status, (*fake.Cloud).GetDeviceStatus, direct,
		func(x fake.DeviceStatus, want *vendor.GetDeviceStatusResponse) {
			want.Data = vendor.DataInGetDeviceStatus{Status: x.Status, Timestamp: millis(x.Timestamp)}
		})
	labels := vendor.CreateQueryDevicePropRequest()
	labels.ProductKey, labels.DeviceName = meter, name
	expect(p, "QueryDeviceProp", p.client.QueryDeviceProp, labels, (*fake.Cloud).QueryDeviceProp, direct,
		func(a fake.QueryDevicePropResponse, want *vendor.QueryDevicePropResponse) {
			text, err := json.Marshal(a.Props)
			if err != nil {
				p.Fatal(err)
			}
			want.Props = string(text)
		})
}

func (p *pair) deviceLists() {
	token := ""
	for rows := 25; rows > 0; rows -= 10 {
		r := vendor.CreateQueryDeviceRequest()
		r.ProductKey, r.CurrentPage, r.PageSize, r.NextToken = meter, "1", "10", token
		out := expect(p, "QueryDevice", p.client.QueryDevice, r, (*fake.Cloud).QueryDevice,
			fake.QueryDeviceRequest{ProductKey: meter, CurrentPage: 1, PageSize: 10, NextToken: token},
			func(a fake.QueryDeviceResponse, want *vendor.QueryDeviceResponse) {
				want.Total, want.PageCount, want.Page, want.PageSize, want.NextToken = a.Total, a.PageCount, a.Page, a.PageSize, a.NextToken
				want.Data.DeviceInfo = list(a.DeviceInfo, func(x fake.DeviceInfo) vendor.DeviceInfo {
					return vendor.DeviceInfo{
						ProductKey: x.ProductKey, DeviceName: x.DeviceName, DeviceSecret: x.DeviceSecret, IotId: x.IotId,
						DeviceStatus: x.DeviceStatus, UtcCreate: utc(x.UtcCreate),
					}
				})
			})
		if len(out.DeviceInfo) != min(rows, 10) {
			p.Errorf("%d devices on a page, want %d", len(out.DeviceInfo), min(rows, 10))
		}
		token = out.NextToken
	}
	for status, text := range []requests.Integer{"0", "1", "", "3"} {
		if text != "" {
			p.byStatus(status, text)
		}
	}
	for _, key := range []string{"", meter} {
		r := vendor.CreateQueryDeviceStatisticsRequest()
		r.ProductKey = key
		expect(p, "QueryDeviceStatistics", p.client.QueryDeviceStatistics, r, (*fake.Cloud).QueryDeviceStatistics,
			fake.QueryDeviceStatisticsRequest{ProductKey: key},
			func(a fake.QueryDeviceStatisticsResponse, want *vendor.QueryDeviceStatisticsResponse) {
				want.Data.DeviceCount, want.Data.OnlineCount, want.Data.ActiveCount = int64(a.DeviceCount), int64(a.OnlineCount), int64(a.ActiveCount)
			})
	}
	r := vendor.CreateListDistributedDeviceRequest()
	r.CurrentPage, r.PageSize, r.ProductKey = "1", "200", meter
	expect(p, "ListDistributedDevice", p.client.ListDistributedDevice, r, (*fake.Cloud).ListDistributedDevice,
		fake.ListDistributedDeviceRequest{CurrentPage: 1, PageSize: 200, ProductKey: meter},
		func(a fake.ListDistributedDeviceResponse, want *vendor.ListDistributedDeviceResponse) {
			want.Data.Total = a.Total
			want.Data.Info.Items = list(a.Items, func(x fake.DistributedDevice) vendor.Items {
				return vendor.Items{ProductKey: x.ProductKey, DeviceName: x.DeviceName, TargetInstanceId: x.TargetInstanceId, TargetRegion: x.TargetRegion}
			})
		})
}

func (p *pair) byStatus(status int, text requests.Integer) {
	r := vendor.CreateQueryDeviceByStatusRequest()
	r.ProductKey, r.Status, r.CurrentPage, r.PageSize = meter, text, "2", "4"
	expect(p, "QueryDeviceByStatus", p.client.QueryDeviceByStatus, r, (*fake.Cloud).QueryDeviceByStatus,
		fake.QueryDeviceByStatusRequest{ProductKey: meter, Status: status, CurrentPage: 2, PageSize: 4},
		func(a fake.QueryDeviceByStatusResponse, want *vendor.QueryDeviceByStatusResponse) {
			want.Total, want.PageCount, want.Page, want.PageSize = a.Total, a.PageCount, a.Page, a.PageSize
			want.Data.SimpleDeviceInfo = list(a.SimpleDeviceInfo, func(x fake.DeviceInfo) vendor.SimpleDeviceInfo {
				return vendor.SimpleDeviceInfo{
					ProductKey: x.ProductKey, DeviceName: x.DeviceName, DeviceSecret: x.DeviceSecret, IotId: x.IotId,
					Status: x.DeviceStatus, UtcCreate: utc(x.UtcCreate),
				}
			})
		})
}

func (p *pair) topology() {
	r := vendor.CreateGetThingTopoRequest()
	r.ProductKey, r.DeviceName, r.PageNo, r.PageSize = gateway, "g-1", "1", "2"
	expect(p, "GetThingTopo", p.client.GetThingTopo, r, (*fake.Cloud).GetThingTopo,
		fake.GetThingTopoRequest{ProductKey: gateway, DeviceName: "g-1", PageNo: 1, PageSize: 2},
		func(a fake.GetThingTopoResponse, want *vendor.GetThingTopoResponse) {
			want.Data.Total, want.Data.PageCount = int64(a.Total), int64(a.PageCount)
			want.Data.CurrentPage, want.Data.PageSize = a.CurrentPage, a.PageSize
			want.Data.List.DeviceInfo = list(a.DeviceInfo, func(x fake.TopoDevice) vendor.DeviceInfo {
				return vendor.DeviceInfo{ProductKey: x.ProductKey, DeviceName: x.DeviceName, IotId: x.IotId}
			})
		})
	above := vendor.CreateGetGatewayBySubDeviceRequest()
	above.ProductKey, above.DeviceName = climate, "c-2"
	expect(p, "GetGatewayBySubDevice", p.client.GetGatewayBySubDevice, above, (*fake.Cloud).GetGatewayBySubDevice,
		fake.DeviceRequest{ProductKey: climate, DeviceName: "c-2"},
		func(a fake.GetGatewayBySubDeviceResponse, want *vendor.GetGatewayBySubDeviceResponse) {
			want.Data = vendor.DataInGetGatewayBySubDevice{ProductKey: a.ProductKey, DeviceName: a.DeviceName, IotId: a.IotId, Status: a.Status}
		})
}
