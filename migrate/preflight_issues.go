package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A productCheck is one rule of the platform about products.
type productCheck struct {
	code  Code
	basis Basis
	hits  func(Declared, *prospect) bool
	why   string
	do    string
}

// tooLarge is the one check whose reason has numbers.
func tooLarge(d Declared, p *prospect) Issue {
	return Issue{
		Code: CodeProductSize, Severity: Blocker, Basis: BasisObserved, ProductKey: p.product.Key,
		Why: fmt.Sprintf("The product has %d devices, and the platform migrates products of at most %d, unless support raises that limit.",
			len(p.shown.Devices), maxDevices(d)),
		Remedy: "Ask support to raise the limit for the product, and declare what it is then.",
	}
}

// productBlocks lists what keeps a product from being migrated: the usage notes of instance migration.
func productBlocks() []productCheck {
	return []productCheck{
		{CodeAuthorized, BasisDeclared, feature(iot.Authorized),
			"The platform does not migrate products that are authorized to another account: Enterprise instances have no authorization.",
			"End the authorization and declare the product without it, or leave the product where it is."},
		{CodeDataService, BasisDeclared, feature(iot.DataService),
			"The platform does not migrate products that were used with the data service.",
			"Leave the product where it is, or ask support."},
		{CodeVideo, BasisDeclared, feature(iot.Video),
			"The platform does not migrate products for which the video service is opened.",
			"Leave the product where it is, or ask support about the video service's own transfer of devices."},
		{CodeEdge, BasisDeclared, feature(iot.Edge),
			"The platform does not migrate products that are also connected to Link IoT Edge.",
			"Disconnect the product from Link IoT Edge and declare it without, or leave it where it is."},
		{CodeLiving, BasisDeclared, feature(iot.Living),
			"The platform does not migrate products that are also connected to the Living platform.",
			"Disconnect the product from the Living platform and declare it without, or leave it where it is."},
		{CodeNBIoT, BasisDeclared, func(_ Declared, p *prospect) bool { return p.product.Network == iot.NBIoT },
			"The platform does not migrate NB-IoT devices.",
			"Leave the product where it is."},
		{CodeID2, BasisObserved, func(d Declared, p *prospect) bool { return p.product.Auth == iot.AuthID2 && !d.ID2Listed },
			"The platform migrates devices with ID² authentication only for accounts that support has put on a list.",
			"Ask support to put the account on the list, and declare it."},
		{CodePreregistrationFree, BasisDeclared, func(_ Declared, p *prospect) bool { return p.product.Auth == iot.AuthPerProductFree },
			"The platform migrates devices with a certificate of their own or with pre-registration, not those without registration.",
			"Leave the product where it is, or ask support."},
		{CodeMNSOnly, BasisObserved, func(_ Declared, p *prospect) bool { return p.subscribed(iot.MNS) && !p.subscribed(iot.AMQP) },
			"Enterprise instances have no MNS subscriptions: what reads the product's queue would get nothing any more.",
			"Subscribe to the product by AMQP (MNSSwitch of package scenario does), let your servers read that, and survey again."},
	}
}

// productWarnings lists what a person should know of a product that moves. Where the platform's
// documents say nothing, the reason says so.
func productWarnings() []productCheck {
	return []productCheck{
		{CodeMNSAlso, BasisObserved, func(_ Declared, p *prospect) bool { return p.subscribed(iot.MNS) },
			"Enterprise instances have no MNS subscriptions: the product's queue falls silent when its devices move.",
			"Let everything that reads the queue read by AMQP before the first device moves."},
		{CodeNewAMQPClient, BasisObserved, func(_ Declared, p *prospect) bool { return p.subscribed(iot.AMQP) },
			"AMQP subscriptions move with the product, but the target is read at another host and by its instance ID.",
			"Run a second AMQP client for the target before the first device moves; keep the first one until the last has."},
		{CodeLoRaWAN, BasisDeclared, func(_ Declared, p *prospect) bool { return p.product.Network == iot.LoRaWAN },
			"LoRaWAN devices may stop working after the migration, says the platform.",
			"Ask support first, and begin with few devices that can be reached."},
		{CodeX509, BasisObserved, func(_ Declared, p *prospect) bool { return p.product.Auth == iot.AuthX509 },
			"The platform does not name X.509 certificates among the ways of authentication that it migrates.",
			"Ask support, or begin with few devices and watch them sign in."},
		{CodeUndeclared, BasisUndeclared, func(_ Declared, p *prospect) bool { return !p.declared || p.product.Auth == iot.AuthSecret },
			"No API shows which kind of secret a product's devices use, nor the features and networks that forbid a migration.",
			"Declare the product: its authentication, its network if that is LoRaWAN or NB-IoT, and its features."},
	}
}

