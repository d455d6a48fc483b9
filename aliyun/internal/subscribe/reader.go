package subscribe

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A reader consumes one group for a stream, with one or several connections.
type reader struct {
	client *Client
	group  string
	memory *memory
	log    *slog.Logger
	counts counts
}

func newReader(g Group) *reader {
	return &reader{
		client: g.Client, group: g.ID, memory: newMemory(g.Client.config.Remember),
		log: g.Client.config.Logger.With(slog.String("instance", g.Client.config.Instance), slog.String("group", g.ID)),
	}
}

// run keeps one connection up until the context or the client ends. It returns the error that no try could change.
func (r *reader) run(ctx context.Context, w *work) error {
	ctx, cancel := r.client.during(ctx)
	defer cancel()
	var p pace
	welcome := false
	for {
		up, err := r.consume(ctx, w)
		if ctx.Err() != nil {
			return r.ended(ctx)
		}
		if up >= healthy {
			welcome = true
			p.reset()
		}
		if lasting(err) && !welcome {
			return err
		}
		wait := pause(&p, err)
		r.counts.note(err, up > 0)
		r.log.Warn("no connection to the consumer group", slog.Any("error", err), slog.Duration("up", up), slog.Duration("retry", wait))
		if sleep(ctx, wait) != nil {
			return r.ended(ctx)
		}
	}
}

// ended returns nil if the caller's context has ended, and an error if the client was closed.
func (r *reader) ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errClosed) {
		return r.client.fault(ctx, r.group, "consume", errClosed)
	}
	return nil
}

// consume connects and consumes until the connection or the context ends. It returns for how long it was connected.
func (r *reader) consume(ctx context.Context, w *work) (up time.Duration, err error) {
	l, err := r.client.connect(ctx, r.group)
	if err != nil {
		return 0, err
	}
	defer l.close()
	began := time.Now()
	r.counts.connected()
	defer r.counts.disconnected()
	r.log.Info("connected to the consumer group")
	err = r.share(ctx, l, w)
	return time.Since(began), r.client.fault(ctx, r.group, "receive", err)
}

// share lets as many goroutines as there are slots, and messages under way, take messages from a link. It returns when the first of them finds the
// link lost; those that are handling a message then end with it. When the context ends it waits until all is settled.
func (r *reader) share(ctx context.Context, l *link, w *work) error {
	n := min(cap(w.slots), r.client.config.Credit)
	lost := make(chan error, n)
	var all sync.WaitGroup
	for range n {
		all.Add(1)
		w.handlers.Go(func() {
			defer all.Done()
			lost <- r.pump(ctx, l, w)
		})
	}
	err := <-lost
	if ctx.Err() != nil {
		all.Wait()
		l.open.Wait() // what other connections' goroutines handle
	}
	return err
}

// pump takes messages from a link and handles them, until the link or the context ends.
func (r *reader) pump(ctx context.Context, l *link, w *work) error {
	for ctx.Err() == nil {
		m, err := l.receiver.Receive(ctx, nil)
		if err != nil {
			return err
		}
		message, d := read(m, r.client.config.Instance), l.take(m)
		r.counts.arrived()
		switch r.memory.enter(message.ID, d) {
		case fresh:
			r.settle(message.ID, d, r.handle(ctx, l, message, w))
		case repeated:
			r.counts.duplicates.Add(1)
			d.settle(true)
		case joined:
			r.counts.duplicates.Add(1)
		}
	}
	return ctx.Err()
}

// handle handles a message when there is a slot. It reports false if the handler refused the message, or was not called
// any more: when nobody can settle it, somebody else will get it.
func (r *reader) handle(ctx context.Context, l *link, m iot.Message, w *work) bool {
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return false
	}
	if !l.alive() {
		return false
	}
	handled := w.handle(ctx, m) == nil
	r.counts.finished(handled)
	return handled
}

// settle settles a message, and what came again of it meanwhile.
func (r *reader) settle(id string, d delivery, handled bool) {
	for _, again := range r.memory.leave(id, handled) {
		again.settle(handled)
	}
	d.settle(handled)
}
