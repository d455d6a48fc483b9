package aliyun_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// signedBy makes a call with credentials and returns what it was signed with.
func signedBy(t *testing.T, c aliyun.Credentials) (keyID, token string, err error) {
	t.Helper()
	s := says(map[string]any{"Data": map[string]any{}})
	p := s.client(t, func(config *aliyun.Config) { config.Credentials = c }).Platform()
	if _, err = p.Source.Product(t.Context(), meter); err != nil {
		return "", "", err
	}
	return s.last(t).Get("AccessKeyId"), s.last(t).Get("SecurityToken"), nil
}

func TestCredentials(t *testing.T) {
	secret, token := iot.NewSecret(testSecret), iot.NewSecret("a token")
	for _, variable := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"} {
		t.Setenv(variable, "")
	}
	if _, _, err := signedBy(t, aliyun.Environment()); iot.KindOf(err) != iot.Denied {
		t.Errorf("an empty environment: %v", err)
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI-env")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", testSecret)
	for name, test := range map[string]struct {
		credentials aliyun.Credentials
		key, token  string
	}{
		"static": {aliyun.Static("LTAI-1", secret), "LTAI-1", ""}, "STS": {aliyun.STS("STS.1", secret, token), "STS.1", "a token"},
		"environment": {aliyun.Environment(), "LTAI-env", ""}, "chain": {aliyun.Chain(), "LTAI-env", ""}, "none given": {nil, "LTAI-env", ""},
	} {
		if key, token, err := signedBy(t, test.credentials); err != nil || key != test.key || token != test.token {
			t.Errorf("%s: signed by %q, token %q, %v", name, key, token, err)
		}
	}
	t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "another token")
	if key, token, err := signedBy(t, aliyun.Environment()); err != nil || key != "LTAI-env" || token != "another token" {
		t.Errorf("a temporary one in the environment: %q, %q, %v", key, token, err)
	}
}

// A credential that was rotated signs the next call.
func TestCredentialsRotate(t *testing.T) {
	n := 0
	s := says(map[string]any{"Data": map[string]any{}})
	p := s.client(t, func(c *aliyun.Config) {
		c.Credentials = aliyun.CredentialsFunc(func(context.Context) (aliyun.Credential, error) {
			n++
			return aliyun.Credential{AccessKeyID: strings.Repeat("K", n), AccessKeySecret: iot.NewSecret(testSecret)}, nil
		})
	}).Platform()
	for i := range 3 {
		if _, err := p.Source.Product(t.Context(), meter); err != nil {
			t.Fatal(err)
		}
		if got := s.last(t).Get("AccessKeyId"); len(got) != i+1 {
			t.Errorf("call %d is signed by %q", i+1, got)
		}
	}
}

func TestCredentialsThatCannotSign(t *testing.T) {
	lost := errors.New("the vault is closed")
	for name, c := range map[string]aliyun.Credential{
		"no key": {AccessKeySecret: iot.NewSecret(testSecret)}, "no secret": {AccessKeyID: testKeyID},
		"expired": {AccessKeyID: testKeyID, AccessKeySecret: iot.NewSecret(testSecret), Expires: time.Now().Add(-time.Second)},
	} {
		_, _, err := signedBy(t, aliyun.CredentialsFunc(func(context.Context) (aliyun.Credential, error) { return c, nil }))
		expectKind(t, name, err, iot.Denied)
	}
	_, _, err := signedBy(t, aliyun.CredentialsFunc(func(context.Context) (aliyun.Credential, error) { return aliyun.Credential{}, lost }))
	if iot.KindOf(err) != iot.Denied || !errors.Is(err, lost) {
		t.Errorf("no credential: %v", err)
	}
}
