package scenario

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// Direct is scenario 1 of the guide: devices with a certificate of their own report on custom topics, their messages are
// forwarded to other cloud products, and the server calls Pub.
func Direct(o Options) migrate.Strategy { return newStrategy(NameDirect, o, (*guide).direct) }

func (g *guide) direct() []migrate.Stage {
	proven := g.proofOf(
		g.online(),     // devices came back
		g.forwarding(), // rules and AMQP subscriptions came along
		g.reporting(),  // devices report as before
		g.pub(),        // the server reaches them; after a ticket also without the instance ID
	)
	return []migrate.Stage{
		// Nothing changes on the device side.
		g.createTask(),

		// Small batches first: products and forwarding come along, devices prove themselves.
		g.firstGray(fmt.Sprintf("about %d devices", g.firstDevices()), g.first(proven)),
		g.confirmGray(),
		g.grayWaves(proven),

		// Then the existing devices, in batches or by full migration.
		g.rest(proven),
		g.check("only the target has them, and their forwarding is complete", g.proofOf(g.absent(), g.forwarding())),
	}
}
