package mqtt_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
)

// A device that knows nothing of the fake reports a property.
func ExampleServer() {
	cloud := must(fake.New(newFleet(), fake.Options{NoDevices: true}))
	server := must(mqtt.New(cloud, mqtt.Config{}))
	defer server.Close()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	if err := server.Listen(listener, mqtt.Domain{Instance: fake.PublicDomain}); err != nil {
		fmt.Println(err)
		return
	}

	mac := hmac.New(sha256.New, []byte("s-meter-1"))
	mac.Write([]byte("clientIdexampledeviceNamemeter-1productKeya1Meter0001"))
	device := paho.NewClient(paho.NewClientOptions().
		AddBroker("tcp://" + listener.Addr().String()).
		SetClientID("example|securemode=3,signmethod=hmacsha256|").
		SetUsername("meter-1&a1Meter0001").SetPassword(hex.EncodeToString(mac.Sum(nil))))
	device.Connect().Wait()
	defer device.Disconnect(0)
	const topic = "/sys/a1Meter0001/meter-1/thing/event/property/post"
	answers := make(chan string)
	device.Subscribe(topic+"_reply", 1, func(_ paho.Client, m paho.Message) { answers <- string(m.Payload()) }).Wait()
	device.Publish(topic, 1, false, `{"id":"1","params":{"Power":7.5}}`)
	fmt.Println(<-answers)

	state, _ := cloud.Truth(id(meter, "meter-1"))
	fmt.Println(state.Status)
	// Output:
	// {"code":200,"data":{},"id":"1","message":"success"}
	// online
}
