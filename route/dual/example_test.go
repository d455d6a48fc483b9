package dual_test

import (
	"context"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
	"github.com/iotferry/iotferry/route/dual"
	"github.com/iotferry/iotferry/verify"
)

// A server consumes the consumer groups of both instances.
type server struct {
	client  *aliyun.Client
	router  *route.Router
	source  string // ID of the consumer group at the source
	target  string // ID of the one at the target
	handled func(context.Context, iot.Message) error
	number  func(iot.Message) (uint64, bool) // by which a device counts its messages
}

// consume handles the messages of both instances until ctx ends. Batch is the devices that move now.
func (s *server) consume(ctx context.Context, batch *dual.Continuity) error {
	merge, err := dual.NewMerge(dual.MergeConfig{
		Handle: s.handled,
		Holds: func(id iot.DeviceID) bool {
			_, moves := batch.Device(id)
			return moves
		},
	})
	if err != nil {
		return err
	}
	stream, err := s.client.Messages(aliyun.StreamConfig{SourceGroup: s.source, TargetGroup: s.target, Handlers: 200})
	if err != nil {
		return err
	}
	return stream.Run(ctx, func(ctx context.Context, m iot.Message) error {
		if s.router.Notice(m) {
			return nil
		}
		batch.Saw(m)
		return merge.Handle(ctx, m)
	})
}

// measure begins to measure devices that are about to move, and says what a verifier asks of them.
func (s *server) measure(devices []iot.DeviceID) (*dual.Continuity, verify.ContinuityConfig, error) {
	batch, err := dual.New(dual.Config{To: s.router.Table().Target(), Devices: devices, Counts: verify.IsReport, Sequence: s.number})
	return batch, verify.ContinuityConfig{Gaps: batch, MaxGap: 5 * time.Minute}, err
}

// A server calls these while it runs; here they only have to compile.
var _ = []any{(*server).consume, (*server).measure}
