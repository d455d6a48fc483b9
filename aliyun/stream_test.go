package aliyun_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

func TestStreamOfSourceAndTarget(t *testing.T) {
	u := newUplink(t, 50)
	u.clock.Advance(10 * time.Minute)
	client := openClient(t, u.config())
	stream, err := client.Messages(aliyun.StreamConfig{SourceGroup: defaultGroup, TargetGroup: defaultGroup, Connections: 2, Handlers: 8})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	times, dropped := map[string]int{}, false
	if err := stream.Run(ctx, func(_ context.Context, m iot.Message) error {
		mu.Lock()
		defer mu.Unlock()
		if id, ok := m.Device(); !ok || (m.Instance == "") != (id.ProductKey == "a1Source001") {
			t.Errorf("message of %v marked with %q", id, m.Instance)
		}
		times[m.Instance+"/"+m.ID]++
		if up := stream.Stats(); !dropped && len(times) < 900 && up.Source.Connections > 0 && up.Target.Connections > 0 {
			dropped = true
			u.server.DropAll()
		}
		if len(times) == 2*50*10 {
			cancel()
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	for id, n := range times {
		if n != 1 {
			t.Errorf("message %s was handled %d times", id, n)
		}
	}
	stats := stream.Stats()
	for _, s := range []aliyun.GroupStats{stats.Source, stats.Target} {
		if s.Handled != 500 || s.Received < 500+s.Duplicates || dropped && (s.Lost == 0 || s.LastError == nil) || s.Connections != 0 || s.Group != defaultGroup {
			t.Errorf("stats %+v", s)
		}
	}
	if stats.Source.Instance != "" || stats.Target.Instance != testTarget {
		t.Errorf("stats %+v", stats)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("done", slog.Any("stream", stats))
	if !strings.Contains(log.String(), `"target":{"instance":"iot-060a0001","group":"DEFAULT_GROUP","connections":0,`) {
		t.Errorf("logged %s", &log)
	}
}

func TestStreamOfOneInstance(t *testing.T) {
	u := newUplink(t, 3)
	u.clock.Advance(time.Minute)
	client := openClient(t, u.config())
	stream, err := client.Messages(aliyun.StreamConfig{TargetGroup: defaultGroup})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	left := 3
	if err := stream.Run(ctx, func(_ context.Context, m iot.Message) error {
		if left--; left == 0 {
			cancel()
		}
		if m.Instance != testTarget {
			t.Errorf("message of %q", m.Instance)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if s := stream.Stats(); s.Source != (aliyun.GroupStats{}) || s.Target.Handled != 3 {
		t.Errorf("stats %+v", s)
	}
}

func TestMessagesRefuses(t *testing.T) {
	client := openClient(t, goodConfig())
	for name, config := range map[string]aliyun.StreamConfig{
		"no group":             {},
		"negative handlers":    {SourceGroup: defaultGroup, Handlers: -1},
		"negative connections": {SourceGroup: defaultGroup, Connections: -1},
		"hostile group":        {SourceGroup: "x|", TargetGroup: defaultGroup},
	} {
		if _, err := client.Messages(config); iot.KindOf(err) != iot.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStreamEndsWithItsClient(t *testing.T) {
	u := newUplink(t, 1)
	u.clock.Advance(time.Minute)
	client := openClient(t, u.config())
	stream, err := client.Messages(aliyun.StreamConfig{SourceGroup: defaultGroup, TargetGroup: defaultGroup})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	err = stream.Run(t.Context(), func(context.Context, iot.Message) error {
		once.Do(func() {
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		})
		return nil
	})
	if iot.KindOf(err) != iot.Invalid {
		t.Errorf("Run: %v", err)
	}
}

// TestSubscriptionShowsNoSecret reads all that a refused login leaves behind.
func TestSubscriptionShowsNoSecret(t *testing.T) {
	u := newUplink(t, 1)
	var log bytes.Buffer
	config := u.config()
	config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config.Credentials = aliyun.STS(testKeyID, iot.NewSecret("wrong-secret-0001"), iot.NewSecret("token-0001"))
	client := openClient(t, config)
	stream, err := client.Messages(aliyun.StreamConfig{SourceGroup: defaultGroup, TargetGroup: defaultGroup})
	if err != nil {
		t.Fatal(err)
	}
	refused := stream.Run(t.Context(), func(context.Context, iot.Message) error { return nil })
	_, again := client.SourceReceiver().Receive(t.Context(), defaultGroup, 1)
	if iot.KindOf(refused) != iot.Denied || iot.KindOf(again) != iot.Denied {
		t.Errorf("Run: %v; Receive: %v", refused, again)
	}
	shown := fmt.Sprintf("%s %+v %#v %+v %#v %+v", &log, refused, refused, again, again, stream.Stats())
	for _, hidden := range []string{"wrong-secret-0001", "token-0001", testSecret} {
		if strings.Contains(shown, hidden) {
			t.Errorf("%s is shown: %s", hidden, shown)
		}
	}
}
