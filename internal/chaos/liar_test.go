package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/verify"
)

// A lie is one way in which an answer of the platform is not true.
type lie uint

const (
	// Of the registry.
	lieAccepted    lie = 1 << iota // a move is answered as done
	lieRefused                     // a move is answered as refused, and is done
	lieAtTarget                    // the target shows devices that it does not have
	lieNotAtSource                 // the source hides devices that it has
	lieOnline                      // the target shows devices online, since just now, that have no session
	lieBoth                        // the source shows devices that have moved
	lieTopology                    // the sub-devices of another gateway are told
	// Of messages.
	lieOld    // messages of before the move come as the target's
	lieOther  // messages of other devices come
	lieAgain  // old messages come again, with new IDs
	lieNotice // migration messages tell of devices that have not moved
	lieForged // reports come, of just now, that no device sent
	// Of commands.
	liePub    // Pub is accepted and never delivered
	lieAnswer // another device answers
	lieGroup  // the status of another consumer group is told
	lies      = iota
)

// What it takes to lie about all that one source can see of a device.
const (
	registryLies = lieAtTarget | lieNotAtSource | lieOnline
	messageLies  = lieForged
	commandLies  = lieAnswer
)

var lieNames = [lies]string{
	"accepted", "refused", "at target", "not at source", "online", "both", "topology",
	"old", "other", "again", "notice", "forged", "pub", "answer", "group",
}

func (l lie) has(other lie) bool { return l&other == other }

func (l lie) String() string {
	var words []string
	for i, name := range lieNames {
		if l&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, ", ")
}

// A liar stands between a campaign and its platform. It lies about some devices, its victims, and tells the truth about all
// others.
type liar struct {
	tells   lie
	victims map[iot.DeviceID]bool
	all     []iot.DeviceID
	target  string
	now     func() time.Time

	mu  sync.Mutex
	due map[iot.DeviceID]bool // they were in a move: the registry tells the truth before
}

func (l *liar) about(id iot.DeviceID, what lie) bool { return l.tells.has(what) && l.victims[id] }

// moves lets the registry lie about devices from now on.
func (l *liar) moves(product string, names []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		l.due[iot.DeviceID{ProductKey: product, DeviceName: name}] = true
	}
}

func (l *liar) begun(id iot.DeviceID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.due[id]
}

func (l *liar) platform(p iot.Platform) iot.Platform {
	p.Mover = lyingMover{p.Mover, l}
	p.Source.StateReader = lyingStates{p.Source.StateReader, l, false}
	p.Target.StateReader = lyingStates{p.Target.StateReader, l, true}
	p.Target.TopologyReader = lyingTopology{p.Target.TopologyReader, l}
	p.Target.ForwardingReader = lyingGroups{p.Target.ForwardingReader, p.Source.ForwardingReader, l}
	p.Source.Commander, p.Target.Commander = lyingCommander{p.Source.Commander, l}, lyingCommander{p.Target.Commander, l}
	return p
}

type lyingMover struct {
	iot.Mover
	liar *liar
}

func (m lyingMover) Move(ctx context.Context, product string, names []string) ([]iot.MoveResult, error) {
	results, err := m.Mover.Move(ctx, product, names)
	for i, r := range results {
		id := iot.DeviceID{ProductKey: product, DeviceName: r.DeviceName}
		if m.liar.about(id, lieAccepted) {
			results[i] = iot.MoveResult{DeviceName: r.DeviceName, Accepted: true}
		}
		if m.liar.about(id, lieRefused) {
			results[i] = iot.MoveResult{DeviceName: r.DeviceName, Code: 500}
		}
	}
	return results, err
}

type lyingStates struct {
	iot.StateReader
	liar   *liar
	target bool
}

func (s lyingStates) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	states, err := s.StateReader.States(ctx, product, names)
	if err != nil {
		return nil, err
	}
	known := map[string]iot.DeviceState{}
	for _, state := range states {
		known[state.ID.DeviceName] = state
	}
	var out []iot.DeviceState
	for _, name := range names {
		id := iot.DeviceID{ProductKey: product, DeviceName: name}
		state, there := known[name]
		if state, there = s.told(id, state, there); there {
			state.ID = id
			out = append(out, state)
		}
	}
	return out, nil
}

