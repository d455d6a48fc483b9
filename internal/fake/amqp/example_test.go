package amqp_test

import (
	"context"
	"fmt"
	"net"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/iot"
)

// A client consumes one message of a group.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// /a1Tracker01/t-00000/user/update: {"slot":29539200,"value":787}
}

func example(ctx context.Context) error {
	clock := fake.NewVirtualClock(start)
	cloud, err := fake.New(newFleet(1), fake.Options{Clock: clock})
	if err != nil {
		return err
	}
	server, err := amqp.New(cloud, amqp.Config{AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret), Clock: clock})
	if err != nil {
		return err
	}
	defer server.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go server.Serve(l)

	user := "a-client|authMode=aksign,signMethod=hmacsha1,consumerGroupId=DEFAULT_GROUP,authId=" + keyID + ",timestamp=1573489088171|"
	conn, err := goamqp.Dial(ctx, "amqp://"+l.Addr().String(), &goamqp.ConnOptions{SASLType: goamqp.SASLTypePlain(user, password())})
	if err != nil {
		return err
	}
	defer conn.Close()
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return err
	}
	receiver, err := session.NewReceiver(ctx, "default", nil)
	if err != nil {
		return err
	}
	clock.Advance(time.Minute) // the tracker reports
	m, err := receiver.Receive(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%v: %s\n", m.ApplicationProperties["topic"], m.GetData())
	return receiver.AcceptMessage(ctx, m)
}
