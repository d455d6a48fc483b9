package aliyun

import (
	"context"
	"os"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// A Credential is what signs a request: an access key, or a temporary one with its token.
type Credential struct {
	AccessKeyID     string
	AccessKeySecret iot.Secret
	SecurityToken   iot.Secret // of a temporary (STS) credential, else empty
	Expires         time.Time  // when a temporary credential ends; zero if that is not known, or never
}

// Credentials give the credential of the next request. They are asked before every OpenAPI call and every AMQP login, so
// that a rotated credential is picked up by the next one: cache what is slow to get. They must be safe for concurrent use.
type Credentials interface {
	// Credential returns the credential to use now. Its errors must hold no secrets.
	Credential(ctx context.Context) (Credential, error)
}

// CredentialsFunc is a function as [Credentials].
type CredentialsFunc func(ctx context.Context) (Credential, error)

// Credential calls f.
func (f CredentialsFunc) Credential(ctx context.Context) (Credential, error) { return f(ctx) }

// Static returns credentials that are always the same access key.
func Static(accessKeyID string, secret iot.Secret) Credentials {
	return STS(accessKeyID, secret, iot.Secret{})
}

// STS returns credentials that are always the same temporary access key with its token. They end after an hour or
// so: for a campaign of days use [Chain], or a [CredentialsFunc] that gets new ones.
func STS(accessKeyID string, secret, token iot.Secret) Credentials {
	return CredentialsFunc(func(context.Context) (Credential, error) {
		return Credential{AccessKeyID: accessKeyID, AccessKeySecret: secret, SecurityToken: token}, nil
	})
}

// accessKeyVariable is the first of the variables that Environment reads.
const accessKeyVariable = "ALIBABA_CLOUD_ACCESS_KEY_ID"

// Environment returns credentials that read ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a
// temporary one, ALIBABA_CLOUD_SECURITY_TOKEN whenever they are asked. It is [iot.Denied] if one of the first two is not set.
func Environment() Credentials { return source{rpc.Environment()} }

// Chain returns credentials of the vendor SDK's default chain of providers: the environment, an OIDC token, the profile of the
// vendor's command line, the credentials file, the RAM role of the machine, and ALIBABA_CLOUD_CREDENTIALS_URI. The first
// that has a credential counts. What was rotated is picked up within five minutes.
func Chain() Credentials { return source{rpc.ProviderChain()} }

// standard returns the credentials for a Config that has none.
func standard() Credentials {
	if os.Getenv(accessKeyVariable) != "" {
		return Environment()
	}
	return Chain()
}

// source is a source of package rpc as Credentials.
type source struct{ from rpc.CredentialSource }

func (s source) Credential(ctx context.Context) (Credential, error) {
	c, err := s.from.Credential(ctx)
	return Credential(c), err
}

// signer returns credentials as package rpc asks for them.
func signer(c Credentials) rpc.CredentialSource {
	return rpc.SourceFunc(func(ctx context.Context) (rpc.Credential, error) {
		got, err := c.Credential(ctx)
		return rpc.Credential(got), err
	})
}
