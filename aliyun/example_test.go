package aliyun_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// simulated returns the configuration for a simulated account on sockets of this machine.
func simulated(ctx context.Context) (aliyun.Config, func() error, error) {
	file := migratetest.Generate(migratetest.GenerateOptions{Direct: 3})
	cloud, err := migratetest.Open(bytes.NewReader(file), migratetest.Options{})
	if err != nil {
		return aliyun.Config{}, nil, err
	}
	wire, err := cloud.Listen(ctx, migratetest.WireOptions{})
	if err != nil {
		return aliyun.Config{}, nil, err
	}
	config := wireConfig(wire)
	config.Pacer = nil // the documented quotas
	return config, wire.Close, nil
}

// The devices of one product, and how they are now.
func ExampleOpen() {
	ctx := context.Background()
	config, stop, err := simulated(ctx) // a simulated account: leave this out
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = stop() }()

	// For a real account Region, Account, Target and Credentials are enough.
	client, err := aliyun.Open(config)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	source := client.Platform().Source
	for device, err := range source.Devices(ctx, "a1Direct001") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(device.ID, device.Status)
	}
	// Output:
	// a1Direct001/direct-0002 online
	// a1Direct001/direct-0001 online
	// a1Direct001/direct-0000 online
}

// A product is listed by a file that was exported from the console.
func ExampleWithDeviceLists() {
	ctx := context.Background()
	config, stop, err := simulated(ctx) // a simulated account: leave this out
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = stop() }()

	client, err := aliyun.Open(config)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	platform := client.Platform()
	platform.Source.View = aliyun.WithDeviceLists(platform.Source.View, map[string]aliyun.DeviceList{
		"a1Direct001": {
			Open:    func() (io.ReadCloser, error) { return os.Open("testdata/devices.csv") },
			Partial: true, // it leaves devices out on purpose
		},
	})
	for device, err := range platform.Source.Devices(ctx, "a1Direct001") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(device.ID, device.Status)
	}
	// Output:
	// a1Direct001/direct-0001 online
	// a1Direct001/direct-0000 online
}

// The columns of a list may have any names.
func ExampleReadDevices() {
	file := strings.NewReader("Serial;Name of device\n17;direct-0001\n18;direct-0002\n")
	for id, err := range aliyun.ReadDevices(file, aliyun.DeviceListFormat{DeviceName: []string{"name of device"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(id.DeviceName)
	}
	// Output:
	// direct-0001
	// direct-0002
}

// An access key from a vault, picked up anew for every request.
func ExampleCredentialsFunc() {
	credentials := aliyun.CredentialsFunc(func(context.Context) (aliyun.Credential, error) {
		secret := iot.NewSecret("from the vault") // cache what is slow to get
		return aliyun.Credential{AccessKeyID: "LTAI-from-the-vault", AccessKeySecret: secret}, nil
	})
	client, err := aliyun.Open(aliyun.Config{
		Region: "cn-shanghai", Account: "1098765432109876", Target: "iot-060a0001", Credentials: credentials,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	fmt.Println(client.Endpoints().OpenAPI)
	// Output: https://iot.cn-shanghai.aliyuncs.com
}
