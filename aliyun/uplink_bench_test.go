package aliyun_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// BenchmarkUplink compares the adapter with a bare receiver of the vendor's library on the same server: one connection
// each, the same credit, every message settled. x-raw is how many messages the adapter handles in the time in which the bare
// receiver gets one. The two take turns, first the one and then the other, and the medians count: what else the machine does hits both.
func BenchmarkUplink(b *testing.B) {
	const messages = 2_000
	u := newUplink(b, messages/10)
	client := openClient(b, u.config())
	var bare, adapter []time.Duration
	turns := []func(){
		func() { bare = append(bare, u.receiveBare(b, messages)) },
		func() { adapter = append(adapter, receiveStream(b, client, messages)) },
	}
	for b.Loop() {
		u.clock.Advance(21 * time.Minute) // two times ten reports of each device, and some to spare
		for _, turn := range turns {
			turn()
		}
		slices.Reverse(turns)
	}
	slices.Sort(bare)
	slices.Sort(adapter)
	perSecond := func(list []time.Duration) float64 { return messages / list[len(list)/2].Seconds() }
	b.ReportMetric(perSecond(adapter)/perSecond(bare), "x-raw")
	b.ReportMetric(perSecond(adapter), "messages/s")
	b.ReportMetric(perSecond(bare), "raw-messages/s")
}

// receiveStream handles n messages of the source and returns how long that took, from the first to the last.
func receiveStream(b *testing.B, client *aliyun.Client, n int) time.Duration {
	b.Helper()
	stream, err := client.Messages(aliyun.StreamConfig{SourceGroup: defaultGroup})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	count := newCounter(n, cancel)
	if err := stream.Run(ctx, func(context.Context, iot.Message) error {
		count.add()
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	return count.took()
}

// receiveBare accepts n messages of the source one after another.
func (u *uplink) receiveBare(b *testing.B, n int) time.Duration {
	b.Helper()
	stamp := fmt.Sprint(time.Now().UnixMilli())
	mac := hmac.New(sha1.New, []byte(testSecret))
	mac.Write([]byte("authId=" + testKeyID + "&timestamp=" + stamp))
	user := "bare|authMode=aksign,signMethod=hmacsha1,consumerGroupId=" + defaultGroup + ",authId=" + testKeyID + ",timestamp=" + stamp + "|"
	ctx := b.Context()
	conn, err := amqp.Dial(ctx, u.endpoint, &amqp.ConnOptions{
		SASLType: amqp.SASLTypePlain(user, base64.StdEncoding.EncodeToString(mac.Sum(nil))), IdleTimeout: 2 * time.Minute,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	receiver, err := session.NewReceiver(ctx, "default", &amqp.ReceiverOptions{Credit: 200})
	if err != nil {
		b.Fatal(err)
	}
	count := newCounter(n, func() {})
	for range n {
		m, err := receiver.Receive(ctx, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := receiver.AcceptMessage(ctx, m); err != nil {
			b.Fatal(err)
		}
		count.add()
	}
	return count.took()
}

// A counter counts to a number, and takes the time from one to there.
type counter struct {
	left        atomic.Int64
	first, last time.Time
	n           int64
	done        func()
}

func newCounter(n int, done func()) *counter {
	c := &counter{n: int64(n), done: done}
	c.left.Store(c.n)
	return c
}

// add counts one; the last calls done.
func (c *counter) add() {
	switch c.left.Add(-1) {
	case c.n - 1:
		c.first = time.Now()
	case 0:
		c.last = time.Now()
		c.done()
	}
}

func (c *counter) took() time.Duration { return c.last.Sub(c.first) }
