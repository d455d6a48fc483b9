package town

import (
	"context"
	"errors"
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
	all  []canary
	stop context.CancelFunc
	runs sync.WaitGroup

	mu     sync.Mutex
	failed error
}

// A canary is one with its Run: alive is over when that has ended.
type canary struct {
	*aliyun.Canary
	alive context.Context
}

// onlineWithin is how long a canary may take to connect, in real time.
const onlineWithin = 20 * time.Second

// release connects the canaries, by the unchanged public domain, and returns when all of them are online.
func release(ctx context.Context, cloud *migratetest.Cloud, client *aliyun.Client) (*canaries, error) {
	run, stop := context.WithCancel(ctx)
	c := &canaries{stop: stop}
	configs, err := choose(ctx, cloud, client.Platform().Source.View)
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	for _, config := range configs {
		device, err := client.NewCanary(config)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.start(run, device)
	}
	ctx, cancel := context.WithTimeout(ctx, onlineWithin)
	defer cancel()
	for _, canary := range c.all {
		if err := canary.await(ctx, 0); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

func (c *canaries) start(ctx context.Context, device *aliyun.Canary) {
	alive, over := context.WithCancel(ctx)
	c.all = append(c.all, canary{device, alive})
	c.runs.Go(func() {
		defer over()
		c.note(device.Run(ctx))
	})
}

func (c *canaries) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = errors.Join(c.failed, err)
}

// close ends the canaries. Its error is why some have ended before.
func (c *canaries) close() error {
	c.stop()
	c.runs.Wait()
	return c.failed
}

// await waits for a connection after the one of a number, as long as the canary runs.
func (c canary) await(ctx context.Context, number int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.alive, cancel)()
	_, err := c.AwaitSession(ctx, number)
	return err
}

// A patient clock does not leap while a canary is without a connection: a campaign's half an hour is a second of real time,
// and a device that was cut off needs about as long to come back.
type patientClock struct {
	iot.Clock
	canaries *canaries
}

// backWithin is how long a canary is waited for, in real time.
const backWithin = 10 * time.Second

// WaitUntil waits first for the canaries that still run. What is wrong with one that does not come back, its verifier will say.
func (c patientClock) WaitUntil(ctx context.Context, t time.Time) error {
	waiting, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	for _, canary := range c.canaries.all {
		if number, _, err := canary.Session(); err != nil {
			_ = canary.await(waiting, number)
		}
	}
	return c.Clock.WaitUntil(ctx, t)
}

func (c *canaries) devices() []verify.CanaryDevice {
	out := make([]verify.CanaryDevice, len(c.all))
	for i, canary := range c.all {
		out[i] = canary.Canary
	}
	return out
}

// maxSubDevices is how many a canary brings at most, with room in what the platform lets one connection subscribe to.
const maxSubDevices = 10

// choose takes the first device of each product that signs in with a secret, is online, and can connect by itself. Of
// gateways it takes one with a few sub-devices that are all online.
func choose(ctx context.Context, cloud *migratetest.Cloud, source iot.View) ([]aliyun.CanaryConfig, error) {
	subs, whole := families(cloud)
	models := make(map[string]*model)
	chosen := map[string]bool{}
	var configs []aliyun.CanaryConfig
	for id := range cloud.Devices() {
		if chosen[id.ProductKey] || !whole[id] {
			continue
		}
		m, err := modelOf(ctx, source, models, id.ProductKey)
		if err != nil {
			return nil, err
		}
		if !m.canBeCanary(len(subs[id])) {
			continue
		}
		config, err := configure(ctx, cloud, source, models, id, subs[id])
		if err != nil {
			return nil, err
		}
		chosen[id.ProductKey] = true
		configs = append(configs, config)
	}
	return configs, nil
}

// families returns the sub-devices of gateways, and the devices that are online with all of theirs.
func families(cloud *migratetest.Cloud) (subs map[iot.DeviceID][]iot.DeviceID, whole map[iot.DeviceID]bool) {
	subs, whole = map[iot.DeviceID][]iot.DeviceID{}, map[iot.DeviceID]bool{}
	for id := range cloud.Devices() {
		gateway := cloud.GatewayOf(id)
		if gateway.IsZero() {
			gateway = id
		} else {
			subs[gateway] = append(subs[gateway], id)
		}
		if _, known := whole[gateway]; !known {
			whole[gateway] = true
		}
		whole[gateway] = whole[gateway] && cloud.Online(id)
	}
	return subs, whole
}

func configure(
	ctx context.Context, cloud *migratetest.Cloud, source iot.View, models map[string]*model, id iot.DeviceID, subs []iot.DeviceID,
) (aliyun.CanaryConfig, error) {
	config := aliyun.CanaryConfig{ReportEvery: 250 * time.Millisecond} // of real time: a campaign's minutes pass in milliseconds
	for i, member := range append([]iot.DeviceID{id}, subs...) {
		m, err := modelOf(ctx, source, models, member.ProductKey)
		if err != nil {
			return config, err
		}
		credential, err := cloud.Credential(ctx, member)
		if err != nil {
			return config, err
		}
		if i == 0 {
			config.Credential, config.Behaviour = credential, m.behaviour()
			continue
		}
		config.SubDevices = append(config.SubDevices, aliyun.CanarySubDevice{Credential: credential, Behaviour: m.behaviour()})
	}
	return config, nil
}
