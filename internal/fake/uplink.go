package fake

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// An uplink is a message that a client published.
type uplink struct {
	parsedTopic
	topic   string
	payload []byte
	qos     int
	session *Session
	dev     *device                // whose topic it is
	faults  map[iot.DeviceID]Fault // what the hook said about those who log in
}

// Publish takes a message of the device or of a logged-in sub-device. What the platform answers, if the topic has a _reply,
// comes as a [Downlink]: also when it refuses, by its code. What is on a device's topic for custom messages, its properties
// and events and its answers to commands go through rules and subscriptions like those of simulated devices. Own topics that
// have no meaning here are accepted, and nothing happens. The payload may be changed afterwards.
//
// If a gateway publishes for a sub-device that is not logged in, it is also told so on /ext/error, with code 520.
//
// Its errors are [iot.Denied] for a topic that the session may not publish to, [iot.Invalid] for a payload
// that cannot be read on a topic without an answer, and, after the session's end, *[KickedError] or [ErrSessionClosed].
func (s *Session) Publish(topic string, payload []byte, qos int) error {
	u := uplink{topic: topic, payload: payload, qos: qos, session: s}
	var ok bool
	if u.parsedTopic, ok = parseTopic(topic); !ok || strings.ContainsAny(topic, "+#") {
		return u.refuse(iot.Denied, "is no topic of the device")
	}
	u.faults = s.askLogins(&u)
	var err error
	s.cloud.look(func() { err = s.cloud.uplink(&u) })
	return err
}

func (u *uplink) refuse(kind iot.Kind, what string) error {
	return &iot.Error{Kind: kind, Op: "Publish", Message: fmt.Sprintf("topic %q: %s", u.topic, what)}
}

// uplink takes a message of a client.
func (c *Cloud) uplink(u *uplink) error {
	s := u.session
	if s.ended != nil {
		return s.ended
	}
	d := c.device(u.id)
	switch {
	case d == nil || d.line() != s && d.gateway != s.dev:
		return u.refuse(iot.Denied, "is no topic of the device")
	case d.line() != s:
		c.kickNotice(s, u.id, codeNoSession)
		return u.refuse(iot.Denied, "the sub-device is not logged in")
	case !d.alive() || !s.dev.alive():
		return nil
	}
	u.dev = d
	judge := u.judge()
	if judge == nil {
		return c.hear(u)
	}
	q, ok := readQuery(u.payload)
	v := denied(codeBadRequest)
	if ok {
		v = judge(c, u, q)
	}
	c.answer(u, q.id, v)
	return nil
}

// judge returns what answers the queries of a topic; nil for a topic that has no answer.
func (u *uplink) judge() func(*Cloud, *uplink, query) verdict {
	if u.class == "/ext/session" {
		return u.sessionJudge()
	}
	if u.class != "/sys" {
		return nil
	}
	switch u.rest {
	case propertyTopic:
		return (*Cloud).postProperties
	case "/thing/topo/get":
		return (*Cloud).topoGet
	case "/thing/topo/add":
		return (*Cloud).topoAdd
	case "/thing/topo/delete":
		return (*Cloud).topoDelete
	}
	if _, ok := u.event(); ok {
		return (*Cloud).postEvent
	}
	return nil
}

func (u *uplink) sessionJudge() func(*Cloud, *uplink, query) verdict {
	switch u.rest {
	case "/combine/login":
		return (*Cloud).login
	case "/combine/batch_login":
		return (*Cloud).batchLogin
	case "/combine/logout":
		return (*Cloud).logout
	case "/combine/batch_logout":
		return (*Cloud).batchLogout
	}
	return nil
}

// between returns the one level of a topic that stands between two parts.
func between(topic, before, after string) (string, bool) {
	s, ok := strings.CutPrefix(topic, before)
	if !ok {
		return "", false
	}
	s, ok = strings.CutSuffix(s, after)
	return s, ok && s != "" && !strings.Contains(s, "/")
}

// event returns the identifier of the event that the topic is for.
func (u *uplink) event() (string, bool) { return between(u.rest, "/thing/event/", "/post") }

// hear takes a message on a topic without an answer.
func (c *Cloud) hear(u *uplink) error {
	if u.class == "" && !strings.HasPrefix(u.rest, "/thing/") && !strings.HasPrefix(u.rest, "/ota/") {
		c.forward(u.dev, record{text: &text{u.topic, string(u.payload)}})
	}
	if u.class != "/sys" {
		return nil
	}
	if id, ok := between(u.rest, "/rrpc/response/", ""); ok {
		c.resolve(u.dev, id, answer{codeOK, bytes.Clone(u.payload)})
		return nil
	}
	if u.rest == "/thing/service/property/set_reply" {
		return c.hearReply(u, true)
	}
	if identifier, ok := between(u.rest, "/thing/service/", "_reply"); ok {
		s := u.dev.product.model.service(identifier)
		return c.hearReply(u, s != nil && s.CallType != "sync")
	}
	return nil
}

// hearReply takes a device's answer to a command. What nobody waits for becomes a message, unless it comes too late.
func (c *Cloud) hearReply(u *uplink, async bool) error {
	r, ok := readReply(u.payload)
	switch {
	case !ok:
		return u.refuse(iot.Invalid, "not an answer with id and code")
	case c.resolve(u.dev, r.id, answer{r.code, r.data}):
		c.answered(u.dev, r.id, r.data)
	case async:
		body := replyBody(u.dev, c.at, r.id, r.code, r.message, r.data)
		c.forward(u.dev, record{text: &text{u.dev.topic(replyTopic), body}})
	}
	return nil
}