// told is what an instance says of one device. Before anything has moved it tells the truth: who is awake is seen then.
func (s lyingStates) told(id iot.DeviceID, state iot.DeviceState, there bool) (iot.DeviceState, bool) {
	if !s.liar.begun(id) {
		return state, there
	}
	switch {
	case s.target && s.liar.about(id, lieAtTarget) && !there:
		state, there = iot.DeviceState{Status: iot.Offline}, true
	case !s.target && s.liar.about(id, lieBoth) && !there:
		return iot.DeviceState{Status: iot.Offline}, true
	case !s.target && s.liar.about(id, lieNotAtSource):
		return state, false
	}
	if s.target && there && s.liar.about(id, lieOnline) && state.Status != iot.Online {
		state.Status, state.LastOnline = iot.Online, s.liar.now()
	}
	return state, there
}

type lyingTopology struct {
	iot.TopologyReader
	liar *liar
}

func (t lyingTopology) Children(ctx context.Context, gateway iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	if t.liar.about(gateway, lieTopology) {
		for _, id := range t.liar.all {
			if id.ProductKey == gateway.ProductKey && id != gateway {
				return t.TopologyReader.Children(ctx, id)
			}
		}
	}
	return t.TopologyReader.Children(ctx, gateway)
}

type lyingGroups struct {
	iot.ForwardingReader
	others iot.ForwardingReader
	liar   *liar
}

func (g lyingGroups) GroupStatus(ctx context.Context, group string) (iot.GroupStatus, error) {
	if g.liar.tells.has(lieGroup) {
		return g.others.GroupStatus(ctx, "DEFAULT_GROUP") // the one that the server reads, at the source
	}
	return g.ForwardingReader.GroupStatus(ctx, group)
}

// A lyingCommander answers for its victims what an honest device would.
type lyingCommander struct {
	iot.Commander
	liar *liar
}

func (c lyingCommander) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	id, _ := iot.Message{Topic: topic}.Device()
	if c.liar.about(id, liePub) || c.liar.about(id, lieAnswer) {
		return "1", nil
	}
	return c.Commander.Publish(ctx, topic, payload)
}

func (c lyingCommander) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	if c.liar.about(id, lieAnswer) {
		return payload, nil
	}
	return c.Commander.Call(ctx, id, payload, timeout)
}

func (c lyingCommander) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	if c.liar.about(id, lieAnswer) {
		return iot.ServiceReply{MessageID: "other-" + service, Result: json.RawMessage(`{}`)}, nil
	}
	return c.Commander.Invoke(ctx, id, service, args)
}

// A lyingSink adds messages that prove nothing, or would prove too much.
type lyingSink struct {
	verify.Sink
	source verify.Sink // what the source forwards
	liar   *liar
}

func (s lyingSink) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		for _, id := range ids {
			for _, m := range s.invented(ctx, id) {
				if !yield(m, nil) {
					return
				}
			}
		}
		s.Sink.Latest(ctx, ids)(yield)
	}
}

func (s lyingSink) invented(ctx context.Context, id iot.DeviceID) []iot.Message {
	l := s.liar
	report := iot.Message{ID: "invented", Topic: reportTopic(id), Generated: l.now(), Payload: []byte(`{}`), Instance: l.target}
	var out []iot.Message
	if l.about(id, lieOld) || l.about(id, lieAgain) {
		for m, err := range s.source.Latest(ctx, []iot.DeviceID{id}) {
			if err == nil {
				m.Instance = l.target
				m.ID += "-again"
				out = append(out, m, m)
			}
		}
		report := report
		report.Generated = start()
		out = append(out, report)
	}
	if l.about(id, lieOther) {
		other := report
		other.Topic = reportTopic(iot.DeviceID{ProductKey: id.ProductKey, DeviceName: "stranger"})
		out = append(out, other)
	}
	if l.about(id, lieNotice) {
		notice := report
		notice.Topic = "/instance/migration"
		notice.Payload = fmt.Appendf(nil, `{"status":"GRAY_EXECUTING","targetInstance":%q,"successDevices":[{"productKey":%q,"deviceName":%q}]}`,
			l.target, id.ProductKey, id.DeviceName)
		out = append(out, notice)
	}
	if l.about(id, lieForged) {
		out = append(out, report)
		if l.tells.has(lieAnswer) {
			out = append(out, repliesOf(id, report)...)
		}
	}
	return out
}

func reportTopic(id iot.DeviceID) string {
	if isModel(id) {
		return "/sys/" + id.String() + "/thing/event/property/post"
	}
	return "/" + id.String() + "/user/update"
}

// repliesOf forges the answers to asynchronous services that [lyingCommander] has accepted.
func repliesOf(id iot.DeviceID, m iot.Message) []iot.Message {
	m.ID, m.Topic = "other-Calibrate", "/sys/"+id.String()+"/thing/downlink/reply/message"
	m.Payload = []byte(`{"requestId":"other-Calibrate","code":200}`)
	return []iot.Message{m}
}
