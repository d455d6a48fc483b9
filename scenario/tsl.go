package scenario

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// TSL is scenario 4 of the guide: devices with a certificate of their own and a thing model report on Alink topics, their
// messages are forwarded to other cloud products, and the server calls InvokeThingService. Data synchronisation takes
// the history of 7 to 30 days along.
func TSL(o Options) migrate.Strategy { return newStrategy(NameTSL, o.withConditions(), (*guide).tsl) }

func (g *guide) tsl() []migrate.Stage {
	proven := g.proofOf(
		g.online(),     // devices came back
		g.forwarding(), // rules and AMQP subscriptions came along
		g.reporting(),  // properties and events are posted as before
		g.services(),   // the server's calls are answered; after a ticket also without the instance ID
	)
	// Nothing changes on the device side.
	stages := []migrate.Stage{g.createTask()}

	// Small batches first: products and forwarding come along, devices prove themselves.
	stages = append(stages, g.grayOfTSL(g.first(proven))...)
	stages = append(stages, g.confirmGray(), g.grayWaves(proven))

	// The history of properties, events and services: synchronise, and wait.
	stages = append(stages, g.dataSync())

	// Then the existing devices, in batches or by full migration; they have their history.
	return append(stages,
		g.rest(g.andHistory(proven)),
		g.check("only the target has them, and their forwarding is complete", g.proofOf(g.absent(), g.forwarding())))
}

// grayOfTSL is the first gray batch. With a group of the caller, the batch proves itself once the group is subscribed:
// answers to asynchronous services are messages, and the rules of a product seldom forward them.
func (g *guide) grayOfTSL(proven proof) []migrate.Stage {
	batch := fmt.Sprintf("about %d devices", g.firstDevices())
	if g.Group == "" {
		return []migrate.Stage{g.firstGray(batch, proven)}
	}
	return []migrate.Stage{
		g.firstGray(batch, g.proofOf(g.online())),
		g.subscribe(),
		g.proveGray(proven),
	}
}
