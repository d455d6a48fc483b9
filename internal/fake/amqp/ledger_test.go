package amqp

import (
	"slices"
	"testing"
)

// TestLedgerWraps checks that IDs wrap around, and that nothing is taken twice.
func TestLedgerWraps(t *testing.T) {
	l := ledger{first: 1<<32 - 3}
	for tag := range uint64(6) {
		l.add(tag)
	}
	for _, step := range []struct {
		first, last uint32
		want        []uint64
	}{
		{1<<32 - 2, 0, []uint64{1, 2, 3}},
		{1<<32 - 10, 0, []uint64{0}},
		{0, 1, []uint64{4}},
		{1, 1, nil},
		{5, 9, nil},
		{0, 9, []uint64{5}},
	} {
		if got := l.take(nil, step.first, step.last); !slices.Equal(got, step.want) {
			t.Errorf("from %d to %d: %v, want %v", step.first, step.last, got, step.want)
		}
	}
	if len(l.list) != 0 || l.first != 3 {
		t.Errorf("left: %+v", l)
	}
}

// TestLedgerIsBounded checks that the oldest delivery is forgotten, and the others keep their IDs.
func TestLedgerIsBounded(t *testing.T) {
	var l ledger
	const n = maxUnsettled + 10
	for tag := range uint64(n) {
		l.add(tag)
	}
	if got := l.take(nil, 0, 10); !slices.Equal(got, []uint64{10}) {
		t.Errorf("took %v of the oldest", got)
	}
	if got := l.take(nil, n-1, n-1); !slices.Equal(got, []uint64{n - 1}) {
		t.Errorf("took %v for the newest", got)
	}
}
