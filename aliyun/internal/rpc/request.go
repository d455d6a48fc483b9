package rpc

import (
	"net/http"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"github.com/iotferry/iotferry/iot"
)

const (
	product    = "Iot"
	apiVersion = "2018-01-20"
	userAgent  = "iotferry"
	// commonParams is how many parameters the vendor's SDK adds.
	commonParams = 12
)

// sign returns the HTTP request of a call, signed by the vendor's SDK. Its client is not used: it knows no context, must not
// be shared by calls, would follow redirects with the signature, and takes errors apart by type assertions that an answer can
// make panic. Secrets are what was used to sign, to be kept out of errors.
func (c *Caller) sign(call Call, credential Credential) (r *http.Request, secrets []string, e *iot.Error) {
	key := signingKey(credential)
	vendor := c.vendorRequest(call)
	if err := auth.Sign(vendor, nil, c.config.Region, key); err != nil {
		return nil, nil, notSent(call.API, iot.Invalid, "the vendor's SDK does not sign it", nil) // its words may hold parameters
	}
	r, err := http.NewRequest(http.MethodPost, vendor.BuildUrl(), vendor.GetBodyReader())
	if err != nil {
		return nil, nil, notSent(call.API, iot.Invalid, "the endpoint makes no URL", nil) // the words of net/url hold the signature
	}
	for name, value := range vendor.Headers {
		r.Header[name] = []string{value} // in the case that the SDK writes
	}
	r.Header.Set("User-Agent", userAgent)
	return r, []string{key.AccessKeySecret, key.SecurityToken, vendor.QueryParams["Signature"]}, nil
}

func (c *Caller) vendorRequest(call Call) *requests.RpcRequest {
	r := new(requests.RpcRequest)
	r.InitWithApiInfo(product, apiVersion, call.API, "", "")
	r.Scheme, r.Domain = c.endpoint.Scheme, c.endpoint.Host
	r.QueryParams = make(map[string]string, len(call.Query)+commonParams)
	call.Query.copyTo(r.QueryParams)
	call.Body.copyTo(r.FormParams)
	return r
}

// A key is a credential as the vendor's SDK takes it.
type key credentials.Credentials

func signingKey(c Credential) *key {
	return &key{
		AccessKeyId: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret.Reveal(), SecurityToken: c.SecurityToken.Reveal(),
	}
}

// GetCredentials returns the key itself.
func (k *key) GetCredentials() (*credentials.Credentials, error) {
	return (*credentials.Credentials)(k), nil
}

// GetProviderName returns how the SDK would name the key's source.
func (k *key) GetProviderName() string { return "static" }
