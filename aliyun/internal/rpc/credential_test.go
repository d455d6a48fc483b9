package rpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

const (
	envID     = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	envSecret = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	envToken  = "ALIBABA_CLOUD_SECURITY_TOKEN"
)

// bare leaves nothing in the environment in which a chain could find a credential, and no machine to ask.
func bare(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	for _, name := range []string{
		envID, envSecret, envToken, "ALIBABA_CLOUD_PROFILE", "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_CREDENTIALS_URI",
		"ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "ALIBABA_CLOUD_ECS_METADATA",
		"ALIBABA_CLOUD_CLI_PROFILE_DISABLED",
	} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
	return home
}

func setKey(t *testing.T, id, secret, token string) {
	t.Helper()
	t.Setenv(envID, id)
	t.Setenv(envSecret, secret)
	t.Setenv(envToken, token)
}

func expectCredential(t *testing.T, s rpc.CredentialSource, id, secret, token string) {
	t.Helper()
	got, err := s.Credential(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := rpc.Credential{AccessKeyID: id, AccessKeySecret: iot.NewSecret(secret), SecurityToken: iot.NewSecret(token)}
	if got != want {
		t.Errorf("got the credential of %s, want %s", got.AccessKeyID, id)
	}
}

func TestEnvironment(t *testing.T) {
	bare(t)
	s := rpc.Environment()
	for _, half := range [][2]string{{"", ""}, {"k", ""}, {"", "Real"}} {
		setKey(t, half[0], half[1], "")
		if _, err := s.Credential(t.Context()); !errors.Is(err, iot.Denied) || !strings.Contains(err.Error(), envID) {
			t.Errorf("got %v, want denied with the variable's name", err)
		} else {
			expectNoSecret(t, err.Error())
		}
	}
	setKey(t, "k1", "s1", "")
	expectCredential(t, s, "k1", "s1", "")
	setKey(t, "k2", "s2", "t2")
	expectCredential(t, s, "k2", "s2", "t2")
}

// A rotated credential signs the next call of the same caller.
func TestRotatedCredentialsArePickedUp(t *testing.T) {
	now := rpc.Credential{AccessKeyID: "k1", AccessKeySecret: iot.NewSecret("s1")}
	var seen []string
	c := open(t, rpc.Config{
		Credentials: rpc.SourceFunc(func(context.Context) (rpc.Credential, error) { return now, nil }),
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			q := r.URL.Query()
			seen = append(seen, q.Get("AccessKeyId")+" "+q.Get("SecurityToken"))
			return answering(200, fine)(r)
		}),
	})
	for range 2 {
		if err := c.Do(t.Context(), reading, nil); err != nil {
			t.Fatal(err)
		}
		now = rpc.Credential{
			AccessKeyID: "k2", AccessKeySecret: iot.NewSecret("s2"), SecurityToken: iot.NewSecret("t2"), Expires: time.Now().Add(time.Hour),
		}
	}
	if got := strings.Join(seen, ", "); got != "k1 , k2 t2" {
		t.Errorf("signed by %s, want k1 and then k2 with its token", got)
	}
}

