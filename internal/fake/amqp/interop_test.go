package amqp_test

import (
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// TestOtherClients repeats what clients of other languages said to this server, and checks that they would have been
// content with the answers. Each settles ten deliveries, or five, and closes link and connection by itself.
func TestOtherClients(t *testing.T) {
	tests := []struct {
		name            string
		accepted, links int // links that it closes before the connection
	}{
		{"rhea", 10, 1},
		{"amqp10", 5, 0},
		{"proton", 10, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, after := conversation(t, "testdata/"+tt.name+".txt")
			synctest.Test(t, func(t *testing.T) {
				const messages = 20
				b := newBench(t, messages, nil)
				b.clock.Advance(time.Minute)
				p := b.peer()
				p.write(before)
				if got, ok, err := p.r.Header(); got != frame.ProtocolSASL || !ok || err != nil {
					t.Fatalf("header %v, %v, %v", got, ok, err)
				}
				expect[*frame.Mechanisms](p)
				if code := expect[*frame.Outcome](p).Code; code != frame.LoginOK {
					t.Fatalf("login: outcome %d", code)
				}
				if got, ok, err := p.r.Header(); got != frame.ProtocolAMQP || !ok || err != nil {
					t.Fatalf("header %v, %v, %v", got, ok, err)
				}
				expect[*frame.Open](p)
				expect[*frame.Begin](p)
				if a := expect[*frame.Attach](p); a.Source == nil || a.Target == nil || !a.InitialDeliveryCount.Set {
					t.Fatalf("the link is not what a client expects: %+v", a)
				}
				for range tt.accepted {
					expect[*frame.Transfer](p)
				}
				p.write(after)
				p.endsWith(tt.links)
				_ = p.nc.Close()
				synctest.Wait()
				if n := b.backlog(); n != messages-tt.accepted {
					t.Errorf("%d messages come again, want %d", n, messages-tt.accepted)
				}
			})
		})
	}
}

// endsWith reads transfers that are left, so many detaches, and the connection's close without errors.
func (p *peer) endsWith(detaches int) {
	p.Helper()
	for {
		switch b, _ := p.next(); b := b.(type) {
		case *frame.Transfer, *frame.Disposition:
		case *frame.Detach:
			detaches--
			if b.Error != nil {
				p.Errorf("detached: %v", b.Error)
			}
		case *frame.Close:
			if b.Error != nil || detaches != 0 {
				p.Errorf("closed with %v, %d detaches are missing", b.Error, detaches)
			}
			if _, err := p.r.Next(); err != io.EOF {
				p.Errorf("after the end: %v", err)
			}
			return
		default:
			p.Fatalf("unexpected %T %+v", b, b)
		}
	}
}

// conversation reads what a client said before and after it got its messages.
func conversation(t *testing.T, name string) (before, after []byte) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var parts [2][]byte
	i := 0
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#"):
		case line == "---":
			i++
		default:
			b, err := hex.DecodeString(line)
			if err != nil {
				t.Fatal(err)
			}
			parts[i] = append(parts[i], b...)
		}
	}
	return parts[0], parts[1]
}
