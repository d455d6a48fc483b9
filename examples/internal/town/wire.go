package town

import (
	"context"
	"errors"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/quota"
)

// perWait is how long a wait of a campaign takes in real time, at most: time for answers and messages to come.
const perWait = 20 * time.Millisecond

// A wire is what a town over sockets is connected by.
type wire struct {
	sockets  *migratetest.Wire
	client   *aliyun.Client
	server   *server
	canaries *canaries
}

// connect puts the platform on sockets and opens the adapter on them, as for the real platform, but for the endpoints and
// the CA of the simulator.
func connect(ctx context.Context, cloud *migratetest.Cloud, clock iot.Clock, how How) (*wire, error) {
	sockets, err := cloud.Listen(ctx, migratetest.WireOptions{})
	if err != nil {
		return nil, err
	}
	w := &wire{sockets: sockets}
	limits := quota.Documented()
	if how.NoQuotas {
		limits = nil
	}
	pacer, err := quota.New(clock, limits)
	if err == nil {
		w.client, err = aliyun.Open(aliyun.Config{
			Region: sockets.Region, Account: sockets.Account, Target: sockets.Target,
			Credentials: aliyun.Static(sockets.AccessKeyID, sockets.AccessKeySecret),
			Endpoints: aliyun.Endpoints{
				OpenAPI: sockets.OpenAPITLS, SourceAMQP: sockets.AMQPTLS, TargetAMQP: sockets.AMQPTLS,
				SourceMQTT: sockets.MQTTTLS,
			},
			RootCAs: sockets.RootCAs, Pacer: pacer,
		})
	}
	if err == nil {
		w.server = newServer(ctx, w.client, clock)
		w.canaries, err = release(ctx, cloud, w.client)
	}
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// close ends everything that connect started, whatever of it there is. Its error says what did not work until then, too.
func (w *wire) close() error {
	var errs []error
	if w.canaries != nil {
		errs = append(errs, w.canaries.close())
	}
	if w.server != nil {
		w.server.close()
	}
	if w.client != nil {
		errs = append(errs, w.client.Close())
	}
	return errors.Join(append(errs, w.sockets.Close())...)
}
