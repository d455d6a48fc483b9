package iot_test

import (
	"context"
	"testing"

	"github.com/iotferry/iotferry/iot"
)

func TestUrgentIsInherited(t *testing.T) {
	if iot.IsUrgent(t.Context()) {
		t.Error("a plain context is urgent")
	}
	urgent, cancel := context.WithCancel(iot.Urgent(t.Context()))
	if !iot.IsUrgent(urgent) {
		t.Error("a context of an urgent one is not urgent")
	}
	cancel()
	if iot.Urgent(urgent).Err() == nil {
		t.Error("an urgent context does not end with the one it comes from")
	}
}
