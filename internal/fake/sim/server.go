package sim

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
)

// A Server is a platform in memory on sockets. Make one with [Start], and end it with [Server.Close] or with its
// context. It is safe for concurrent use.
type Server struct {
	endpoints Endpoints
	roots     *x509.CertPool
	group     *group
	openAPI   http.Handler
	console   http.Handler
	mqtt      *mqtt.Server
	amqp      *amqp.Server
	config    Config
}

// Start listens on all endpoints and serves the platform there until ctx is done or [Server.Close] is called. All
// requests see the one cloud. Its errors are [iot.Invalid] for a Config that makes no sense, [iot.NotFound] for a Target that
// the platform does not have, and those of listening and of writing the CA's certificate.
func Start(ctx context.Context, cloud *fake.Cloud, c Config) (*Server, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	platform, err := cloud.Platform(c.Target, nil)
	if err != nil {
		return nil, err
	}
	s := &Server{group: newGroup(ctx), config: c, endpoints: Endpoints{
		CAFile: c.CAFile, AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret,
		UID: platform.Account, Region: platform.Source.Info.Region, TargetInstanceID: c.Target,
	}}
	if err := s.open(cloud); err != nil {
		_ = s.Close()
		return nil, err
	}
	s.group.run("time", func() error { return follow(s.group.ctx, cloud) })
	return s, nil
}

func (s *Server) open(cloud *fake.Cloud) error {
	if err := s.fronts(cloud); err != nil {
		return err
	}
	return s.listen()
}

// fronts makes what speaks the protocols.
func (s *Server) fronts(cloud *fake.Cloud) error {
	c := s.config
	var err error
	s.openAPI, err = openapi.New(cloud, openapi.Config{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret})
	if err != nil {
		return err
	}
	if s.mqtt, err = mqtt.New(cloud, mqtt.Config{Logger: c.Logger, Quotas: c.Quotas}); err != nil {
		return err
	}
	s.group.atEnd(s.mqtt.Close)
	rates := c.Quotas
	if c.Jumps {
		rates = fake.NoQuotas
	}
	s.amqp, err = amqp.New(cloud, amqp.Config{
		AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, Clock: c.Clock, Quotas: rates, Logger: c.Logger,
	})
	if err != nil {
		return err
	}
	s.group.atEnd(s.amqp.Close)
	hand := &console{cloud: cloud, faults: c.Faults, drop: s.amqp.DropAll, logger: c.Logger}
	hand.clock, _ = c.Clock.(Advancer)
	s.console = hand.handler()
	return nil
}

// listen opens all doors and serves behind them.
func (s *Server) listen() error {
	ca, err := newAuthority(s.config.CertHosts, s.config.CertExpires)
	if err != nil {
		return err
	}
	if s.config.CAFile != "" {
		if err := os.WriteFile(s.config.CAFile, ca.pem, 0o644); err != nil {
			return err
		}
	}
	s.roots = ca.roots
	for i, d := range s.doors() {
		l, err := d.open(s.group.ctx, s.config, ca, i)
		if err != nil {
			return err
		}
		if err := d.serve(l); err != nil {
			return err
		}
	}
	return nil
}

// Endpoints returns where the server listens, and with which key.
func (s *Server) Endpoints() Endpoints { return s.endpoints }

// RootCAs returns the pool with the one CA that signed the server's certificate.
func (s *Server) RootCAs() *x509.CertPool { return s.roots.Clone() }

// DropConsumers cuts off all AMQP clients, as the platform may at any time. They may come again.
func (s *Server) DropConsumers() { s.amqp.DropAll() }

// Wait returns when the server has ended: nil if that was asked for, else why.
func (s *Server) Wait() error { return s.group.wait() }

// Close ends the server, its connections and all that it started, and waits for them: calls that are under way are cut. It
// returns the error that had ended the server before, if any. Closing again does nothing.
func (s *Server) Close() error {
	s.group.cancel(nil)
	return s.Wait()
}

// followAgain is how often a server looks whether it has to follow the platform's time itself.
const followAgain = 100 * time.Millisecond

// follow lets things happen when they are due. If another server of the same platform does already, this one goes on when
// that one ends.
func follow(ctx context.Context, cloud *fake.Cloud) error {
	for {
		err := cloud.Follow(ctx)
		if !errors.Is(err, iot.Conflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followAgain):
		}
	}
}
