package subscribe

import (
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// TestSign compares with signatures that openssl made: printf text | openssl dgst -sha256 -hmac secret -binary | base64.
func TestSign(t *testing.T) {
	now := time.UnixMilli(1573489088171)
	key := Credential{AccessKeyID: "LTAI-test", AccessKeySecret: iot.NewSecret("secret")}
	temporary := key
	temporary.SecurityToken = iot.NewSecret("CAIS+/x==")
	tests := map[string]struct {
		credential Credential
		instance   string
		want       login
	}{
		"public instance": {key, "", login{
			"me|authMode=aksign,signMethod=hmacsha256,consumerGroupId=DEFAULT_GROUP,authId=LTAI-test,timestamp=1573489088171|",
			"f1V7+IB5UsraobQGWCJnTIvFZr/VK6Yjz1z0g4a6jFw=",
		}},
		"enterprise instance": {key, "iot-060a", login{
			"me|iotInstanceId=iot-060a,authMode=aksign,signMethod=hmacsha256,consumerGroupId=DEFAULT_GROUP,authId=LTAI-test,timestamp=1573489088171|",
			"f1V7+IB5UsraobQGWCJnTIvFZr/VK6Yjz1z0g4a6jFw=",
		}},
		"temporary credential": {temporary, "", login{
			"me|authMode=ststoken,securityToken=CAIS+/x==,signMethod=hmacsha256,consumerGroupId=DEFAULT_GROUP,authId=LTAI-test,timestamp=1573489088171|",
			"bnxVy/EhHFJvcA17Za3HQqkZBDl5HLHkwT64/Fc8ujI=",
		}},
	}
	for name, test := range tests {
		if got := sign(test.credential, "me", test.instance, "DEFAULT_GROUP", now); got != test.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, test.want)
		}
	}
}

func TestCredentialThatCannotSign(t *testing.T) {
	now := time.UnixMilli(1573489088171)
	good := Credential{AccessKeyID: "id", AccessKeySecret: iot.NewSecret("secret"), SecurityToken: iot.NewSecret("a+/="), Expires: now.Add(1)}
	if err := good.check(now); err != nil {
		t.Errorf("a good one: %v", err)
	}
	for name, change := range map[string]func(*Credential){
		"no ID":          func(c *Credential) { c.AccessKeyID = "" },
		"no secret":      func(c *Credential) { c.AccessKeySecret = iot.Secret{} },
		"hostile ID":     func(c *Credential) { c.AccessKeyID = "id,consumerGroupId=other" },
		"hostile token":  func(c *Credential) { c.SecurityToken = iot.NewSecret("x,authId=other") },
		"expires by now": func(c *Credential) { c.Expires = now },
	} {
		c := good
		change(&c)
		if err := c.check(now); iot.KindOf(err) != iot.Denied {
			t.Errorf("%s: %v, want denied", name, err)
		}
	}
}

// What servers say during a login, put together by hand from the standard's tables.
var (
	saslHeader = []byte{'A', 'M', 'Q', 'P', 3, 1, 0, 0}
	mechanisms = []byte{0, 0, 0, 21, 2, 1, 0, 0, 0x00, 0x53, 0x40, 0xc0, 8, 1, 0xa3, 5, 'P', 'L', 'A', 'I', 'N'}
	shortList  = []byte{0, 0, 0, 16, 2, 1, 0, 0, 0x00, 0x53, 0x44, 0xc0, 3, 1, 0x50, 1}
	longList   = []byte{0, 0, 0, 29, 2, 1, 0, 0, 0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x44, 0xd0, 0, 0, 0, 6, 0, 0, 0, 1, 0x50, 3}
	extended   = []byte{0, 0, 0, 20, 3, 1, 0, 0, 9, 9, 9, 9, 0x00, 0x53, 0x44, 0xc0, 3, 1, 0x50, 4}
	openFrame  = []byte{0, 0, 0, 16, 2, 0, 0, 0, 0x00, 0x53, 0x44, 0xc0, 3, 1, 0x50, 1} // no SASL frame, whatever it holds
)

func TestOutcome(t *testing.T) {
	tests := map[string]struct {
		heard   []byte
		code    byte
		ok      bool
		refused bool
	}{
		"nothing":             {nil, 0, false, false},
		"no AMQP":             {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), 0, false, false},
		"only the mechanisms": {slices.Concat(saslHeader, mechanisms), 0, false, false},
		"wrong credentials":   {slices.Concat(saslHeader, mechanisms, shortList), 1, true, true},
		"permanent":           {slices.Concat(saslHeader, mechanisms, longList), 3, true, true},
		"temporary":           {slices.Concat(saslHeader, mechanisms, extended), 4, true, false},
		"cut":                 {slices.Concat(saslHeader, mechanisms, shortList[:15]), 0, false, false},
		"not SASL":            {slices.Concat(saslHeader, openFrame), 0, false, false},
		"frame of no length":  {slices.Concat(saslHeader, make([]byte, 64)), 0, false, false},
	}
	for name, test := range tests {
		code, ok := outcome(test.heard)
		if code != test.code || ok != test.ok || refused(test.heard) != test.refused {
			t.Errorf("%s: code %d, %t, refused %t; want %d, %t, %t", name, code, ok, refused(test.heard), test.code, test.ok, test.refused)
		}
	}
}

func FuzzOutcome(f *testing.F) {
	f.Add(slices.Concat(saslHeader, mechanisms, shortList))
	f.Add(slices.Concat(saslHeader, mechanisms, longList))
	f.Add(slices.Concat(saslHeader, extended, openFrame))
	f.Fuzz(func(t *testing.T, heard []byte) {
		code, ok := outcome(heard)
		if !ok && code != 0 {
			t.Errorf("code %d of no outcome", code)
		}
		if again, still := outcome(append(slices.Clone(heard), "more"...)); ok && (again != code || !still) {
			t.Errorf("what follows changes the outcome from %d to %d, %t", code, again, still)
		}
	})
}
