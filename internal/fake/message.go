package fake

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A record is a message before somebody reads it: small, because most are never read.
type record struct {
	at     stamp
	dev    *device // nil for a notice
	in     *instance
	id     uint64
	text   *text // for the kinds that carry one; status: the address of a client in its body
	kind   recordKind
	online bool  // status
	code   int32 // status: why it went offline
	stream uint8 // report
}

type text struct{ topic, body string }

type recordKind uint8

const (
	textRecord recordKind = iota
	reportRecord
	statusRecord
)

// report is the record of a device's report at a point of the stream's grid.
func (s *stream) report(d *device, in *instance, at stamp) record {
	return record{
		at: at, dev: d, in: in, kind: reportRecord, stream: uint8(s.number),
		id: mix(d.seed^uint64(at), uint64(s.number)),
	}
}

func (d *device) topic(suffix string) string { return "/" + d.product.key + "/" + d.name + suffix }

// suffix returns the topic of a record below its device.
func (r *record) suffix() string {
	if r.kind == reportRecord {
		return r.dev.product.streams[r.stream].suffix
	}
	return strings.TrimPrefix(r.text.topic, r.dev.topic(""))
}

// messageID writes an identifier as the platform does: 19 digits.
func messageID(id uint64) string {
	const least = 1_000_000_000_000_000_000
	return strconv.FormatUint(least+id%(8*least), 10)
}

func (r *record) message() iot.Message {
	m := iot.Message{ID: messageID(r.id), Generated: timeOf(r.at), Instance: r.in.id}
	switch r.kind {
	case textRecord:
		m.Topic, m.Payload = r.text.topic, []byte(r.text.body)
	case reportRecord:
		s := r.dev.product.streams[r.stream]
		m.Topic, m.Payload = r.dev.topic(s.suffix), s.payload(r.dev, r.at)
	case statusRecord:
		m.Topic, m.Payload = "/as/mqtt/status"+r.dev.topic(""), r.status()
	}
	return m
}

// payload makes what a device reports: raw bytes for custom topics, else what the platform
// makes of an Alink message.
func (s *stream) payload(d *device, at stamp) []byte {
	switch {
	case s.alink:
		return propertyPost(d, at, s.made(d, at))
	case s.event != nil:
		return eventPost(d, at, s.event, s.made(d, at))
	}
	r := rand.New(rand.NewPCG(d.seed, uint64(at)))
	return marshal(map[string]any{"slot": s.slot(d, at), "value": r.IntN(1000)})
}

func propertyPost(d *device, at stamp, items map[string]any) []byte {
	for id, value := range items {
		items[id] = map[string]any{"value": value, "time": at / 1e6}
	}
	body := d.header(at)
	body["items"], body["checkFailedData"] = items, struct{}{}
	return marshal(body)
}

func eventPost(d *device, at stamp, e *tslEvent, value any) []byte {
	body := d.header(at)
	body["identifier"], body["name"], body["type"] = e.Identifier, e.Name, e.Type
	body["value"], body["time"] = value, at/1e6
	return marshal(body)
}

// header holds the fields that all messages about a thing have.
func (d *device) header(at stamp) map[string]any {
	return map[string]any{
		"iotId": d.iotID(), "productKey": d.product.key, "deviceName": d.name,
		"deviceType": "CustomCategory", "gmtCreate": at / 1e6,
	}
}

func (r *record) status() []byte {
	const layout, utcLayout = "2006-01-02 15:04:05.000", "2006-01-02T15:04:05.000Z"
	at := timeOf(r.at)
	body := map[string]any{
		"status": "online", "iotId": r.dev.iotID(), "productKey": r.dev.product.key, "deviceName": r.dev.name,
		"time": at.In(platformZone).Format(layout), "utcTime": at.Format(utcLayout),
		"lastTime": at.In(platformZone).Format(layout), "utcLastTime": at.Format(utcLayout),
		"clientIp": r.dev.simulatedAddress(),
	}
	if r.text != nil {
		body["clientIp"] = r.text.body
	}
	if !r.online {
		body["status"] = "offline"
		body["offlineReasonCode"] = r.code
	}
	return marshal(body)
}

func lifecycleBody(d *device, at stamp, action string) string {
	body := d.header(at)
	delete(body, "gmtCreate")
	delete(body, "deviceType")
	body["action"], body["messageCreateTime"] = action, at/1e6
	if action == "create" {
		body["deviceSecret"] = d.secret.Reveal()
	}
	return string(marshal(body))
}

func topologyBody(gateway *device, at stamp, action string, subs []*device) string {
	devices := make([]map[string]any, len(subs))
	for i, d := range subs {
		devices[i] = map[string]any{"iotId": d.iotID(), "productKey": d.product.key, "deviceName": d.name}
	}
	return string(marshal(map[string]any{
		"action": action, "gwIotId": gateway.iotID(), "gwProductKey": gateway.product.key, "gwDeviceName": gateway.name,
		"devices": devices, "messageCreateTime": at / 1e6,
	}))
}

func noticeBody(status, target string, devices []iot.DeviceID) string {
	return string(marshal(map[string]any{"status": status, "targetInstance": target, "successDevices": devices}))
}

func replyBody(d *device, at stamp, messageID string, code int, message string, data any) string {
	body := d.header(at)
	delete(body, "deviceType")
	body["requestId"], body["code"], body["message"], body["data"] = messageID, code, message, data
	body["topic"], body["source"] = d.topic(replyTopic), "DEVICE"
	return string(marshal(body))
}

// marshal writes what cannot fail: maps, texts and numbers that are finite.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{}")
	}
	return b
}
