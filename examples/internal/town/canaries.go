package town

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// canaries are devices of the fleet that real MQTT clients bring: one of each product that is not a sub-device's, a gateway
// with all that it has.
type canaries struct {
	all  []*aliyun.Canary
	stop context.CancelFunc
	runs sync.WaitGroup

	mu     sync.Mutex
	failed error
}

// onlineWithin is how long a canary may take to connect, in real time.
const onlineWithin = 20 * time.Second

// release connects the canaries, by the unchanged public domain, and returns when all of them are online.
func release(ctx context.Context, cloud *migratetest.Cloud, client *aliyun.Client) (*canaries, error) {
	run, stop := context.WithCancel(ctx)
	c := &canaries{stop: stop}
	configs, err := choose(ctx, cloud, client.Platform().Source.View)
	if err != nil {
		stop()
		return nil, err
	}
	for _, config := range configs {
		canary, err := client.NewCanary(config)
		if err != nil {
			c.close()
			return nil, err
		}
		c.all = append(c.all, canary)
		c.runs.Go(func() { c.note(canary.Run(run)) })
	}
	ctx, cancel := context.WithTimeout(ctx, onlineWithin)
	defer cancel()
	for _, canary := range c.all {
		if _, err := canary.AwaitSession(ctx, 0); err != nil {
			c.close()
			return nil, fmt.Errorf("canary %s: %w", canary.ID(), err)
		}
	}
	return c, nil
}

func (c *canaries) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.failed == nil {
		c.failed = err
	}
}

func (c *canaries) close() error {
	c.stop()
	c.runs.Wait()
	return c.failed
}

// A patient clock does not leap while a canary is without a connection: a campaign's half an hour is a second of real time,
// and a device that was cut off needs about as long to come back.
type patientClock struct {
	iot.Clock
	canaries *canaries
}

// backWithin is how long a canary is waited for, in real time.
const backWithin = 10 * time.Second

// WaitUntil waits for the canaries first.
func (c patientClock) WaitUntil(ctx context.Context, t time.Time) error {
	waiting, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	for _, canary := range c.canaries.all {
		if number, _, err := canary.Session(); err != nil {
			if _, err := canary.AwaitSession(waiting, number); err != nil {
				break // its verifier will say what is wrong
			}
		}
	}
	return c.Clock.WaitUntil(ctx, t)
}

func (c *canaries) devices() []verify.CanaryDevice {
	out := make([]verify.CanaryDevice, len(c.all))
	for i, canary := range c.all {
		out[i] = canary
	}
	return out
}

// choose takes the first device of each product that signs in with a secret, is online, and can connect by itself. Of
// gateways it takes one whose sub-devices are all online.
func choose(ctx context.Context, cloud *migratetest.Cloud, source iot.View) ([]aliyun.CanaryConfig, error) {
	families := map[iot.DeviceID][]iot.DeviceID{}
	whole := map[iot.DeviceID]bool{}
	for id := range cloud.Devices() {
		gateway := cloud.GatewayOf(id)
		if gateway.IsZero() {
			gateway = id
		}
		if _, known := whole[gateway]; !known {
			whole[gateway] = true
		}
		whole[gateway] = whole[gateway] && cloud.Online(id)
		if gateway != id {
			families[gateway] = append(families[gateway], id)
		}
	}
	chosen := map[string]bool{}
	var configs []aliyun.CanaryConfig
	for id := range cloud.Devices() {
		if chosen[id.ProductKey] || !whole[id] || !cloud.GatewayOf(id).IsZero() {
			continue
		}
		chosen[id.ProductKey] = true
		config, ok, err := configure(ctx, cloud, source, id, families[id])
		if err != nil {
			return nil, err
		}
		if ok {
			configs = append(configs, config)
		}
	}
	return configs, nil
}

// configure makes the configuration of a canary; it is not ok for a product that a canary cannot be of.
func configure(
	ctx context.Context, cloud *migratetest.Cloud, source iot.View, id iot.DeviceID, subs []iot.DeviceID,
) (config aliyun.CanaryConfig, ok bool, err error) {
	p, err := source.Product(ctx, id.ProductKey)
	if err != nil || p.Auth != iot.AuthSecret || p.NodeType == iot.SubDevice {
		return config, false, err
	}
	if config.Credential, err = cloud.Credential(ctx, id); err != nil {
		return config, false, err
	}
	if config.Behaviour, err = behaviour(ctx, source, p); err != nil {
		return config, false, err
	}
	for _, sub := range subs {
		p, err := source.Product(ctx, sub.ProductKey)
		if err != nil {
			return config, false, err
		}
		var s aliyun.CanarySubDevice
		if s.Credential, err = cloud.Credential(ctx, sub); err != nil {
			return config, false, err
		}
		if s.Behaviour, err = behaviour(ctx, source, p); err != nil {
			return config, false, err
		}
		config.SubDevices = append(config.SubDevices, s)
	}
	config.ReportEvery = 250 * time.Millisecond // of real time: a campaign's minutes pass in milliseconds
	return config, true, nil
}

// behaviour lets a canary of a product with a thing model post a property and answer the services; others report on
// user/update and answer nothing but RRPC.
func behaviour(ctx context.Context, source iot.View, p iot.Product) (aliyun.CanaryBehaviour, error) {
	if p.DataFormat != iot.Alink {
		return aliyun.CanaryBehaviour{}, nil
	}
	model, err := source.ThingModel(ctx, p.Key)
	if err != nil {
		return aliyun.CanaryBehaviour{}, err
	}
	var tsl struct {
		Properties []struct {
			Identifier string
			DataType   struct{ Type string }
		}
		Services []struct{ Identifier string }
	}
	if err := json.Unmarshal(model, &tsl); err != nil {
		return aliyun.CanaryBehaviour{}, fmt.Errorf("thing model of %s: %w", p.Key, err)
	}
	b := aliyun.CanaryBehaviour{Services: map[string]aliyun.CanaryService{}}
	for _, s := range tsl.Services {
		b.Services[s.Identifier] = nil
	}
	for _, property := range tsl.Properties {
		if t := property.DataType.Type; t == "int" || t == "float" || t == "double" {
			b.Report = aliyun.PropertyReport(json.RawMessage(fmt.Sprintf(`{%q:1}`, property.Identifier)))
			break
		}
	}
	return b, nil
}
