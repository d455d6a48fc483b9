package rpc

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// DefaultTimeout bounds a call where nothing else is said. It is as long as the vendor SDK waits for an answer.
const DefaultTimeout = 10 * time.Second

// A Config says where and how a [Caller] calls.
type Config struct {
	// Endpoint is the URL of the OpenAPI gateway, such as https://iot.cn-shanghai.aliyuncs.com, without path and
	// query. A URL that begins with http:// needs PlainText.
	Endpoint string
	// Region is the platform's ID of the region, such as cn-shanghai. It is part of what is signed.
	Region string
	// Credentials sign the calls. They are asked before each of them.
	Credentials CredentialSource
	// PlainText allows an Endpoint that begins with http://. Whoever listens can then read signatures and answers: never
	// set it outside a test.
	PlainText bool
	// RootCAs verify the endpoint's certificate; nil is the system's set. They must be nil if Transport is given.
	RootCAs *x509.CertPool
	// Transport carries the requests. It must be safe for concurrent use, must obey the request's context while a body is
	// read as well, and must not repeat a request. Nil is a transport of the Caller's own: HTTP/1.1, TLS 1.2 or later,
	// certificates verified, proxies from the environment, connections kept. Of any other transport, a request counts as
	// sent unless [net/http/httptrace] is told that a connection is looked for and not that there is one: HTTP/2 tells
	// what was written too late to trust more.
	Transport http.RoundTripper
	// Timeout bounds a call whose [Call.Timeout] is zero. Zero is [DefaultTimeout].
	Timeout time.Duration
	// Pacer is asked before each request, and told when the platform throttles. Nil does not pace.
	Pacer iot.Pacer
	// Logger gets one debug record per call: the API, how long it took, the request's ID, and how it ended. Nil logs nothing.
	Logger *slog.Logger
}

// complete checks the configuration and fills in what is left open.
func (c Config) complete() (Config, *url.URL, error) {
	endpoint, err := c.endpoint()
	switch {
	case err != nil:
		return c, nil, err
	case c.Credentials == nil:
		return c, nil, invalid("set Config.Credentials")
	case c.Timeout < 0:
		return c, nil, invalid("Config.Timeout is %v: zero or more is wanted", c.Timeout)
	case c.Transport != nil && c.RootCAs != nil:
		return c, nil, invalid("Config.RootCAs have no effect on Config.Transport: give them to the transport")
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Pacer == nil {
		c.Pacer = unpaced{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, endpoint, nil
}

func (c Config) endpoint() (*url.URL, error) {
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, invalid("Config.Endpoint is no URL such as https://iot.cn-shanghai.aliyuncs.com") // it may hold a password
	case u.Scheme == "http" && !c.PlainText:
		return nil, invalid("Config.Endpoint %s is not encrypted: begin it with https://", c.Endpoint)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("Config.Endpoint %s begins with neither https:// nor http://", c.Endpoint)
	}
	return u, nil
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "open the OpenAPI", Message: fmt.Sprintf(format, args...)}
}
