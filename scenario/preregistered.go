package scenario

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// PreRegistered is scenario 3 of the guide: devices with a certificate per product, registered before, report on custom
// topics, the server reads an AMQP subscription and calls Pub. New devices can be created at the target.
func PreRegistered(o Options) migrate.Strategy {
	return newStrategy(NamePreRegistered, o, (*guide).preregistered)
}

func (g *guide) preregistered() []migrate.Stage {
	proven := g.preregisteredProof()
	return []migrate.Stage{
		// Nothing changes on the device side.
		g.createTask(),

		// Small batches first. The subscriber is new at the target, so nothing can be received before the server
		// is updated: for now devices only have to come back.
		g.firstGray(fmt.Sprintf("about %d devices", g.firstDevices()), g.proofOf(g.online())),

		// The server: its new subscription, its update, and what both are proven by.
		g.subscribe(),
		g.updateSubscriber(),
		g.proveGray(g.first(proven)),
		g.confirmGray(),

		// New devices can be created directly at the target now.
		g.newDevice(),

		// Then the existing devices, in batches or by full migration.
		g.grayWaves(proven),
		g.rest(proven),
		g.check("only the target has them, and their forwarding is complete", g.proofOf(g.absent(), g.forwarding())),
	}
}

func (g *guide) preregisteredProof() proof {
	return g.proofOf(
		g.online(),       // devices came back
		g.forwarding(),   // the AMQP subscription was generated
		g.reporting(),    // devices report as before
		g.subscription(), // the server reads them at the target, and has read all at the source
		g.pub(),          // the server reaches them; after a ticket also without the instance ID
		g.servicesToo(),  // and calls services of those with a thing model
	)
}

// updateSubscriber is the caller's function, or a gate for a person.
func (g *guide) updateSubscriber() migrate.Stage {
	s := migrate.Stage{
		Name: "update-subscriber", Gate: true,
		About: "Let the server read the consumer groups of the target beside those of the source, then approve.",
	}
	if g.UpdateSubscriber != nil {
		s.Gate = false
		s.About = "Let the server read the consumer groups of the target beside those of the source."
		s.Do = g.UpdateSubscriber
	}
	return s
}

// newDevice creates a device at the target and asks it for the same proof as those that moved, except for calls without
// an instance ID: that the ticket is about new devices, too, is not documented.
func (g *guide) newDevice() migrate.Stage {
	s := migrate.Stage{
		Name: "new-device", Gate: true,
		About: "Create new devices directly at the target from now on, try one out, then approve.",
	}
	if g.NewDevice != nil {
		withID := *g
		withID.TicketGranted = false
		p := withID.preregisteredProof()
		s.Gate = false
		s.About = "Create a new device directly at the target and verify it as those that moved" + p.says()
		s.Do = (&newDevice{name: g.NewDeviceName, plugIn: g.NewDevice, verifiers: p.verifiers}).run
	}
	return s
}
