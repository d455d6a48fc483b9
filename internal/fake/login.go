package fake

import (
	"errors"
	"slices"
	"strconv"

	"github.com/iotferry/iotferry/iot"
)

// maxLogins is how many sub-devices one request can log in or out.
const maxLogins = 5

// login logs a sub-device in.
func (c *Cloud) login(u *uplink, q query) verdict { return one(u, q, c.loginAll) }

// batchLogin logs up to five sub-devices in: all of them or none.
func (c *Cloud) batchLogin(u *uplink, q query) verdict { return batch(u, q, c.loginAll) }

// one reads a request about one sub-device.
func one(u *uplink, q query, do func(*uplink, []identity) verdict) verdict {
	x, ok := readIdentity(q.params)
	if !ok {
		return denied(codeBadRequest)
	}
	return single(do(u, []identity{x}))
}

// batch reads a request about up to five.
func batch(u *uplink, q query, do func(*uplink, []identity) verdict) verdict {
	list, ok := readIdentities(q.params)
	if !ok || len(list) > maxLogins {
		return denied(codeBadRequest)
	}
	return do(u, list)
}

// single gives the first of a list for an answer that is about one device.
func single(v verdict) verdict {
	if list, ok := v.data.([]iot.DeviceID); ok {
		v.data = list[0]
	}
	return v
}

func (c *Cloud) loginAll(u *uplink, list []identity) verdict {
	subs := make([]*device, 0, len(list))
	fresh := 0
	for _, x := range list {
		d := c.device(x.id())
		if code := c.loginRefusal(u, d, x); code != 0 {
			return denied(code)
		}
		subs = append(subs, d)
		if d.line() != u.session {
			fresh++
		}
	}
	if fresh > 0 && u.session.loggedIn()+fresh > c.quirks.MaxSubDevices {
		return denied(codeTooManyOnline)
	}
	if slices.ContainsFunc(subs, func(d *device) bool { return d.line() != u.session && !c.mayLogIn(d) }) {
		return denied(codeTooFast)
	}
	for _, d := range subs {
		if d.line() != u.session { // it stands only once in the list, or has just been logged in
			c.signIn(d, u.session, u.session.dev.client.address, u.faults[d.id()].lies(d.name))
		}
	}
	return verdict{codeOK, idsOf(subs)}
}

// mayLogIn takes one login of a sub-device from its limit.
func (c *Cloud) mayLogIn(d *device) bool {
	if d.client == nil {
		d.client = newClient()
	}
	return c.within(&d.client.logins)
}

// loginRefusal returns the code with which a login is refused; 0 if it is not.
func (c *Cloud) loginRefusal(u *uplink, d *device, x identity) int {
	gateway := u.session.dev
	switch {
	case u.dev != gateway || gateway.product.node != iot.Gateway:
		return codeBadRequest
	case d == nil:
		return codeUnknownDevice
	case x.field("signMethod") == "" || x["sign"] == "":
		return codeBadRequest
	case !x.signedBy(d.secret):
		return codeBadSubSign
	case d.disabled:
		return codeDisabled
	case d.gateway != gateway || d.home != gateway.home:
		return codeNoTopology
	case u.faults[d.id()].Err != nil:
		return faultCode(u.faults[d.id()].Err)
	}
	return 0
}

// faultCode is the code of an error of the hook, if it is a number; a session that cannot be made otherwise.
func faultCode(err error) int {
	if e, ok := errors.AsType[*iot.Error](err); ok {
		if code, bad := strconv.Atoi(e.Code); bad == nil && code != codeOK {
			return code
		}
	}
	return codeNoSession
}

// loggedIn counts the sub-devices that a gateway's client has logged in.
func (s *Session) loggedIn() int {
	n := 0
	for _, d := range s.dev.subs {
		if d.line() == s {
			n++
		}
	}
	return n
}

func idsOf(list []*device) []iot.DeviceID {
	ids := make([]iot.DeviceID, len(list))
	for i, d := range list {
		ids[i] = d.id()
	}
	return ids
}

// logout logs a sub-device out.
func (c *Cloud) logout(u *uplink, q query) verdict { return one(u, q, c.logoutAll) }

// batchLogout logs up to five sub-devices out: all of them or none.
func (c *Cloud) batchLogout(u *uplink, q query) verdict { return batch(u, q, c.logoutAll) }

func (c *Cloud) logoutAll(u *uplink, list []identity) verdict {
	subs := make([]*device, 0, len(list))
	for _, x := range list {
		d := c.device(x.id())
		switch {
		case d == nil:
			return denied(codeUnknownDevice)
		case d.gateway != u.session.dev:
			return denied(codeNoTopology)
		case d.line() != u.session:
			return denied(codeNoSession)
		}
		subs = append(subs, d)
	}
	for _, d := range subs {
		if d.line() == u.session {
			c.signOut(d, 0)
		}
	}
	return verdict{codeOK, idsOf(subs)}
}

// kickNotice tells a gateway that a sub-device has no session any more.
func (c *Cloud) kickNotice(s *Session, id iot.DeviceID, code int) {
	c.tell(s, "/ext/error"+s.dev.topic(""), 0, map[string]any{
		"id": messageID(c.newID()), "code": code, "message": codeWords(code), "data": id,
	})
}

// askLogins lets the hook decide about the sub-devices that a message logs in, before the platform looks at it.
func (s *Session) askLogins(u *uplink) map[iot.DeviceID]Fault {
	batch := u.rest == "/combine/batch_login"
	if s.cloud.hook == nil || u.class != "/ext/session" || !batch && u.rest != "/combine/login" {
		return nil
	}
	q, _ := readQuery(u.payload)
	var list []identity
	if batch {
		list, _ = readIdentities(q.params)
	} else if x, ok := readIdentity(q.params); ok {
		list = append(list, x)
	}
	var instance string
	s.cloud.look(func() { instance = s.dev.home.id })
	faults := map[iot.DeviceID]Fault{}
	for _, x := range list[:min(len(list), maxLogins)] {
		id := x.id()
		op := Op{Kind: DeviceOp, Name: Connect, Instance: instance, ProductKey: id.ProductKey, Devices: []string{id.DeviceName}}
		faults[id] = s.cloud.ask(op)
	}
	return faults
}
