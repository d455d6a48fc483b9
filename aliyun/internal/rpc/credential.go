package rpc

import (
	"context"
	"os"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Credential signs calls.
type Credential struct {
	AccessKeyID     string
	AccessKeySecret iot.Secret
	SecurityToken   iot.Secret // of a temporary (STS) credential, else empty
	Expires         time.Time  // when a temporary credential ends; zero if that is not known, or never
}

// A CredentialSource gives the credential of the next call. It is asked before each call, must be safe for concurrent
// use and is expected to cache what is slow to get. A rotated credential is picked up by the next call.
type CredentialSource interface {
	// Credential returns the credential to use now. Its errors hold no secrets.
	Credential(ctx context.Context) (Credential, error)
}

// A SourceFunc is a function as a [CredentialSource].
type SourceFunc func(ctx context.Context) (Credential, error)

// Credential calls f.
func (f SourceFunc) Credential(ctx context.Context) (Credential, error) { return f(ctx) }

// Static always gives the same credential: an access key, or a temporary one if it has a token.
func Static(c Credential) CredentialSource {
	return SourceFunc(func(context.Context) (Credential, error) { return c, nil })
}

// The environment variables of the vendor's SDKs.
const (
	envID     = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"
)

// Environment reads ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a temporary credential,
// ALIBABA_CLOUD_SECURITY_TOKEN each time it is asked. It is [iot.Denied] if one of the first two is not set.
func Environment() CredentialSource {
	return SourceFunc(func(context.Context) (Credential, error) {
		c := Credential{
			AccessKeyID: os.Getenv(envID), AccessKeySecret: iot.NewSecret(os.Getenv(envSecret)),
			SecurityToken: iot.NewSecret(os.Getenv(envToken)),
		}
		if c.AccessKeyID == "" || c.AccessKeySecret == (iot.Secret{}) {
			return Credential{}, &iot.Error{Kind: iot.Denied, Message: "set " + envID + " and " + envSecret + " in the environment"}
		}
		return c, nil
	})
}
