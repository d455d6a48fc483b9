package fake_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// A deviceWorld is random: clients come and go, devices move and return, families change.
type deviceWorld struct {
	*bench
	r        *rand.Rand
	tasks    map[string]string
	sessions []*fake.Session
}

// step does one thing at random. Refusals are part of the game.
func (w *deviceWorld) step() {
	gw := names("gw", 3)[w.r.IntN(3)]
	of := w.r.IntN(3) + 1
	c := fmt.Sprintf("c-%04d-%03d", of, w.r.IntN(3)+1)
	ctx := w.Context()
	switch w.r.IntN(12) {
	case 0, 1:
		if s, err := w.Attach(id(gateway, gw), fake.PublicDomain, clientIP); err == nil {
			w.sessions = append(w.sessions, s)
		}
	case 2:
		if s, err := w.Attach(id(climate, c), fake.PublicDomain, clientIP); err == nil {
			w.sessions = append(w.sessions, s)
		}
	case 3, 4, 5:
		w.say("/ext/session/a1Gateway01/%s/combine/login", sub(c))
	case 6:
		w.say("/ext/session/a1Gateway01/%s/combine/logout", named(c))
	case 7:
		w.say("/sys/a1Gateway01/%s/thing/topo/add", "["+sub(c)+"]")
	case 8:
		if len(w.sessions) > 0 {
			w.sessions[w.r.IntN(len(w.sessions))].Close(0)
		}
	case 9:
		_, _ = w.Console().Gray(ctx, w.tasks[gateway], []string{gw})
		_, _ = w.Console().Gray(ctx, w.tasks[climate], []string{c})
	case 10:
		_, _ = w.Console().Rollback(ctx, w.tasks[climate], []string{c})
		_, _ = w.Console().Rollback(ctx, w.tasks[gateway], []string{gw})
	case 11:
		_ = w.PowerOn(id(gateway, gw), iot.NewSecret("s-"+gw))
		_ = w.PowerOn(id(climate, c), iot.NewSecret("s-"+c))
	}
	w.clock.Advance(time.Duration(w.r.IntN(5)) * time.Second)
}

// say lets the newest session publish about itself.
func (w *deviceWorld) say(topic, params string) {
	if len(w.sessions) == 0 {
		return
	}
	s := w.sessions[w.r.IntN(len(w.sessions))]
	_ = s.Publish(fmt.Sprintf(topic, s.ID().DeviceName), []byte(`{"id":"1","params":`+params+`}`), 0)
}

// check finds what must never be: a device with two sessions, or one that is not where its connection is.
func (w *deviceWorld) check() error {
	for _, key := range []string{gateway, climate} {
		for _, d := range must2(w.Truths(key)) {
			n := 0
			for _, s := range w.sessions {
				if !s.MayPublish("/" + d.ID.String() + "/user/update") {
					continue
				}
				n++
				if s.ID() != d.ID && (d.Gateway != s.ID() || w.truth(gateway, s.ID().DeviceName).Instance != d.Instance) {
					return fmt.Errorf("%s is served by the session of %s, with which it has no relation there", d.ID, s.ID())
				}
			}
			if n > 1 {
				return fmt.Errorf("%s is served by %d sessions", d.ID, n)
			}
			if n == 1 && d.Status != iot.Online {
				return fmt.Errorf("%s has a session and is %s", d.ID, d.Status)
			}
		}
	}
	for _, in := range []string{"", target} {
		s, err := w.QueryDeviceStatistics(w.Context(), fake.QueryDeviceStatisticsRequest{IotInstanceId: in})
		if online := w.online(in); err != nil || s.OnlineCount > online {
			return fmt.Errorf("instance %q counts %d devices online, %d are, %v", in, s.OnlineCount, online, err)
		}
	}
	return nil
}

func (w *deviceWorld) online(in string) int {
	n := 0
	for _, key := range []string{gateway, climate} {
		for _, d := range must2(w.Truths(key)) {
			if d.Instance == in && d.Status == iot.Online {
				n++
			}
		}
	}
	return n
}

