package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// A file is what a campaign needs of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
}

func openFile(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err // not f: a nil *os.File is a file that is not nil
	}
	return f, nil
}

// An opener opens a file as [os.OpenFile] does.
type opener func(path string, flag int) (file, error)

// syncDir makes the names in a directory durable. Windows cannot do that.
func (open opener) syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := open(path, os.O_RDONLY)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func readOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
