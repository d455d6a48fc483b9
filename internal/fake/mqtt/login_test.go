package mqtt

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/iot"
)

const username = "meter-0001&a1Meter0001"

var (
	secret = iot.NewSecret("Not-A-Real-Secret-0001")
	device = iot.DeviceID{ProductKey: "a1Meter0001", DeviceName: "meter-0001"}
)

// The signatures were made by another implementation of HMAC.
func TestSignatures(t *testing.T) {
	for _, x := range []struct{ name, clientID, content, password string }{
		{
			"md5 is the default", "12345|securemode=3,timestamp=789|",
			"clientId12345deviceNamemeter-0001productKeya1Meter0001timestamp789", "7e3803e79118d668584eed4aa463d159",
		},
		{
			"md5", "12345|securemode=3,signmethod=hmacmd5|",
			"clientId12345deviceNamemeter-0001productKeya1Meter0001", "a7efc5840c21378edcccb7d42b558929",
		},
		{
			"sha1, in upper case", "12345|timestamp=789,securemode=2,signmethod=hmacsha1|",
			"clientId12345deviceNamemeter-0001productKeya1Meter0001timestamp789", "3ED73BC7E88502A06A8852173FAC7D5239FDADA3",
		},
		{
			"sha256, as vendors' SDKs send it", "12345|timestamp=789,_ss=1,_v=sdk-c-4.1.0,securemode=2,signmethod=hmacsha256,ext=3,|",
			"clientId12345deviceNamemeter-0001productKeya1Meter0001timestamp789",
			"569f7c4f8a1c0825916d48e1b62e9868b028931ff847c4615f53120a864cf798",
		},
		{
			"registration", "12345|securemode=2,authType=register,random=567345,signmethod=hmacsha256|",
			"deviceNamemeter-0001productKeya1Meter0001random567345",
			"ec83759e5827a016233ab344d597aa136b84463fe3050f92a1c306fb3537cad8",
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			l, err := parseLogin(x.clientID, username)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.content(); got != x.content {
				t.Errorf("signed text %q, want %q", got, x.content)
			}
			if !l.signed(secret, []byte(x.password)) {
				t.Error("the signature is refused")
			}
			for _, wrong := range []string{"", "x", x.password[2:], x.password + "00", strings.Repeat("0", len(x.password))} {
				if l.signed(secret, []byte(wrong)) {
					t.Errorf("the signature %q is accepted", wrong)
				}
			}
			if l.signed(iot.NewSecret("another"), []byte(x.password)) || l.signed(iot.Secret{}, []byte(x.password)) {
				t.Error("the signature of another secret is accepted")
			}
		})
	}
}

// A device without a secret cannot sign in, not even with the signature of an empty one.
func TestNoSecret(t *testing.T) {
	l, err := parseLogin("12345|securemode=3|", username)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(md5.New, nil)
	mac.Write([]byte(l.content()))
	if l.signed(iot.Secret{}, hex.AppendEncode(nil, mac.Sum(nil))) {
		t.Error("accepted")
	}
}

func TestLoginRefusals(t *testing.T) {
	const good = "12345|securemode=2,signmethod=hmacsha1|"
	for _, x := range []struct{ name, clientID, username, want string }{
		{"no username", good, "", "username"},
		{"no product", good, "meter-0001", "username"},
		{"wrong product", good, "meter-0001&short", "username"},
		{"the wrong way round", good, "a1Meter0001&meter-0001", "username"},
		{"a device name with a slash", good, "a/../b&a1Meter0001", "username"},
		{"no extensions", "12345", username, "form"},
		{"not closed", "12345|securemode=2", username, "form"},
		{"closed twice", "12345|securemode=2||", username, "form"},
		{"nothing between", "12345||", username, "securemode"},
		{"one bar", "12345|", username, "form"},
		{"no client", "|securemode=2|", username, "client's part"},
		{"client too long", strings.Repeat("x", 65) + "|securemode=2|", username, "client's part"},
		{"no pair", "12345|securemode=2,x|", username, "key=value"},
		{"no key", "12345|securemode=2,=x|", username, "key=value"},
		{"twice", "12345|securemode=2,timestamp=1,timestamp=2|", username, "twice"},
		{"no securemode", "12345|signmethod=hmacsha1|", username, "securemode"},
		{"another securemode", "12345|securemode=-2|", username, "securemode"},
		{"another signmethod", "12345|securemode=2,signmethod=hmacsha512|", username, "signmethod"},
		{"an empty signmethod", "12345|securemode=2,signmethod=|", username, "signmethod"},
		{"another authType", "12345|securemode=2,authType=id2|", username, "authType"},
		{"registration without random", "12345|securemode=2,authType=register|", username, "random"},
		{"registration over TCP", "12345|securemode=3,authType=register,random=1|", username, "TLS"},
		{"registration-free", "12345|securemode=-2,authType=regnwl,random=1,instanceId=x|", username, "regnwl"},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, err := parseLogin(x.clientID, x.username)
			r, ok := errors.AsType[*refusal](err)
			if !ok || r.code != refusedParameter || !strings.Contains(r.reason, x.want) {
				t.Errorf("got %v, want a refusal with code 2 about %s", err, x.want)
			}
		})
	}
}

func TestLongestClientID(t *testing.T) {
	if _, err := parseLogin(strings.Repeat("x", 64)+"|securemode=2|", username); err != nil {
		t.Error(err)
	}
}

// FuzzLogin reads any clientId and username. What is accepted has all that the rest relies on, and its signature depends
// on the device.
func FuzzLogin(f *testing.F) {
	f.Add("12345|securemode=2,signmethod=hmacsha1,timestamp=789|", username)
	f.Add("12345|securemode=2,authType=register,random=x,signmethod=hmacsha1|", username)
	f.Add("a1Meter0001.meter-0001|timestamp=1,_ss=1,_v=sdk-c-4.1.0,securemode=2,signmethod=hmacsha256,ext=3,|", username)
	f.Add("||", "&")
	f.Add("x|securemode=2,=,|", "a:@.&a1Meter0001")
	f.Fuzz(func(t *testing.T, clientID, username string) {
		l, err := parseLogin(clientID, username)
		if err != nil {
			if _, ok := errors.AsType[*refusal](err); !ok {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		if err := l.device.Check(); err != nil {
			t.Error(err)
		}
		if n := len(l.client); n == 0 || n > 64 || strings.Contains(l.client, "|") {
			t.Errorf("client %q", l.client)
		}
		if !strings.HasPrefix(clientID, l.client+"|") {
			t.Errorf("client %q of %q", l.client, clientID)
		}
		if got := l.device.DeviceName + "&" + l.device.ProductKey; got != username {
			t.Errorf("device %s of %q", l.device, username)
		}
		if text := l.content(); !strings.Contains(text, "deviceName"+l.device.DeviceName+"productKey"+l.device.ProductKey) {
			t.Errorf("the signed text %q does not name the device", text)
		}
		if l.signed(secret, nil) || l.signed(secret, []byte(clientID)) {
			t.Error("a text that nobody signed is accepted")
		}
	})
}
