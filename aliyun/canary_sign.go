package aliyun

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/iotferry/iotferry/iot"
)

var signHashes = map[SignMethod]func() hash.Hash{SignMD5: md5.New, SignSHA1: sha1.New, SignSHA256: sha256.New}

// sign returns the platform's signature of fields: of all keys, sorted, each followed by its value.
func (m SignMethod) sign(secret iot.Secret, fields map[string]string) string {
	mac := hmac.New(signHashes[m], []byte(secret.Reveal()))
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		mac.Write([]byte(key + fields[key]))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// A canaryLogin is what a CONNECT packet carries.
type canaryLogin struct {
	step               string // what it is for
	clientID, username string
	password           iot.Secret
}

// clientPart returns the caller's part of a device's clientId: at most 64 characters are allowed, and this has 44.
func clientPart(id iot.DeviceID) string { return id.ProductKey + "." + id.DeviceName }

func secureMode(tls bool) string {
	if tls {
		return "2"
	}
	return "3"
}

// login signs a device in with its own certificate.
func (m SignMethod) login(c iot.Credential, tls bool) canaryLogin {
	fields := map[string]string{
		"clientId": clientPart(c.ID), "deviceName": c.ID.DeviceName, "productKey": c.ID.ProductKey,
	}
	return canaryLogin{
		step:     "sign in",
		clientID: clientPart(c.ID) + "|securemode=" + secureMode(tls) + ",signmethod=" + string(m) + "|",
		username: c.ID.DeviceName + "&" + c.ID.ProductKey,
		password: iot.NewSecret(m.sign(c.Secret, fields)),
	}
}

// registration asks for a device's certificate with that of its product.
func (m SignMethod) registration(id iot.DeviceID, product iot.Secret) canaryLogin {
	random := rand.Text()
	fields := map[string]string{"deviceName": id.DeviceName, "productKey": id.ProductKey, "random": random}
	return canaryLogin{
		step:     "register, which a device can until it has connected once",
		clientID: clientPart(id) + "|securemode=2,authType=register,random=" + random + ",signmethod=" + string(m) + "|",
		username: id.DeviceName + "&" + id.ProductKey,
		password: iot.NewSecret(m.sign(product, fields)),
	}
}

// subLogin returns the parameters that log a sub-device in.
func (m SignMethod) subLogin(c iot.Credential, now time.Time) map[string]string {
	fields := map[string]string{
		"clientId": clientPart(c.ID), "deviceName": c.ID.DeviceName, "productKey": c.ID.ProductKey,
		"timestamp": strconv.FormatInt(now.UnixMilli(), 10),
	}
	sign := m.sign(c.Secret, fields)
	fields["sign"], fields["signMethod"], fields["cleanSession"] = sign, string(m), "true"
	return fields
}
