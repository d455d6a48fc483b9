package chaos

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A wall is the clock of the runner's machine: it runs with the platform's, but somebody may set it, also back.
type wall struct {
	platform *migratetest.Clock
	ahead    atomic.Int64 // of the platform's clock
}

func (w *wall) Now() time.Time { return w.platform.Now().Add(time.Duration(w.ahead.Load())) }

func (w *wall) WaitUntil(ctx context.Context, t time.Time) error {
	return w.platform.WaitUntil(ctx, t.Add(-time.Duration(w.ahead.Load())))
}

// set moves the hands of the runner's clock alone.
func (w *wall) set(ahead time.Duration) { w.ahead.Store(int64(ahead)) }
