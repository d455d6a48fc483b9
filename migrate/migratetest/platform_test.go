package migratetest_test

import (
	"testing"

	"github.com/iotferry/iotferry/migrate/migratetest"
)

// TestMemory proves that the platform in memory keeps the contracts that it tests others for.
func TestMemory(t *testing.T) {
	migratetest.TestPlatform(t, func(_ *testing.T, c *migratetest.Cloud) migratetest.Connection { return c.Connection() })
}
