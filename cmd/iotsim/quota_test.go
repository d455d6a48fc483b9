package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Calls that are signed with the fleet file's key are answered, and refused for the quota only if it counts.
func TestQuota(t *testing.T) {
	for mode, want := range map[string]bool{"documented": true, "none": false} {
		t.Run(mode, func(t *testing.T) {
			p := startProcess(t, "-fleet", "s1-direct.json", "-quota", mode)
			if p.endpoints["accessKeyId"] != "testAccessKeyId" {
				t.Errorf("the key is %s", p.endpoints["accessKeyId"])
			}
			refused := false
			for range 50 { // far more than 5 per second
				got := p.call("QueryConsumerGroupList")
				switch {
				case strings.Contains(got, `"Success":true`):
				case strings.Contains(got, "Throttling.User"):
					refused = true
				default:
					t.Fatal(got)
				}
			}
			if refused != want {
				t.Errorf("calls were refused: %v, want %v", refused, want)
			}
			p.end(syscall.SIGTERM)
		})
	}
}

// call signs a call and returns its answer.
func (p *process) call(action string) string {
	p.t.Helper()
	values := url.Values{
		"Action": {action}, "Version": {"2018-01-20"}, "Format": {"JSON"}, "AccessKeyId": {p.endpoints["accessKeyId"]},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "CurrentPage": {"1"}, "PageSize": {"10"},
		"SignatureNonce": {time.Now().String()}, "Timestamp": {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
	}
	query := strings.ReplaceAll(values.Encode(), "+", "%20")
	mac := hmac.New(sha1.New, []byte(p.endpoints["accessKeySecret"]+"&"))
	mac.Write([]byte("GET&%2F&" + url.QueryEscape(query)))
	values.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.endpoints["openapi"]+"/?"+values.Encode(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return fetch(p.t, http.DefaultTransport, request)
}