func TestCredentialsThatCannotSign(t *testing.T) {
	canceled := errors.New("canceled Real")
	tests := map[string]struct {
		give rpc.Credential
		err  error
		says string
	}{
		"none":          {rpc.Credential{}, nil, "no access key ID or no secret"},
		"no secret":     {rpc.Credential{AccessKeyID: keyID}, nil, "no access key ID or no secret"},
		"no ID":         {rpc.Credential{AccessKeySecret: iot.NewSecret(keySecret)}, nil, "no access key ID or no secret"},
		"expired":       {rpc.Credential{AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret), Expires: time.Now()}, nil, "expired"},
		"a denied one":  {rpc.Credential{}, &iot.Error{Kind: iot.Denied, Message: "set the key"}, "no credential: set the key"},
		"a broken pipe": {credential, io.ErrClosedPipe, "no credential"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := open(t, rpc.Config{
				Credentials: rpc.SourceFunc(func(context.Context) (rpc.Credential, error) { return test.give, test.err }),
				Transport: transport(func(*http.Request) (*http.Response, error) {
					t.Error("a request was sent")
					return nil, canceled
				}),
			})
			err := c.Do(t.Context(), writing, nil)
			expectError(t, err, writing.API, iot.Denied)
			if !strings.Contains(err.Error(), test.says) || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// A source that waits ends with the call's context.
func TestWaitingForACredentialObeysTheContext(t *testing.T) {
	c := open(t, rpc.Config{
		Transport: answering(200, fine),
		Credentials: rpc.SourceFunc(func(ctx context.Context) (rpc.Credential, error) {
			<-ctx.Done()
			return rpc.Credential{}, errors.New("gave up")
		}),
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := c.Do(ctx, writing, nil)
	if expectError(t, err, writing.API, iot.Transient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// The chain is asked again after five minutes; while it gives nothing, the credential before is used.
func TestProviderChainPicksUpRotatedCredentials(t *testing.T) {
	bare(t)
	synctest.Test(t, func(t *testing.T) {
		s := rpc.ProviderChain()
		if _, err := s.Credential(t.Context()); !errors.Is(err, iot.Denied) {
			t.Errorf("got %v, want denied", err)
		}
		setKey(t, "k1", "s1", "t1")
		expectCredential(t, s, "k1", "s1", "t1")
		setKey(t, "k2", "s2", "")
		time.Sleep(5*time.Minute - time.Nanosecond)
		expectCredential(t, s, "k1", "s1", "t1")
		time.Sleep(time.Nanosecond)
		expectCredential(t, s, "k2", "s2", "")
		setKey(t, "", "", "")
		time.Sleep(5 * time.Minute)
		expectCredential(t, s, "k2", "s2", "")
		setKey(t, "k3", "s3", "")
		expectCredential(t, s, "k2", "s2", "")
		time.Sleep(30 * time.Second)
		expectCredential(t, s, "k3", "s3", "")
	})
}

// writeProfile writes the profiles of the vendor's command line.
func writeProfile(t *testing.T, home, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(home, ".aliyun"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aliyun", "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestProviderChainReadsFiles(t *testing.T) {
	home := bare(t)
	writeProfile(t, home, `{"current":"c","profiles":[{"name":"c","mode":"AK","access_key_id":"k1","access_key_secret":"Real" broken`)
	_, err := rpc.ProviderChain().Credential(t.Context())
	if !errors.Is(err, iot.Denied) {
		t.Fatalf("got %v, want denied", err)
	}
	expectNoSecret(t, err.Error()) // the vendor quotes the whole file
	writeProfile(t, home, `{"current":"c","profiles":[{"name":"c","mode":"StsToken","access_key_id":"k1","access_key_secret":"s1","sts_token":"t1"}]}`)
	expectCredential(t, rpc.ProviderChain(), "k1", "s1", "t1")
}

// However many callers wait, the chain is asked once, and each of them can give up.
func TestWaitingForTheChain(t *testing.T) {
	bare(t)
	var asked atomic.Int32
	came, release := make(chan struct{}, 8), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		came <- struct{}{}
		<-release
		_, _ = io.WriteString(w, `{"AccessKeyId":"k1","AccessKeySecret":"s1","SecurityToken":"t1","Expiration":"2099-01-01T00:00:00Z","Code":"Success"}`)
	}))
	defer server.Close()
	t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", server.URL)
	s := rpc.ProviderChain()
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() { expectCredential(t, s, "k1", "s1", "t1") })
	}
	<-came
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Credential(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	close(release)
	waiting.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the chain was asked %d times, want once", n)
	}
}

// The vendor's providers take what a server answers by type assertions: this answer makes one panic.
func TestAnswersThatBreakTheVendor(t *testing.T) {
	home := bare(t)
	asked := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Host
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"RequestId":7,"Code":["Real"]}`)
	}))
	defer server.Close()
	vendors := http.DefaultTransport.(*http.Transport) // which the vendor copies
	dial := vendors.DialTLSContext
	defer func() { vendors.DialTLSContext = dial }()
	vendors.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	writeProfile(t, home, `{"current":"c","profiles":[{"name":"c","mode":"RamRoleArn","access_key_id":"k1","access_key_secret":"Real",
		"ram_role_arn":"acs:ram::1:role/r","ram_session_name":"s","expired_seconds":900}]}`)
	_, err := rpc.ProviderChain().Credential(t.Context())
	if !errors.Is(err, iot.Denied) {
		t.Fatalf("got %v, want denied", err)
	}
	expectNoSecret(t, err.Error())
	if host := <-asked; host != "sts.aliyuncs.com" {
		t.Errorf("the vendor asked %s", host)
	}
}
