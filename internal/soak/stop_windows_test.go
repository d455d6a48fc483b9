package soak_test

// Windows cannot stop a process: the tests that do are not built there.
func stopMyself() {}
