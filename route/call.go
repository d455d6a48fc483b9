package route

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A call is a signed request of the platform's RPC style that can go to either instance.
type call struct {
	request *http.Request
	method  string
	body    []byte // nil if it has none
	query   url.Values
	form    url.Values // of the body
	action  string
	product string         // may be empty
	devices []iot.DeviceID // those that it names
}

const apiVersion = "2018-01-20"

// without are the APIs that take no IotInstanceId. The account's own endpoint has no instance for them.
var without = []string{
	"BatchGrayMigrationDevice",
	"CreateDeviceDistributeJob", "CreateProductDistributeJob", "DeleteDeviceDistributeJob", "ListDeviceDistributeJob",
	"ListDistributedDevice", "ListDistributedProduct", "QueryDeviceDistributeDetail", "QueryDeviceDistributeJob",
	"QueryDeviceProvisioning",
	"GetSpeechVoice", "OpenIotService", "QueryShareProductNameByProductKey", "RecognizeCarNum", "RecognizePictureGeneral",
}

// readCall reads a request; nil if it is none of the platform's RPC style, whose body then is not read.
func readCall(r *http.Request) (*call, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	method := cmp.Or(r.Method, http.MethodGet)
	if err != nil || method != http.MethodGet && method != http.MethodPost {
		return nil, nil
	}
	c := &call{request: r, method: method, query: query, form: url.Values{}}
	if r.Body != nil && r.Body != http.NoBody {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != formType {
			return nil, nil
		}
		c.body, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, &iot.Error{Kind: iot.Transient, Message: "not sent: the request's body cannot be read", Err: err}
		}
		if c.form, err = url.ParseQuery(string(c.body)); err != nil {
			return &call{request: r, method: method, body: c.body}, nil // the platform would not understand it either
		}
	}
	c.action = c.get("Action")
	c.product, c.devices = c.names()
	return c, nil
}

const formType = "application/x-www-form-urlencoded"

// movable reports whether the call can go to either instance.
func (c *call) movable() bool {
	return c.get("Version") == apiVersion && c.get("Signature") != "" && c.get("IotInstanceId") == "" &&
		!slices.Contains(without, c.action) && (c.product != "" || len(c.devices) > 0)
}

func (c *call) get(name string) string {
	if v := c.query.Get(name); v != "" {
		return v
	}
	return c.form.Get(name)
}

// names returns the product and the devices that a call is about.
func (c *call) names() (product string, devices []iot.DeviceID) {
	product = c.get("ProductKey")
	add := func(key, name string) {
		if id := (iot.DeviceID{ProductKey: key, DeviceName: name}); id.Check() == nil {
			devices = append(devices, id)
		}
	}
	add(product, c.get("DeviceName"))
	for i := 1; ; i++ {
		name := c.get("DeviceName." + strconv.Itoa(i))
		if name == "" {
			break
		}
		add(product, name)
	}
	if id, ok := (iot.Message{Topic: c.get("TopicFullName")}).Device(); ok && len(devices) == 0 && id.ProductKey == product {
		devices = append(devices, id)
	}
	if len(devices) == 0 {
		add(c.get("GwProductKey"), c.get("GwDeviceName"))
	}
	return product, devices
}

// unchanged returns the request as the SDK has made it.
func (c *call) unchanged() *http.Request {
	if c.body == nil && c.get("Signature") == "" { // of another service
		return c.request
	}
	r := c.request.Clone(c.request.Context())
	c.carry(r, c.body)
	return r
}

// carry gives a request its body. A GET gets one that is empty: without any, net/http sends it again when a connection breaks.
func (c *call) carry(r *http.Request, text []byte) {
	if c.body == nil {
		if c.method == http.MethodGet {
			r.Body, r.GetBody = io.NopCloser(strings.NewReader("")), nil
		}
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.ContentLength = int64(len(text))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
}

// signed returns the call for an instance, with a new signature. Again gives it a nonce and a time of its own, as the
// platform takes no nonce twice.
func (c *call) signed(instance string, secret iot.Secret, again bool) (*http.Request, error) {
	if method := c.get("SignatureMethod"); method != "HMAC-SHA1" || c.get("SignatureType") != "" {
		return nil, &iot.Error{Kind: iot.Invalid, Op: c.action, Message: "not sent: only requests that are signed by HMAC-SHA1 can be signed again"}
	}
	query, form := clone(c.query), clone(c.form)
	place := query // of what is changed: where the signature was
	if form.Has("Signature") {
		place = form
	}
	set := func(name, value string) {
		query.Del(name)
		form.Del(name)
		place.Set(name, value)
	}
	place.Del("Signature")
	if instance != "" {
		set("IotInstanceId", instance)
	}
	if again {
		set("SignatureNonce", rand.Text())
		set("Timestamp", time.Now().UTC().Format("2006-01-02T15:04:05Z"))
	}
	all := clone(query)
	for name, values := range form {
		all[name] = append(all[name], values...)
	}
	set("Signature", signature(c.method, all, secret))
	r := c.request.Clone(c.request.Context())
	r.URL.RawQuery = query.Encode()
	c.carry(r, []byte(form.Encode()))
	return r, nil
}

// signature signs parameters in the platform's RPC style.
func signature(method string, params url.Values, secret iot.Secret) string {
	text := method + "&%2F&" + escape(strings.ReplaceAll(params.Encode(), "+", "%20"))
	mac := hmac.New(sha1.New, []byte(secret.Reveal()+"&"))
	_, _ = mac.Write([]byte(text)) // a hash takes everything
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func clone(v url.Values) url.Values {
	out := make(url.Values, len(v)+1)
	for name, values := range v {
		out[name] = slices.Clone(values)
	}
	return out
}
