// Package durable makes what was written survive a loss of power.
package durable

import (
	"errors"
	"os"
	"runtime"
)

// SyncDir makes the names of new and renamed files of a directory durable. Windows cannot do that, and does nothing. Its errors are
// those of the system.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
