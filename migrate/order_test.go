package migrate_test

import (
	"context"
	"slices"
	"testing"

	"go.uber.org/mock/gomock"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

//go:generate go run go.uber.org/mock/mockgen@v0.6.0 -destination=mock_iot_test.go -package=migrate_test github.com/iotferry/iotferry/iot Mover
//go:generate go run go.uber.org/mock/mockgen@v0.6.0 -destination=mock_migrate_test.go -package=migrate_test github.com/iotferry/iotferry/migrate Journal,Operator

// has matches an Append whose entries hold one of a kind.
func has(kind migrate.EntryKind) gomock.Matcher {
	return gomock.Cond(func(appended any) bool {
		if e, ok := appended.(migrate.Entry); ok {
			return e.Kind == kind
		}
		entries, _ := appended.([]migrate.Entry)
		return slices.ContainsFunc(entries, func(e migrate.Entry) bool { return e.Kind == kind })
	})
}

// The intent is durable before the call, the outcome after it; the same for console tasks.
func TestIntentBeforeEffectBeforeOutcome(t *testing.T) {
	ctrl := gomock.NewController(t)
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}})
	memory, mover, operator := journal.NewMemory(), c.config.Platform.Mover, c.config.Operator
	j, m, o := NewMockJournal(ctrl), NewMockMover(ctrl), NewMockOperator(ctrl)
	j.EXPECT().Entries(gomock.Any(), "c", gomock.Any()).DoAndReturn(memory.Entries).AnyTimes()
	appended := func(kind migrate.EntryKind) *gomock.Call {
		return j.EXPECT().Append(gomock.Any(), "c", gomock.Any(), has(kind)).
			DoAndReturn(func(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
				return memory.Append(ctx, campaign, after, entries...)
			})
	}
	performed := func(kind migrate.ConsoleKind) *gomock.Call {
		return o.EXPECT().Perform(gomock.Any(), gomock.Cond(func(t any) bool { return t.(migrate.ConsoleTask).Kind == kind })).
			DoAndReturn(operator.Perform)
	}
	gomock.InOrder(
		appended(migrate.EntryCampaign), // the journal starts before anything else
		appended(migrate.EntryAsked), performed(migrate.ConsoleCreate), appended(migrate.EntryPerformed),
		appended(migrate.EntryAsked), performed(migrate.ConsoleGray), appended(migrate.EntryPerformed),
		appended(migrate.EntryAsked), performed(migrate.ConsoleConfirm), appended(migrate.EntryPerformed),
		appended(migrate.EntryIntent),
		m.EXPECT().Move(gomock.Any(), migratetest.DirectProduct, gomock.Len(1)).DoAndReturn(
			func(ctx context.Context, product string, names []string) ([]iot.MoveResult, error) {
				return mover.Move(ctx, product, names)
			}),
		appended(migrate.EntryOutcome),
		appended(migrate.EntryEnd),
	)
	j.EXPECT().Append(gomock.Any(), "c", gomock.Any(), gomock.Any()).DoAndReturn(memory.Append).AnyTimes()
	c.config.Platform.Mover, c.config.Journal, c.config.Operator = m, j, o
	c.newRunner()
	if got := c.run().Outcome; got != migrate.OutcomeProven {
		t.Errorf("outcome %s", got)
	}
}
