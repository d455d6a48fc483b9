package aliyun

import (
	"context"
	"log/slog"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

// A StreamConfig says what a [Stream] consumes. At least one group is needed.
type StreamConfig struct {
	// SourceGroup is the ID of the consumer group at the legacy public instance; empty if it is not consumed.
	SourceGroup string
	// TargetGroup is the ID of the consumer group at the target; empty if it is not consumed. It is another one than
	// SourceGroup even if both have the same name.
	TargetGroup string
	// Connections is how many AMQP connections each group is consumed with. Zero is 1. The platform's advice is one
	// more for each 500 messages a second; it allows 100 connects a minute to a group, which are kept.
	Connections int
	// Handlers is how many messages are handled at once, those of both groups together. Zero is 1: then messages are handled
	// one after another, in the order in which they came.
	Handlers int
}

// A Stream is what a server reads during a migration: the messages of the source and of the target as one, each marked with
// the instance that delivered it ([iot.Message.Instance]). It is safe for concurrent use.
//
// Every message is handled at least once, and usually once: what the platform delivers again, over whatever
// connection, is dropped by its messageId. A process remembers the newest 100,000 messages of each group
// at least; a new process, and another one that shares the group, remember nothing of it: handlers that must not act twice
// need a key in their own storage. Order is not what devices sent: the platform does not keep it.
type Stream struct {
	stream *subscribe.Stream
	config StreamConfig
}

// Messages returns a stream of the messages of one consumer group at each instance. It connects when it is run. Its error
// is [iot.Invalid].
func (c *Client) Messages(config StreamConfig) (*Stream, error) {
	var groups []subscribe.Group
	if config.SourceGroup != "" {
		groups = append(groups, subscribe.Group{Client: c.source, ID: config.SourceGroup})
	}
	if config.TargetGroup != "" {
		groups = append(groups, subscribe.Group{Client: c.target, ID: config.TargetGroup})
	}
	stream, err := subscribe.NewStream(subscribe.StreamConfig{Connections: config.Connections, Handlers: config.Handlers}, groups...)
	if err != nil {
		return nil, err
	}
	return &Stream{stream: stream, config: config}, nil
}

// Run gives every message to handle until ctx is done, then returns nil. A message is accepted when handle has returned nil.
// If it returns an error the message is released, and the platform delivers it again: after about a minute, for up to a
// day, before newer ones that wait. So an error is for what may work later; log what never will, and return nil.
//
// Lost connections are made again by Run itself, with a back-off of 10 ms that doubles up to 20 s and a fresh login
// each. It gives up only where a try could not help: a login that is refused or a group that does not exist is an error
// ([iot.Denied], [iot.NotFound]) and ends the stream of both instances. That holds until the group has been consumed for 20 s
// in one piece; a refusal later on is logged, shown by [Stream.Stats], and tried again every minute. After [Client.Close] the
// error is [iot.Invalid]; a stream that runs already is [iot.Conflict].
//
// The context of handle ends with ctx. Run returns when the last handler has, and still accepts what it handled.
func (s *Stream) Run(ctx context.Context, handle func(context.Context, iot.Message) error) error {
	return s.stream.Run(ctx, handle)
}

// Stats returns what the stream has seen since it was made.
func (s *Stream) Stats() StreamStats {
	groups := s.stream.Stats()
	var stats StreamStats
	if s.config.SourceGroup != "" {
		stats.Source, groups = GroupStats(groups[0]), groups[1:]
	}
	if s.config.TargetGroup != "" {
		stats.Target = GroupStats(groups[0])
	}
	return stats
}

// StreamStats are a [Stream]'s numbers by instance. A group that is not consumed has the zero value.
type StreamStats struct {
	Source, Target GroupStats
}

// LogValue logs the numbers of both groups.
func (s StreamStats) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("source", s.Source), slog.Any("target", s.Target))
}

// GroupStats are the numbers of one group in a [Stream], since the stream was made.
type GroupStats struct {
	Instance string // the instance's ID; empty for the legacy public one
	Group    string // the group's ID

	Connections int   // that are up now
	Lost        int64 // connections that were up and were lost: each was, or is being, made again

	Received   int64 // deliveries, duplicates among them
	Duplicates int64 // deliveries of a message that had come before
	Handled    int64 // messages that the handler accepted
	Failed     int64 // times that the handler returned an error

	LastReceived time.Time // when the newest delivery came, UTC; zero if none has
	LastError    error     // what the newest connection that was lost or refused ended with; nil if none was
}

// LogValue logs the numbers.
func (s GroupStats) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("instance", s.Instance), slog.String("group", s.Group), slog.Int("connections", s.Connections),
		slog.Int64("lost", s.Lost), slog.Int64("received", s.Received), slog.Int64("duplicates", s.Duplicates),
		slog.Int64("handled", s.Handled), slog.Int64("failed", s.Failed), slog.Time("lastReceived", s.LastReceived),
	)
}
