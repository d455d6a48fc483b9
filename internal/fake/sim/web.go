package sim

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The time-outs of HTTP. An answer may take as long as somebody delays it on purpose.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = time.Minute
	writeTimeout  = 10 * time.Minute
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// web serves a handler on a listener until the group ends, and then until the last connection has ended: calls that are
// under way are cut.
func (g *group) web(name string, l net.Listener, h http.Handler, logger *slog.Logger) {
	var open sync.WaitGroup
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return g.ctx },
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Done()
			}
		},
	}
	g.atEnd(server.Close)
	g.run(name, func() error {
		g.fail(name, server.Serve(l))
		open.Wait() // no connection is new once Serve has returned
		return nil
	})
}
