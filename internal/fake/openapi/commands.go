package openapi

import (
	"encoding/base64"

	"github.com/iotferry/iotferry/internal/fake"
)

func pubRequest(p *params) fake.PubRequest {
	p.structs("UserProp", "Key", "Value")
	return fake.PubRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"),
		TopicFullName: p.required("TopicFullName"), MessageContent: p.base64("MessageContent"), Qos: p.number("Qos"),
	}
}

func pubAnswer(a fake.PubResponse) members { return members{"MessageId": a.MessageId} }

func rrpcRequest(p *params) fake.RRpcRequest {
	return fake.RRpcRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
		RequestByte: p.base64("RequestBase64Byte"), Timeout: p.requiredNumber("Timeout"), Topic: p.text("Topic"),
	}
}

func rrpcAnswer(a fake.RRpcResponse) members {
	return members{
		"RrpcCode": a.RrpcCode, "PayloadBase64Byte": base64.StdEncoding.EncodeToString(a.PayloadByte),
		"MessageId": wireID(a.MessageId),
	}
}

// wireID is the ID of a message as a positive number of 64 bits with sign, which is what clients read.
func wireID(id uint64) int64 { return int64(id &^ (1 << 63)) }

func serviceRequest(p *params) fake.InvokeThingServiceRequest {
	p.lacks("IotId")
	return fake.InvokeThingServiceRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
		Identifier: p.required("Identifier"), Args: p.required("Args"),
	}
}

func serviceAnswer(a fake.InvokeThingServiceResponse) members {
	return members{"Data": members{"MessageId": a.MessageId, "Result": a.Result}}
}

func propertyRequest(p *params) fake.SetDevicePropertyRequest {
	p.lacks("IotId")
	return fake.SetDevicePropertyRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
		Items: p.required("Items"),
	}
}

func propertyAnswer(a fake.SetDevicePropertyResponse) members {
	return members{"Data": members{"MessageId": a.MessageId}}
}
