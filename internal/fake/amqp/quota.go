package amqp

import (
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
)

type groupName struct{ instance, id string }

// A group counts what the clients of a consumer group do.
type group struct {
	mu       sync.Mutex
	connects []time.Time // of the last minute, oldest first
	free     time.Time   // when the next messages may be pushed
}

// group returns the quotas of a consumer group, or nil if the platform has no such group.
func (s *Server) group(name groupName) *group {
	if !slices.Contains(s.cloud.GroupIDs(name.instance), name.id) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	if g == nil {
		g = new(group)
		s.groups[name] = g
	}
	return g
}

// connect counts a connect request and reports whether it is within the quota. A refused one does not use up
// any.
func (g *group) connect(now time.Time, perMinute int) bool {
	if perMinute == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connects = slices.DeleteFunc(g.connects, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(g.connects) >= perMinute {
		return false
	}
	g.connects = append(g.connects, now)
	return true
}

// slice is how much of a second is pushed at once.
const slice = 20

// fetch gets up to limit messages of the platform for a consumer, at the pace of the group. If it gets none, there is
// nothing before the wait is over.
func (g *group) fetch(x *fake.Consumer, limit int, c *Config) (got []fake.Delivery, wait time.Duration, err error) {
	if rate := max(c.Limits.RealTimePerSecond, c.Limits.BacklogPerSecond); rate > 0 {
		g.mu.Lock()
		defer g.mu.Unlock()
		now := time.Now()
		if wait := g.free.Sub(now); wait > 0 {
			return nil, wait, nil
		}
		limit = min(limit, max(1, rate/slice))
		defer func() { g.free = now.Add(c.cost(got)) }()
	}
	got, err = x.Receive(limit)
	if len(got) == 0 {
		wait = c.Poll
	}
	return got, wait, err
}

// cost returns for how long messages use up their group's rates.
func (c *Config) cost(list []fake.Delivery) time.Duration {
	realTime, backlog := 0, 0
	old := c.Clock.Now().Add(-c.Limits.BacklogAge)
	for i := range list {
		if list[i].Message.Generated.Before(old) {
			backlog++
		} else {
			realTime++
		}
	}
	return share(realTime, c.Limits.RealTimePerSecond) + share(backlog, c.Limits.BacklogPerSecond)
}

func share(n, perSecond int) time.Duration {
	if perSecond == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(perSecond)
}
