package sim

import (
	"context"
	"errors"
	"sync"
)

// A group runs services until its context is done or one of them fails; then it ends all.
type group struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	all    sync.WaitGroup
}

func newGroup(ctx context.Context) *group {
	g := new(group)
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g
}

// run starts a service. It has to return when what atEnd was given has been called.
func (g *group) run(name string, serve func() error) {
	g.all.Go(func() { g.fail(name, serve()) })
}

// fail ends the group for an error that a service did not come to because of the end.
func (g *group) fail(name string, err error) {
	if err != nil && g.ctx.Err() == nil {
		g.cancel(&failure{name, err})
	}
}

// atEnd calls stop once the end has come.
func (g *group) atEnd(stop func() error) {
	g.all.Go(func() {
		<-g.ctx.Done()
		_ = stop() // there is nothing left to do about an error
	})
}

// wait returns when all has ended, and with which error, if that was not asked for.
func (g *group) wait() error {
	g.all.Wait()
	if f, ok := errors.AsType[*failure](context.Cause(g.ctx)); ok {
		return f
	}
	return nil
}

// A failure is the error of a service that ended its group.
type failure struct {
	service string
	err     error
}

func (f *failure) Error() string { return f.service + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }
