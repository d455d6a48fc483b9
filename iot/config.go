package iot

import (
	"context"
	"encoding/json"
	"iter"
)

// ConfigReaders read the configuration that a migration concerns beyond what a [View] tells. They change nothing. Each may be
// nil: then a driver has no means for it, and whoever asks has to say what was not read. They are no parts of View
// that have to be there, because a campaign runs without them.
type ConfigReaders struct {
	Rules        RuleReader
	Parsers      ParserReader
	Scripts      ScriptReader
	Labels       LabelReader
	DeviceGroups DeviceGroupReader
	Shadows      ShadowReader
	Jobs         JobReader
}

// ConfigWriters write what a migration leaves behind. Each may be nil. They are reached through an [Instance] alone.
type ConfigWriters struct {
	Labels       LabelWriter
	DeviceGroups DeviceGroupWriter
}

// A RuleReader reads data-forwarding rules in full.
type RuleReader interface {
	// Rule reads one rule with its query and its actions (GetRule, ListRuleActions). The error is [NotFound] if the
	// instance has no rule of that ID: a migrated rule has another ID on the target.
	Rule(ctx context.Context, ruleID string) (RuleDetail, error)
}

// A RuleDetail is all of a rule. The texts are its owner's: escape them where they are shown.
type RuleDetail struct {
	Rule
	DataType string       `json:"dataType"` // JSON or BINARY
	Select   string       `json:"select"`
	Where    string       `json:"where,omitempty"`
	Outputs  []RuleAction `json:"outputs,omitempty"` // in the platform's order
}

// A RuleAction is where a rule sends messages to.
type RuleAction struct {
	Type string `json:"type"` // OTS, FC, RDS, ONS, MNS, AMQP, REPUBLISH...
	// Configuration is the platform's JSON, whose form depends on the type. It may hold IDs of the instance,
	// such as that of a consumer group, and passwords.
	Configuration json.RawMessage `json:"configuration,omitempty"`
	OnError       bool            `json:"onError,omitempty"` // it gets what the other actions could not send
}

// A ParserReader reads the data-forwarding parsers, the newer kind of rules.
type ParserReader interface {
	// Parsers yields the parsers with their data sources and destinations (ListParser, GetParser, ListDataSourceItem,
	// ListParserDestination).
	Parsers(ctx context.Context) iter.Seq2[Parser, error]
}

// A Parser takes messages from a data source, works on them by a script, and sends them to destinations.
type Parser struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"` // free text of its owner, like the other names here: escape it where it is shown
	Running      bool           `json:"running"`
	Script       string         `json:"script,omitempty"`
	Draft        string         `json:"draft,omitempty"`
	Sources      []ParserSource `json:"sources,omitempty"` // the topics of its data source
	Destinations []ParserOutput `json:"destinations,omitempty"`
}

// A ParserSource is one topic of a parser's data source.
type ParserSource struct {
	Topic      string `json:"topic"`
	Scope      string `json:"scope,omitempty"` // the platform's word for what the topic is about
	ProductKey string `json:"productKey,omitempty"`
	DeviceName string `json:"deviceName,omitempty"`
}

// A ParserOutput is a destination of a parser.
type ParserOutput struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	Type          string          `json:"type"`
	Configuration json.RawMessage `json:"configuration,omitempty"` // see [RuleAction]
	OnError       bool            `json:"onError,omitempty"`
}

// A ScriptReader reads the data-parsing scripts of products.
type ScriptReader interface {
	// Script tells of the script of a product (GetThingScript); [NotFound] if it has none. The API gives the address
	// of the script's text instead of the text, so scripts can be compared by language alone.
	Script(ctx context.Context, productKey string) (Script, error)
}

// A Script is a product's data-parsing script.
type Script struct {
	Language string `json:"language"` // JavaScript, Python_27 or PHP_72
}

// MaxLabels is how many labels a device may have: SaveDeviceProp.
const MaxLabels = 100

// A LabelReader reads the labels of devices.
type LabelReader interface {
	// Labels reads the labels of a device (QueryDeviceProp). It is empty for a device without labels, and
	// [NotFound] if the instance does not have the device: a device that moved has left its labels behind,
	// and nobody can read them there.
	Labels(ctx context.Context, id DeviceID) (map[string]string, error)
}

// A LabelWriter adds labels to devices.
type LabelWriter interface {
	// SetLabels adds labels to a device, and replaces the values of those that it has (SaveDeviceProp). Others stay.
	// Doing it twice is the same as once. More than [MaxLabels], and none, are [Invalid].
	SetLabels(ctx context.Context, id DeviceID, labels map[string]string) error
}

// The limits of device groups.
const (
	MaxGroupDevices   = 200 // devices per call: BatchAddDeviceGroupRelations
	MaxGroupsOfDevice = 10  // groups that a device is in
)

// A DeviceGroup is a static group of devices on an instance. Groups that a query makes (dynamic groups) are not among them.
type DeviceGroup struct {
	ID          string `json:"id"`
	Name        string `json:"name"` // 4 to 30 letters, digits and underscores
	Description string `json:"description,omitempty"`
	Parent      string `json:"parent,omitempty"` // ID of the group that it is in; empty for one of the first level
}

// A DeviceGroupReader reads groups of devices.
type DeviceGroupReader interface {
	// DeviceGroups yields the static groups, each parent before its children (QueryDeviceGroupList).
	DeviceGroups(ctx context.Context) iter.Seq2[DeviceGroup, error]
	// GroupDevices yields the devices of a group (QueryDeviceListByDeviceGroup), those that have moved away included:
	// groups of the source still show them. The error is [NotFound] if there is no such group.
	GroupDevices(ctx context.Context, groupID string) iter.Seq2[DeviceID, error]
	// DeviceGroupsOf returns the IDs of the groups that a device is in (QueryDeviceGroupByDevice).
	DeviceGroupsOf(ctx context.Context, id DeviceID) ([]string, error)
}

// A DeviceGroupWriter creates groups of devices and fills them.
type DeviceGroupWriter interface {
	// CreateDeviceGroup creates a group and returns it with its ID; g.ID is not looked at (CreateDeviceGroup). A name
	// that is taken is [Conflict].
	CreateDeviceGroup(ctx context.Context, g DeviceGroup) (DeviceGroup, error)
	// AddToDeviceGroup puts up to [MaxGroupDevices] devices into a group (BatchAddDeviceGroupRelations). Those that are in it
	// already stay in it, so doing it twice is the same as once. A nil error does not say that all of them are in it:
	// see [GroupAdded].
	AddToDeviceGroup(ctx context.Context, groupID string, ids []DeviceID) (GroupAdded, error)
}

// GroupAdded counts what became of the devices of an [DeviceGroupWriter.AddToDeviceGroup] call. What is missing to
// the number asked for was no device of the instance.
type GroupAdded struct {
	Added   int // are in the group now
	Already int // were in it before
	Full    int // are in [MaxGroupsOfDevice] groups already, and not in this one
}

// A ShadowReader reads device shadows.
type ShadowReader interface {
	// Shadow reads the shadow of a device in the platform's JSON (GetDeviceShadow); nil if it has none.
	Shadow(ctx context.Context, id DeviceID) (json.RawMessage, error)
}

// A JobReader reads what is under way, and what has to be made again at the target by hand. It yields what has ended as well.
type JobReader interface {
	// Jobs yields the device jobs of the instance (ListJob).
	Jobs(ctx context.Context) iter.Seq2[Job, error]
	// OTAJobs yields the update batches of a product (ListOTAFirmware, ListOTAJobByFirmware).
	OTAJobs(ctx context.Context, productKey string) iter.Seq2[OTAJob, error]
	// OTATasks yields the devices of an update batch with how far each is (ListOTATaskByJob).
	OTATasks(ctx context.Context, jobID string) iter.Seq2[OTATask, error]
	// Scenes yields the scene rules of the instance (QuerySceneRule).
	Scenes(ctx context.Context) iter.Seq2[Scene, error]
}

// A Job is a job for devices: custom, or setting properties, or calling services of many of them.
type Job struct {
	ID     string `json:"id"`
	Name   string `json:"name"` // free text of its owner: escape it where it is shown
	Type   string `json:"type,omitempty"`
	Status string `json:"status"` // the platform's word
}

// InFlight reports whether the job may still do something. Only the words that say that it ended are known for sure, so every other
// one counts as in flight.
func (j Job) InFlight() bool { return !ended(j.Status) }

// An OTAJob is an update batch: some devices of a product get a firmware.
type OTAJob struct {
	ID         string `json:"id"`
	ProductKey string `json:"productKey"`
	FirmwareID string `json:"firmwareId"`
	Firmware   string `json:"firmware"` // its name: free text of its owner, escape it where it is shown
	Version    string `json:"version"`  // to which devices are updated
	Type       string `json:"type,omitempty"`
	Status     string `json:"status"` // PLANNED, IN_PROGRESS, COMPLETED or CANCELED
}

// InFlight reports whether devices may still be updated by the batch. See [Job.InFlight].
func (j OTAJob) InFlight() bool { return !ended(j.Status) }

func ended(status string) bool {
	switch status {
	case "COMPLETED", "COMPLETE", "CANCELED", "CANCELLED", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED":
		return true
	}
	return false
}

// An OTATask is the update of one device in a batch.
type OTATask struct {
	Device DeviceID `json:"device"`
	Status string   `json:"status"` // CONFIRM, QUEUED, NOTIFIED, IN_PROGRESS, SUCCEEDED, FAILED or CANCELED
}

// InFlight reports whether the device may still be updated. See [Job.InFlight].
func (t OTATask) InFlight() bool { return !ended(t.Status) }

// A Scene is a scene rule, which links devices with each other.
type Scene struct {
	ID      string `json:"id"`
	Name    string `json:"name"` // free text of its owner: escape it where it is shown
	Running bool   `json:"running"`
}
