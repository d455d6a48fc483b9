package sim

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
)

// A door is one listener.
type door struct {
	scheme string                   // of its URL
	secure bool                     // with TLS
	url    *string                  // where its URL belongs
	serve  func(net.Listener) error // begins to serve; from then on the listener is closed at the end
}

// listeners is how many doors there are.
const listeners = 9

// doors returns all doors, in the order of their ports.
func (s *Server) doors() [listeners]door {
	e := &s.endpoints
	return [...]door{
		{"http", false, &e.OpenAPI, s.serveHTTP("openapi", s.openAPI)},
		{"https", true, &e.OpenAPITLS, s.serveHTTP("openapi", s.openAPI)},
		{"tcp", false, &e.MQTT, s.serveMQTT(fake.PublicDomain, false)},
		{"tls", true, &e.MQTTTLS, s.serveMQTT(fake.PublicDomain, true)},
		{"tcp", false, &e.MQTTTarget, s.serveMQTT(s.config.Target, false)},
		{"amqp", false, &e.AMQP, s.serveAMQP},
		{"amqps", true, &e.AMQPTLS, s.serveAMQP},
		{"http", false, &e.Console, s.serveHTTP("console", s.console)},
		{"tls", true, &e.MQTTTargetTLS, s.serveMQTT(s.config.Target, true)},
	}
}

// open listens behind a door, which is the i-th, and says where.
func (d door) open(ctx context.Context, c Config, ca *authority, i int) (net.Listener, error) {
	port := 0
	if c.Port > 0 {
		port = c.Port + i
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(c.Addr, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	if t, ok := l.Addr().(*net.TCPAddr); ok {
		port = t.Port
	}
	*d.url = d.scheme + "://" + net.JoinHostPort(c.Host, strconv.Itoa(port))
	if d.secure {
		l = tls.NewListener(l, ca.config())
	}
	return l, nil
}

func (s *Server) serveHTTP(name string, h http.Handler) func(net.Listener) error {
	return func(l net.Listener) error {
		s.group.web(name, l, h, s.config.Logger)
		return nil
	}
}

func (s *Server) serveMQTT(domain string, secure bool) func(net.Listener) error {
	return func(l net.Listener) error { return s.mqtt.Listen(l, mqtt.Domain{Instance: domain, TLS: secure}) }
}

func (s *Server) serveAMQP(l net.Listener) error {
	s.group.run("amqp", func() error { return s.amqp.Serve(l) })
	return nil
}
