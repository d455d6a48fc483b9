package subscribe_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
	"github.com/iotferry/iotferry/iot"
)

// echo is a server that takes every login and then closes the connection, with all that it was told as the reason.
func echo(conn net.Conn) {
	defer conn.Close()
	in := frame.NewReader(conn, 1<<16)
	say := func(b []byte) { _, _ = conn.Write(b) }
	if _, _, err := in.Header(); err != nil {
		return
	}
	say(frame.AppendHeader(nil, frame.ProtocolSASL))
	say(frame.Append(nil, frame.SASL, 0, &frame.Mechanisms{Names: []string{"PLAIN"}}, nil))
	f, err := in.Next()
	if err != nil {
		return
	}
	body, _, err := frame.Decode(f.Body)
	init, ok := body.(*frame.Init)
	if err != nil || !ok {
		return
	}
	told := strings.Clone(string(init.Response))
	say(frame.Append(nil, frame.SASL, 0, &frame.Outcome{Code: frame.LoginOK}, nil))
	if _, _, err := in.Header(); err != nil {
		return
	}
	say(frame.AppendHeader(nil, frame.ProtocolAMQP))
	if _, err := in.Next(); err != nil { // open
		return
	}
	say(frame.Append(nil, frame.AMQP, 0, &frame.Open{ContainerID: "echo"}, nil))
	if _, err := in.Next(); err != nil { // begin
		return
	}
	reason := frame.Errorf(frame.CondNotAllowed, "%s\nis not welcome", told)
	say(frame.Append(nil, frame.AMQP, 0, &frame.Close{Error: reason}, nil))
	_, _ = in.Next()
}

// A server that repeats the login in its errors does not make them show it: of its words, only the condition is.
func TestServersWordsAreNotRepeated(t *testing.T) {
	const key, token = "a-secret-key-0001", "a-secret-token-0001"
	var servers sync.WaitGroup
	defer servers.Wait()
	client, err := subscribe.New(subscribe.Config{
		Endpoint: "amqp://echo.example:5672", PlainText: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			servers.Go(func() { echo(there) })
			return here, nil
		},
		Credentials: func(context.Context) (subscribe.Credential, error) {
			return subscribe.Credential{AccessKeyID: "key", AccessKeySecret: iot.NewSecret(key), SecurityToken: iot.NewSecret(token)}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Receive(t.Context(), "group", 1)
	if err == nil || !strings.Contains(err.Error(), frame.CondNotAllowed) {
		t.Fatalf("got %v, want an error that names the condition", err)
	}
	for _, hidden := range []string{key, token, "welcome", "\n"} {
		if shown := fmt.Sprintf("%v %+v", err, err); strings.Contains(shown, hidden) {
			t.Errorf("%q is shown: %s", hidden, shown)
		}
	}
}
