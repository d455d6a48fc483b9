package openapi

import (
	"fmt"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// The vendor's documentation of RPC signatures works out this example.
func TestSignatureOfTheDocumentation(t *testing.T) {
	values := map[string]string{
		"AccessKeyId": "testid", "Action": "DescribeRegions", "Format": "XML", "SignatureMethod": "HMAC-SHA1",
		"SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "SignatureVersion": "1.0",
		"Timestamp": "2016-02-23T12:46:24Z", "Version": "2014-05-26", "Signature": "is not covered",
	}
	text := stringToSign("GET", values)
	want := "GET&%2F&AccessKeyId%3Dtestid%26Action%3DDescribeRegions%26Format%3DXML%26SignatureMethod%3DHMAC-SHA1" +
		"%26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf%26SignatureVersion%3D1.0" +
		"%26Timestamp%3D2016-02-23T12%253A46%253A24Z%26Version%3D2014-05-26"
	if text != want {
		t.Errorf("text to sign\n%s, want\n%s", text, want)
	}
	if got := sign(iot.NewSecret("testsecret"), text); got != "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" {
		t.Errorf("signature %s", got)
	}
}

func TestPercentEncoding(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "AZaz09-_.~": "AZaz09-_.~", " ": "%20", "+": "%2B", "*": "%2A", "/": "%2F", "%": "%25",
		"温": "%E6%B8%A9", "\x00\xff": "%00%FF", "a=b&c": "a%3Db%26c", ":@": "%3A%40",
	} {
		if got := percent(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// A nonce is refused for as long as its timestamp can be valid, and memory does not grow without end.
func TestNoncesAreForgottenOnlyWhenTheyAreStale(t *testing.T) {
	var n nonces
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	const step, steps = time.Minute, 500
	for i := range steps {
		at := now.Add(time.Duration(i) * step)
		if !n.add(fmt.Sprint(i), at) {
			t.Fatalf("nonce %d is refused at first sight", i)
		}
		for back := range min(i, int(2*maxSkew/step)) + 1 {
			if n.add(fmt.Sprint(i-back), at) {
				t.Fatalf("nonce %d is accepted again after %v", i-back, time.Duration(back)*step)
			}
		}
	}
	if kept := len(n.newer) + len(n.old); kept > 62 {
		t.Errorf("%d nonces are kept of one per minute", kept)
	}
	if !n.add("0", now.Add(1000*time.Hour)) || len(n.newer)+len(n.old) != 1 {
		t.Error("nothing is forgotten after a long pause")
	}
}