func must2[T any](v T, ok bool) T {
	if !ok {
		panic("not there")
	}
	return v
}

func TestADeviceIsServedByAtMostOneSession(t *testing.T) {
	for range 6 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		w := &deviceWorld{r: r, tasks: map[string]string{}}
		w.bench = newBench(t, families(3, 3), func(o *fake.Options, q *fake.Quirks) {
			o.Quotas, q.SubDevicesConnect, q.KeepsTask = fake.NoQuotas, true, true
		})
		w.tasks[gateway] = must(w.Console().CreateTask(t.Context(), gateway, target))
		w.tasks[climate] = must(w.Console().CreateTask(t.Context(), climate, target))
		for i := range 150 {
			w.step()
			if err := w.check(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
		}
		for _, s := range w.sessions {
			s.Close(0)
		}
		w.clock.Advance(time.Minute)
		if err := w.check(); err != nil {
			t.Fatalf("seed %d, at the end: %v", seed, err)
		}
	}
}

// A roamer is a client whose firmware comes back whenever it is cut off, echoes calls and reports.
func (b *bench) roam(ctx context.Context, d iot.DeviceID) error {
	for ctx.Err() == nil {
		s, err := b.Attach(d, fake.PublicDomain, clientIP)
		if err != nil {
			return err
		}
		s.Subscribe("/" + d.String() + "/#")
		for {
			m, err := s.Next(ctx)
			if err != nil {
				if _, kicked := errors.AsType[*fake.KickedError](err); !kicked {
					s.Close(0)
				}
				break
			}
			if s.MayPublish(m.Topic) {
				topic, payload := echo(m)
				_ = s.Publish(topic, []byte(payload), 0)
				_ = s.Publish("/"+d.String()+"/user/update", m.Payload, 1)
			}
		}
	}
	return nil
}

// 64 clients are devices that move there and back, while servers ask them.
func TestSessionsWhileDevicesMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, rounds = 64, 8
		b := newBench(t, meters(clients+1, nil), func(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas })
		task := b.ready(meter, "m-0065")
		list := names("m", clients)
		ctx, cancel := context.WithCancel(t.Context())
		defer b.follow()()
		defer cancel()
		var devices, servers sync.WaitGroup
		for _, name := range list {
			devices.Go(func() {
				if err := b.roam(ctx, id(meter, name)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		synctest.Wait()
		for worker := range 4 {
			servers.Go(func() {
				for range rounds {
					for batch := range slices.Chunk(list[worker*16:worker*16+16], 8) {
						must(b.BatchGrayMigrationDevice(ctx, fake.BatchGrayMigrationDeviceRequest{ProductKey: meter, DeviceNames: batch}))
						for _, name := range batch {
							_, _ = b.RRpc(ctx, fake.RRpcRequest{IotInstanceId: target, ProductKey: meter, DeviceName: name, Timeout: 1000})
						}
						must(b.Console().Rollback(ctx, task, batch))
					}
				}
			})
		}
		servers.Wait()
		synctest.Wait()
		for _, name := range list {
			got := b.truth(meter, name)
			if !got.Alive || got.Instance != "" || got.Moved != rounds || got.Returned != rounds {
				t.Errorf("%s: %+v", name, got)
			}
			out, err := b.RRpc(ctx, fake.RRpcRequest{ProductKey: meter, DeviceName: name, RequestByte: []byte("there?"), Timeout: 1000})
			if err != nil || string(out.PayloadByte) != "there?" {
				t.Errorf("%s: %+v, %v", name, out, err)
			}
		}
		cancel()
		devices.Wait()
		if s := must(b.QueryDeviceStatistics(t.Context(), fake.QueryDeviceStatisticsRequest{})); s.OnlineCount != 0 {
			t.Errorf("%d devices are online after their clients have gone", s.OnlineCount)
		}
	})
}
