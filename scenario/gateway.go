package scenario

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// Gateway is scenario 2 of the guide: as scenario 1, but devices connect as sub-devices of a gateway. Families
// move whole, and their topology has to stay as it is.
//
// A lane may hold products that the guide has no page for together with gateways. Those with a thing model
// report by it and are called by service, if services are chosen; for those that are pre-registered
// and have an AMQP subscription, the server has to read it at the target. A gateway without sub-devices is a
// family of one.
func Gateway(o Options) migrate.Strategy { return newStrategy(NameGateway, o, (*guide).gateway) }

func (g *guide) gateway() []migrate.Stage {
	// The runner asks about the sub-devices of a family first, by all of these steps, and then, by the same
	// steps, about its gateway.
	proven := g.proofOf(
		g.online(),           // sub-devices came back through their gateway, then the gateway itself
		g.topology(),         // they belong together as before
		g.forwarding(),       // rules and AMQP subscriptions came along
		g.reporting(),        // devices report as before
		g.subscriptionsToo(), // the server reads the groups of pre-registered products
		g.pub(),              // the server reaches them; after a ticket also without the instance ID
		g.servicesToo(),      // and calls services of those with a thing model
	)
	const order = "sub-devices prove themselves first, then their gateway by the same steps"
	return []migrate.Stage{
		// Nothing changes on the device side, and the topology must not change meanwhile.
		g.createTask(),

		// Small batches first. A sub-device cannot move without its gateway, so a batch is of whole families:
		// the sub-devices are verified, then the gateways.
		g.firstGray(fmt.Sprintf("whole families of about %d devices", g.firstDevices()), g.first(proven), order),
		g.confirmGray(),
		g.grayWaves(proven, order),

		// Then the existing devices, in batches or by full migration.
		g.rest(proven, order),
		g.check("only the target has them, their topology is as planned and their forwarding is complete",
			g.proofOf(g.absent(), g.topology(), g.forwarding())),
	}
}
