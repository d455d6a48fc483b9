package fleet

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// An Error says what is wrong with a fleet file, and where. It is [iot.Invalid] by errors.Is, as the same
// file will never do, and it holds no secrets.
type Error struct {
	// Path names the place, with indexes from 0: devices[17].gateway. It is empty if the text is not one
	// JSON object in UTF-8; then Line and Offset tell how far the reader came.
	Path    string
	Line    int    // from 1; zero if there is a Path
	Offset  int64  // bytes before the fault; zero if there is a Path
	Message string // what is wrong, and the remedy, for people
}

// Error returns the place and the message.
func (e *Error) Error() string {
	if e.Path != "" {
		return e.Path + ": " + e.Message
	}
	return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Offset, e.Message)
}

// Is reports whether target is [iot.Invalid].
func (e *Error) Is(target error) bool { return target == iot.Invalid }
