package aliyun

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// Endpoints are the URLs of the platform: a scheme, a host and a port, without path. A port that is left out is the
// protocol's default: 443 for https, 5671 for amqps, 1883 for tls. Schemes without TLS need [Config.PlainText].
type Endpoints struct {
	// OpenAPI is https://iot.${region}.aliyuncs.com by default.
	OpenAPI string
	// Distribution is where the APIs of device distribution are: those of Shanghai for every region, by default. If
	// OpenAPI is given and this is not, it is OpenAPI, so that what is meant for one server goes to no other.
	Distribution string
	// SourceAMQP is amqps://${uid}.iot-amqp.${region}.aliyuncs.com:5671 by default.
	SourceAMQP string
	// TargetAMQP is amqps://${instance}.amqp.iothub.aliyuncs.com:5671 by default. That form is seen in the field and not
	// documented: the console tells the instance's own under View Development Configuration.
	TargetAMQP string
	// SourceMQTT is the public instance's domain, which serves a device wherever it lives:
	// tls://{productKey}.iot-as-mqtt.${region}.aliyuncs.com:1883 by default. {productKey} stands for
	// the key of the device's product, and may be left out of a domain that serves all products.
	SourceMQTT string
}

// DefaultEndpoints returns where the platform says that an account's instances are reached, by the ID of the region, the
// account's UID and the ID of the target.
func DefaultEndpoints(region, account, target string) Endpoints {
	return Endpoints{
		OpenAPI:      "https://iot." + region + ".aliyuncs.com",
		Distribution: "https://iot.cn-shanghai.aliyuncs.com",
		SourceAMQP:   "amqps://" + account + ".iot-amqp." + region + ".aliyuncs.com:5671",
		TargetAMQP:   "amqps://" + target + ".amqp.iothub.aliyuncs.com:5671",
		SourceMQTT:   "tls://" + keyPlace + ".iot-as-mqtt." + region + ".aliyuncs.com:1883",
	}
}

// keyPlace stands for a product's key in an MQTT endpoint.
const keyPlace = "{productKey}"

// ofProduct returns an MQTT endpoint for the devices of a product.
func ofProduct(endpoint, productKey string) string {
	return strings.ReplaceAll(endpoint, keyPlace, productKey)
}

// whole reports whether nothing has to be derived.
func (e Endpoints) whole() bool {
	return e.OpenAPI != "" && e.SourceAMQP != "" && e.TargetAMQP != "" && e.SourceMQTT != ""
}

// complete returns the endpoints with the defaults of c in place of what is empty, and with their ports.
func (e Endpoints) complete(c Config) (Endpoints, error) {
	standard := DefaultEndpoints(c.Region, c.Account, c.Target)
	if e.Distribution == "" {
		e.Distribution = e.OpenAPI
	}
	for _, part := range []struct {
		name        string
		url         *string
		standard    string
		safe, plain string
		port        string
	}{
		{"OpenAPI", &e.OpenAPI, standard.OpenAPI, "https", "http", ""},
		{"Distribution", &e.Distribution, standard.Distribution, "https", "http", ""},
		{"SourceAMQP", &e.SourceAMQP, standard.SourceAMQP, "amqps", "amqp", "5671"},
		{"TargetAMQP", &e.TargetAMQP, standard.TargetAMQP, "amqps", "amqp", "5671"},
		{"SourceMQTT", &e.SourceMQTT, standard.SourceMQTT, "tls", "tcp", "1883"},
	} {
		if *part.url == "" {
			*part.url = part.standard
		}
		full, err := endpoint(*part.url, part.safe, part.plain, part.port, c.PlainText)
		if err != nil {
			return Endpoints{}, fmt.Errorf("Config.Endpoints.%s: %w", part.name, err)
		}
		*part.url = full
	}
	return e, nil
}

// endpoint checks a URL and returns it with its port.
func endpoint(text, safe, plain, port string, plainText bool) (string, error) {
	u, err := url.Parse(strings.ReplaceAll(text, keyPlace, "productKey"))
	switch {
	case err != nil:
		return "", invalid("it is not a URL such as %s://host", safe) // the error of url.Parse would show a password in it
	case u.Scheme == plain && !plainText:
		return "", invalid("%s is not protected: use %s, or set Config.PlainText in a test", plain, safe)
	case u.Scheme != safe && u.Scheme != plain:
		return "", invalid("its scheme is %q: %s is wanted", u.Scheme, safe)
	case u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "", invalid("more or less than %s://host:port", safe)
	}
	text = strings.TrimSuffix(text, "/")
	if u.Port() == "" && port != "" {
		text = strings.TrimSuffix(text, ":") + ":" + port
	}
	return text, nil
}

// publicInstance returns the ID that a region's legacy public instance has in device distribution, or "" if none is
// documented. The six regions are those that have one.
func publicInstance(region string) string {
	number := map[string]string{
		"cn-shanghai": "200", "ap-northeast-1": "300", "ap-southeast-1": "400",
		"us-west-1": "500", "us-east-1": "600", "eu-central-1": "700",
	}[region]
	if number == "" {
		return ""
	}
	return "iotx-oxssharez" + number
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// label reports whether s can be a part of a host name, and so cannot lead to another host.
func label(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	}) < 0
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf(format, args...)}
}
