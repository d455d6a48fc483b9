//go:build unix

package soak_test

import (
	"os"
	"syscall"
	"time"
)

// stopMyself returns when somebody lets the process continue. Threads may run on for a moment after the signal: this one
// does nothing then.
func stopMyself() {
	_, _ = os.Stdout.WriteString("stopping\n")
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	<-time.After(50 * time.Millisecond)
}
