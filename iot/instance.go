package iot

// An InstanceType is an edition of the platform.
type InstanceType string

// The two editions between which devices are migrated.
const (
	PublicLegacy       InstanceType = "public-legacy"       // the source: it has no ID
	EnterpriseStandard InstanceType = "enterprise-standard" // the target
)

// An InstanceInfo says which instance this is. The ID of the legacy public instance is empty.
type InstanceInfo struct {
	ID     string       `json:"id"`
	Type   InstanceType `json:"type"`
	Region string       `json:"region"`
}

// String returns the instance's ID, or "public instance" for the legacy one, which has none.
func (i InstanceInfo) String() string {
	if i.ID == "" {
		return "public instance"
	}
	return i.ID
}

// A View is one instance as it can be read. Nothing that is reached through a View changes anything
// on the platform or on a device: what gets a View cannot write.
type View struct {
	Info InstanceInfo
	Registry
	StateReader
	TopologyReader
	ForwardingReader
	ModelReader
	ModelVersionReader
	HistoryReader
	// Config reads the rest of the instance's configuration, as far as the driver can. Check does not ask for it.
	Config ConfigReaders
}

// An Instance is one instance as it can be read and changed.
type Instance struct {
	View
	Commander
	Registrar
	Subscriber
	// Configure writes what a migration leaves behind, as far as the driver can. Check does not ask for it.
	Configure ConfigWriters
}

// A Platform is what a campaign works on: one account's source and target, and what moves devices
// from the one to the other.
type Platform struct {
	Account string // the account's UID
	Source  Instance
	Target  Instance
	Mover   Mover
}

// Check returns an [Invalid] error that names the first part of p that is missing. Every exported
// function that takes a Platform calls it.
func (p Platform) Check() error {
	if err := p.Source.check("Source"); err != nil {
		return err
	}
	if err := p.Target.check("Target"); err != nil {
		return err
	}
	if p.Target.Info.ID == "" {
		return invalid("platform: Target.Info.ID is empty: devices are moved to an Enterprise instance, which has an ID")
	}
	if p.Target.Info.ID == p.Source.Info.ID {
		return invalid("platform: source and target are the same instance %q", p.Target.Info.ID)
	}
	if p.Mover == nil {
		return invalid("platform: Mover is nil")
	}
	return nil
}

func (i Instance) check(name string) error {
	if err := i.View.check(name); err != nil {
		return err
	}
	for _, part := range []part{
		{"Commander", i.Commander == nil},
		{"Registrar", i.Registrar == nil},
		{"Subscriber", i.Subscriber == nil},
	} {
		if part.missing {
			return invalid("platform: %s.%s is nil", name, part.name)
		}
	}
	return nil
}

type part struct {
	name    string
	missing bool
}

func (v View) check(name string) error {
	for _, part := range []part{
		{"Registry", v.Registry == nil},
		{"StateReader", v.StateReader == nil},
		{"TopologyReader", v.TopologyReader == nil},
		{"ForwardingReader", v.ForwardingReader == nil},
		{"ModelReader", v.ModelReader == nil},
		{"ModelVersionReader", v.ModelVersionReader == nil},
		{"HistoryReader", v.HistoryReader == nil},
	} {
		if part.missing {
			return invalid("platform: %s.%s is nil", name, part.name)
		}
	}
	return nil
}

// Check returns an [Invalid] error that names the first part of v that is missing.
func (v View) Check() error { return v.check("View") }