func feature(f iot.Feature) func(Declared, *prospect) bool {
	return func(_ Declared, p *prospect) bool { return slices.Contains(p.features, f) }
}

func maxDevices(d Declared) int {
	if d.MaxProductDevices > 0 {
		return d.MaxProductDevices
	}
	return defaultMaxProductDevices
}

func (p *prospect) subscribed(t iot.SubscriptionType) bool {
	return slices.ContainsFunc(p.product.Subscriptions, func(s iot.Subscription) bool { return s.Type == t })
}

func (c productCheck) issue(s Severity, key string) Issue {
	return Issue{Code: c.code, Severity: s, Basis: c.basis, ProductKey: key, Why: c.why, Remedy: c.do}
}

func (in *inspection) blockProducts() {
	checks := productBlocks()
	for i := range in.prospects {
		p := &in.prospects[i]
		for _, c := range checks {
			if c.hits(in.survey.Declared, p) {
				p.blocked = true
				p.observed = p.observed || c.basis == BasisObserved
				in.issues = append(in.issues, c.issue(Blocker, p.product.Key))
			}
		}
		if len(p.shown.Devices) > maxDevices(in.survey.Declared) {
			p.blocked, p.observed = true, true
			in.issues = append(in.issues, tooLarge(in.survey.Declared, p))
		}
	}
}

// A familyHold is one rule about families.
type familyHold uint8

const (
	familyDistributed familyHold = iota
	familyBlocked
	familyTwoOwners
	familyTooLarge
	familyHolds // how many there are
)

// issue is about a family with the devices that hold it; blocked is how it is known what blocks their products.
func (h familyHold) issue(id iot.DeviceID, devices []iot.DeviceID, blocked Basis) Issue {
	i := Issue{Severity: Blocker, Basis: BasisObserved, Family: &id, Devices: devices}
	switch h {
	case familyDistributed:
		i.Code = CodeDistributed
		i.Why = "The platform does not migrate devices that device distribution placed on the instance."
		i.Remedy = "Leave the family where it is, or take the distribution of the listed devices back and survey again."
	case familyBlocked:
		i.Code, i.Basis = CodeFamilyBlocked, blocked
		i.Why = "A gateway and its sub-devices must go together, and those of " + products(devices) + " cannot be migrated."
		i.Remedy = "Remove what blocks the product, or give the listed devices another gateway before the migration; then survey again."
	case familyTwoOwners:
		i.Code = CodeTwoOwners
		i.Why = "Both instances show the listed devices, though only one of them can own a device: they may be moving just now."
		i.Remedy = "Wait until no migration task is moving devices and survey again; if it stays so, ask support."
	case familyTooLarge:
		i.Code, i.Devices = CodeOfflineBudget, nil
		i.Why = fmt.Sprintf("All %d devices of the family are offline at once while it moves, and the limits allow fewer (maxOffline).", len(devices))
		i.Remedy = fmt.Sprintf("Allow %d devices or more to be offline at once, or divide the gateway's sub-devices among gateways and survey again.", len(devices))
	}
	return i
}

// products names the products of devices, each once.
func products(devices []iot.DeviceID) string {
	var keys []string
	for _, d := range devices {
		keys = append(keys, d.ProductKey)
	}
	slices.Sort(keys)
	return "product " + strings.Join(slices.Compact(keys), ", ")
}

func noGateway(id iot.DeviceID) Issue {
	return Issue{
		Code: CodeNoGateway, Severity: Blocker, Basis: BasisObserved, Family: &id,
		Why:    "It is a sub-device that no gateway has: sub-devices move with their gateway, and connect only through it.",
		Remedy: "Add it to a gateway or delete it, and survey again; or leave it where it is.",
	}
}

// checkQuota compares the devices of all lanes with what the target can hold online. Devices that it
// has already do not count: the platform's rule speaks of those to migrate.
func (in *inspection) checkQuota() {
	total := 0
	for _, l := range in.lanes {
		total += l.lane.Devices
	}
	i := Issue{Instance: in.survey.Target.ID}
	switch quota := in.survey.Declared.TargetOnlineQuota; {
	case total == 0:
		return
	case quota == 0:
		i.Code, i.Severity, i.Basis = CodeUndeclared, Warning, BasisUndeclared
		i.Why = fmt.Sprintf("The target must be able to hold more than the %d devices to migrate online at once, and no API shows its quota.", total)
		i.Remedy = "Look the quota up in the console and declare it."
	case quota <= total:
		i.Code, i.Severity, i.Basis = CodeOnlineQuota, Blocker, BasisDeclared
		i.Why = fmt.Sprintf("The target can hold %d devices online at once, and that must be more than the %d devices to migrate.", quota, total)
		i.Remedy = fmt.Sprintf("Raise the target's quota to %d or more, and declare it.", total+1)
	default:
		return
	}
	in.issues = append(in.issues, i)
}
