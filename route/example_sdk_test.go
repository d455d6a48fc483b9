package route_test

import (
	"context"

	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// openSDK returns the vendor's client; the rest of the service stays as it is.
func openSDK(router *route.Router, region, keyID string, secret iot.Secret) (*vendor.Client, error) {
	client, err := vendor.NewClientWithAccessKey(region, keyID, secret.Reveal())
	if err != nil {
		return nil, err
	}
	transport, err := router.Transport(func(context.Context, string) (iot.Secret, error) { return secret, nil }, nil)
	if err != nil {
		return nil, err
	}
	client.SetTransport(transport)
	client.GetConfig().WithScheme("HTTPS").WithAutoRetry(false)
	return client, nil
}

// A backend calls it when it starts; here it only has to compile.
var _ = openSDK
