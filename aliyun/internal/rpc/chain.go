package rpc

import (
	"context"
	"sync"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"golang.org/x/sync/singleflight"

	"github.com/iotferry/iotferry/iot"
)

const (
	// chainFresh is how long a credential of the chain is used before the chain is asked again.
	chainFresh = 5 * time.Minute
	// chainRetry is how long the credential before is used when the chain gives none.
	chainRetry = 30 * time.Second
)

// ProviderChain asks the vendor SDK's default chain of credential providers: the environment, an OIDC token, the profile of the
// vendor's command line, the credentials file, the RAM role of the machine, and ALIBABA_CLOUD_CREDENTIALS_URI. The first that has
// a credential counts. The chain is built anew every five minutes, so a credential that was rotated is picked up within
// that time; while it fails, the credential before is used. It is [iot.Denied] if there has never been one.
func ProviderChain() CredentialSource { return &chain{} }

// chain keeps the credential of the vendor's chain. That knows no context and may wait for the network, at most as long as its own
// time-outs: so it is asked in a goroutine, one at a time, which ends by itself.
type chain struct {
	asking singleflight.Group

	mu      sync.Mutex
	current Credential
	until   time.Time
}

// Credential returns the chain's credential. If ctx ends before the chain answers, the answer serves the next caller.
func (c *chain) Credential(ctx context.Context) (Credential, error) {
	if current, ok := c.cached(); ok {
		return current, nil
	}
	select {
	case <-ctx.Done():
		return Credential{}, ctx.Err()
	case answer := <-c.asking.DoChan("", c.renew):
		if answer.Err != nil {
			return Credential{}, answer.Err
		}
		return answer.Val.(Credential), nil
	}
}

func (c *chain) cached() (Credential, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current, time.Now().Before(c.until)
}

func (c *chain) renew() (any, error) {
	got, err := askVendor()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.current, c.until = got, time.Now().Add(chainFresh)
	case c.current == Credential{}:
		return nil, err
	default:
		c.until = time.Now().Add(chainRetry)
	}
	return c.current, nil
}

// askVendor builds a chain and asks it: one that has failed once asks only its last provider from then on, and one
// that has read a file never reads it again. The vendor's errors can quote whole files with secrets, and its
// type assertions trust what servers answer.
func askVendor() (got Credential, err error) {
	none := &iot.Error{
		Kind:    iot.Denied,
		Message: "no provider of the vendor's chain gave a credential: set " + envID + " and " + envSecret + ", or give the machine a RAM role",
	}
	defer func() {
		if recover() != nil {
			got, err = Credential{}, none
		}
	}()
	found, failed := credentials.NewDefaultCredentialsProvider().GetCredentials()
	if failed != nil || found == nil {
		return Credential{}, none
	}
	return Credential{
		AccessKeyID: found.AccessKeyId, AccessKeySecret: iot.NewSecret(found.AccessKeySecret),
		SecurityToken: iot.NewSecret(found.SecurityToken),
	}, nil
}
