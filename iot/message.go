package iot

import (
	"encoding/json"
	"strings"
	"time"
)

// A Message is one message that the platform delivered to a server: by an AMQP consumer group, or
// through a rule to a sink that the caller owns.
type Message struct {
	ID        string    // messageId: the same on every delivery of it
	Topic     string    // where the device, or the platform, published it
	Generated time.Time // generateTime, UTC
	Payload   []byte    // JSON for the platform's own topics, else the device's bytes
	Instance  string    // ID of the instance that delivered it; empty for the legacy public one
}

// Device returns the device that a message is about, as its topic names it, and false if the topic
// names none.
func (m Message) Device() (DeviceID, bool) {
	topic := strings.TrimPrefix(m.Topic, "/as/mqtt/status")
	topic = strings.TrimPrefix(topic, "/sys")
	parts := strings.SplitN(topic, "/", 4)
	if len(parts) < 3 || parts[0] != "" || isJobStatus(parts) {
		return DeviceID{}, false
	}
	id := DeviceID{ProductKey: parts[1], DeviceName: parts[2]}
	return id, id.Check() == nil
}

// isJobStatus recognises the one topic of a product that has no device in it:
// /${productKey}/${packageId}/${jobId}/ota/job/status.
func isJobStatus(parts []string) bool {
	if len(parts) < 4 {
		return false
	}
	job, rest, _ := strings.Cut(parts[3], "/")
	return rest == "ota/job/status" && job != "user"
}

// A MigrationNotice is an instance-migration message of the source's rules engine: the platform's own
// word that devices moved. It is evidence, never a verdict: its rollback form is not documented.
type MigrationNotice struct {
	Status  string // seen: GRAY_EXECUTING, ALL_EXECUTING
	Target  string // ID of the instance they moved to
	Devices []DeviceID
}

// Notice reads m as an instance-migration message, leniently: whatever has the fields targetInstance and
// successDevices is one, but for what a device has published on a custom topic of its own. It returns false for every other message.
func (m Message) Notice() (MigrationNotice, bool) {
	if id, ok := m.Device(); ok && strings.HasPrefix(m.Topic, "/"+id.String()+"/user/") {
		return MigrationNotice{}, false
	}
	var body struct {
		Status  string      `json:"status"`
		Target  *string     `json:"targetInstance"`
		Devices *[]DeviceID `json:"successDevices"`
	}
	if json.Unmarshal(m.Payload, &body) != nil || body.Target == nil || body.Devices == nil {
		return MigrationNotice{}, false
	}
	return MigrationNotice{Status: body.Status, Target: *body.Target, Devices: *body.Devices}, true
}
