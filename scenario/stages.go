package scenario

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// The stages that the four pages share, in the order in which they come. Their names never change.

// createTask opens the migration tasks.
func (g *guide) createTask() migrate.Stage {
	return migrate.Stage{
		Name: "create-task", Console: migrate.ConsoleCreate,
		About: "Create a migration task for each product in the console; nothing moves yet, and nothing has to be changed on devices.",
	}
}

// firstGray moves and proves the first gray batch, which what describes.
func (g *guide) firstGray(what string, p proof, notes ...string) migrate.Stage {
	return migrate.Stage{
		Name: "first-gray", Console: migrate.ConsoleGray,
		About: fmt.Sprintf("Move %s as the first gray batch in the console; products, forwarding rules and AMQP subscriptions come along%s%s",
			what, g.mnsHint(), p.says(notes...)),
		Move:   &migrate.Move{Devices: g.firstDevices(), Include: g.canaryIDs()},
		Verify: p.verifiers,
	}
}

// mnsHint tells what does not come along.
func (g *guide) mnsHint() string {
	if has(g.lane, mns) && g.MNSGroup != "" {
		return fmt.Sprintf(", but the MNS subscriptions of the lane do not: consumer group %q gets their messages", g.MNSGroup)
	}
	if has(g.lane, mns) {
		return ", but the MNS subscriptions of the lane do not: read the messages by AMQP instead"
	}
	return "; Enterprise instances have no MNS subscriptions, only AMQP"
}

// subscribe lets the caller's group read the lane's products at the target, and sees that every AMQP
// subscription came along.
func (g *guide) subscribe() migrate.Stage {
	s := migrate.Stage{
		Name:  "subscription",
		About: "See that the AMQP subscription of the product was generated at the target.",
		Do:    subscription{group: g.Group}.run,
	}
	if g.Group != "" {
		s.About = fmt.Sprintf("Subscribe consumer group %q of the target to the product, beside the groups that came along.", g.Group)
	}
	return s
}

// proveGray asks the first gray batch for the rest of its proof, once its messages can be received.
func (g *guide) proveGray(p proof) migrate.Stage {
	return migrate.Stage{
		Name:   "prove-gray",
		About:  "Verify the first gray batch in full, as its messages can be received now" + p.says(),
		Verify: p.verifiers,
	}
}

// confirmGray ends the gray verification: from here on the platform's API moves further devices.
func (g *guide) confirmGray() migrate.Stage {
	return migrate.Stage{
		Name: "confirm-gray", Gate: true, Console: migrate.ConsoleConfirm,
		About: "Approve what the first gray batch has proven, and confirm it in the console; further batches move by API.",
	}
}

// grayWaves moves a larger sample by API.
func (g *guide) grayWaves(p proof, notes ...string) migrate.Stage {
	n := g.grayDevices(g.lane.Devices)
	return migrate.Stage{
		Name:   "gray-waves",
		About:  fmt.Sprintf("Move about %d more devices by API in growing waves, each proven before the next one%s", n, p.says(notes...)),
		Move:   &migrate.Move{Devices: n, Ramp: g.Ramp},
		Verify: p.verifiers,
	}
}

// rest moves all other devices, by API or by full migration.
func (g *guide) rest(p proof, notes ...string) migrate.Stage {
	s := migrate.Stage{
		Name: "rest", Gate: true,
		About:  "Approve, then move all devices that are left by API in growing waves, each proven before the next one" + p.says(notes...),
		Move:   &migrate.Move{Rest: true, Ramp: g.Ramp},
		Verify: p.verifiers,
	}
	if g.Full {
		s.Console = migrate.ConsoleFull
		s.About = "Approve, then move all devices that are left at once by full migration in the console" + p.says(notes...)
	}
	return s
}

// check looks at everything once more.
func (g *guide) check(about string, p proof) migrate.Stage {
	return migrate.Stage{
		Name:   "check",
		About:  "Look at all moved devices once more: " + about + p.says(),
		Verify: p.verifiers,
	}
}
