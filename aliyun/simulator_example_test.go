package aliyun_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A client of the simulator, with a platform that is in memory besides. For the real platform, leave out Endpoints and RootCAs, and take credentials that are kept
// outside of the program: aliyun.Environment() or aliyun.Chain().
func Example_simulator() {
	ctx := context.Background()
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 120, Gateways: 2, SubDevices: 15})
	cloud, err := migratetest.Open(bytes.NewReader(fleet), migratetest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	sim, err := cloud.Listen(ctx, migratetest.WireOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()

	client, err := aliyun.Open(aliyun.Config{
		Region: sim.Region, Account: sim.Account, Target: sim.Target,
		Credentials: aliyun.Static(sim.AccessKeyID, sim.AccessKeySecret),
		Endpoints: aliyun.Endpoints{
			OpenAPI: sim.OpenAPITLS, SourceAMQP: sim.AMQPTLS, TargetAMQP: sim.AMQPTLS,
			SourceMQTT: sim.MQTTTLS,
		},
		RootCAs: sim.RootCAs,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	p := client.Platform()
	survey, err := migrate.TakeSurvey(ctx, p.Source.View, p.Target.View, p.Account, cloud.Declared())
	if err != nil {
		log.Fatal(err)
	}
	devices := 0
	for _, product := range survey.Products {
		devices += len(product.Devices)
	}
	fmt.Println(devices, "devices,", len(survey.Gateways), "gateways")
	// Output:
	// 152 devices, 2 gateways
}
