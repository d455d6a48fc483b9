package fake

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// An identity is what a gateway gives of a sub-device: its names, and a signature that proves its secret.
type identity map[string]string

// readIdentity reads a JSON object of texts and numbers.
func readIdentity(raw json.RawMessage) (identity, bool) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return nil, false
	}
	x := identity{}
	for name, value := range fields {
		x[name] = scalar(value)
	}
	return x, x["productKey"] != "" && x["deviceName"] != ""
}

// readIdentities reads a list of them, as it is or as the deviceList of an object; false if there is none or one of them
// cannot be read.
func readIdentities(raw json.RawMessage) ([]identity, bool) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		var object struct {
			List []json.RawMessage `json:"deviceList"`
		}
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		list = object.List
	}
	var all []identity
	for _, item := range list {
		x, ok := readIdentity(item)
		if !ok {
			return nil, false
		}
		all = append(all, x)
	}
	return all, len(all) > 0
}

func (x identity) id() iot.DeviceID {
	return iot.DeviceID{ProductKey: x["productKey"], DeviceName: x["deviceName"]}
}

// field returns a field whose name the platform's documents write in two ways: signmethod and signMethod.
func (x identity) field(name string) string {
	for key, value := range x {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// content is what is signed: names and values without separators, in the order of the names.
func (x identity) content() string {
	var names []string
	for name := range x {
		switch strings.ToLower(name) {
		case "sign", "signmethod", "cleansession":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + x[name])
	}
	return b.String()
}

// signedBy reports whether the signature is that of a secret.
func (x identity) signedBy(secret iot.Secret) bool {
	method := SignMethod(x.field("signMethod"))
	sign, err := hex.DecodeString(x["sign"])
	if method == nil || err != nil {
		return false
	}
	mac := hmac.New(method, []byte(secret.Reveal()))
	mac.Write([]byte(x.content()))
	return hmac.Equal(mac.Sum(nil), sign)
}

// SignMethod returns the hash of a sign method, in whatever case it is written: hmacmd5, hmacsha1 or hmacsha256. It is nil for
// any other.
func SignMethod(name string) func() hash.Hash {
	switch strings.ToLower(name) {
	case "hmacmd5":
		return md5.New
	case "hmacsha1":
		return sha1.New
	case "hmacsha256":
		return sha256.New
	}
	return nil
}
