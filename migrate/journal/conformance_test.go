package journal_test

import (
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

func TestMemory(t *testing.T) {
	migratetest.TestJournal(t, func(*testing.T) func() migrate.Journal {
		m := journal.NewMemory()
		return func() migrate.Journal { return m }
	})
}

func TestDir(t *testing.T) {
	migratetest.TestJournal(t, func(t *testing.T) func() migrate.Journal {
		dir := t.TempDir()
		return func() migrate.Journal { return open(t, dir) }
	})
}
