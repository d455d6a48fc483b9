package mqtt

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// What securemode says about the connection.
const (
	overTLS = "2"
	overTCP = "3"
)

// What authType asks for.
const (
	register     = "register" // the secret of a device that was registered before
	registerFree = "regnwl"   // a token for a device that nobody registered
)

// maxClientID is how long the caller's part of a clientId may be.
const maxClientID = 64

// signMethods are the values of signmethod; the first is used when it is left out.
var signMethods = [...]struct {
	name string
	hash func() hash.Hash
}{
	{"hmacmd5", md5.New}, {"hmacsha1", sha1.New}, {"hmacsha256", sha256.New},
}

// A login is what a CONNECT packet says about who connects, before any of it is believed.
type login struct {
	client string // the caller's part of the clientId
	device iot.DeviceID
	params map[string]string // the extensions of the clientId
	hash   func() hash.Hash
}

// parseLogin reads a clientId of the form "client|key=value,key=value|" and a username of the form
// "deviceName&productKey". Keys that the platform does not document are skipped, and so are empty pairs:
// vendors' SDKs send both. Its errors are a *refusal.
func parseLogin(clientID, username string) (login, error) {
	name, key, _ := strings.Cut(username, "&")
	l := login{device: iot.DeviceID{ProductKey: key, DeviceName: name}}
	if err := l.device.Check(); err != nil {
		return login{}, badParameter("the username is not deviceName&productKey: " + err.Error())
	}
	client, rest, _ := strings.Cut(clientID, "|")
	list, closed := strings.CutSuffix(rest, "|")
	switch {
	case !closed || strings.Contains(list, "|"):
		return login{}, badParameter("the clientId is not of the form client|key=value,...|")
	case client == "" || len(client) > maxClientID:
		return login{}, badParameter("the client's part of the clientId is empty or longer than 64 characters")
	}
	l.client = client
	if err := l.readParams(list); err != nil {
		return login{}, err
	}
	return l, l.check()
}

func (l *login) readParams(list string) error {
	l.params = map[string]string{}
	for pair := range strings.SplitSeq(list, ",") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if _, twice := l.params[key]; !ok || key == "" || twice {
			return badParameter("the clientId has an extension that is no key=value, or stands twice")
		}
		l.params[key] = value
	}
	return nil
}

// check looks at the extensions that matter here.
func (l *login) check() error {
	method, given := l.params["signmethod"]
	for i, m := range signMethods {
		if m.name == method || !given && i == 0 {
			l.hash = m.hash
		}
	}
	mode := l.params["securemode"]
	switch {
	case l.hash == nil:
		return badParameter("signmethod is none of hmacmd5, hmacsha1, hmacsha256")
	case l.params["authType"] == registerFree:
		return badParameter("registration without pre-registration (regnwl) is not offered")
	case mode != overTLS && mode != overTCP:
		return badParameter("securemode is neither 2 (TLS) nor 3 (TCP)")
	case l.registers() && mode != overTLS:
		return badParameter("registration needs TLS: securemode=2")
	case l.registers() && l.params["random"] == "":
		return badParameter("registration needs random")
	case l.params["authType"] != "" && !l.registers():
		return badParameter("authType is unknown")
	}
	return nil
}

// registers reports whether the client wants the device's secret, not a session.
func (l *login) registers() bool { return l.params["authType"] == register }

// content is the text that the password signs: sorted keys and their values, without separators.
func (l *login) content() string {
	if l.registers() {
		return "deviceName" + l.device.DeviceName + "productKey" + l.device.ProductKey + "random" + l.params["random"]
	}
	text := "clientId" + l.client + "deviceName" + l.device.DeviceName + "productKey" + l.device.ProductKey
	if at, ok := l.params["timestamp"]; ok {
		text += "timestamp" + at
	}
	return text
}

// signed reports whether password is the signature of the login with a secret, in hexadecimal of either case.
func (l *login) signed(secret iot.Secret, password []byte) bool {
	got := make([]byte, hex.DecodedLen(len(password)))
	if _, err := hex.Decode(got, password); err != nil || secret == (iot.Secret{}) {
		return false
	}
	mac := hmac.New(l.hash, []byte(secret.Reveal()))
	mac.Write([]byte(l.content()))
	return hmac.Equal(got, mac.Sum(nil))
}
