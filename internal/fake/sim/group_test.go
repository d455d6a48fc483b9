package sim

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// A service that fails ends all the others, and its error is that of the whole. An end that was asked for has none.
func TestGroup(t *testing.T) {
	broken := errors.New("no more sockets")
	for _, test := range []struct {
		name string
		end  func(g *group, cancel func())
		want error
	}{
		{"failure", func(g *group, _ func()) { g.run("amqp", func() error { return broken }) }, broken},
		{"close", func(g *group, _ func()) { g.cancel(nil) }, nil},
		{"context", func(_ *group, cancel func()) { cancel() }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				g := newGroup(ctx)
				stopped := make(chan struct{})
				g.atEnd(func() error { close(stopped); return nil })
				g.run("http", func() error { <-stopped; return errors.New("use of closed connection") })
				synctest.Wait()
				test.end(g, cancel)
				if err := g.wait(); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			})
		})
	}
}
