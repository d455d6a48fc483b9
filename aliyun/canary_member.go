package aliyun

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A canaryMember is the canary's own device or one of its sub-devices, complete.
type canaryMember struct {
	CanaryBehaviour
	id       iot.DeviceID
	secret   iot.Secret
	services []string // identifiers, sorted
}

func newCanaryMember(c iot.Credential, b CanaryBehaviour) (*canaryMember, error) {
	if b.Topics == nil {
		b.Topics = []string{"user/get"}
	}
	if b.Answer == nil {
		b.Answer = func(_ context.Context, request []byte) []byte { return request }
	}
	if b.Report == nil {
		b.Report = func(nonce string) (string, []byte) { return "user/update", fmt.Appendf(nil, `{"iotferry":%q}`, nonce) }
	}
	m := &canaryMember{CanaryBehaviour: b, id: c.ID, secret: c.Secret}
	for name := range b.Services {
		m.services = append(m.services, name)
	}
	slices.Sort(m.services)
	if path, payload := m.Report("0"); isAlink(path) && alinkID(payload) != "0" {
		return nil, invalid("CanaryBehaviour.Report of %s: what it sends on %s is no JSON, or its id is not the nonce", c.ID, path)
	}
	return m, nil
}

// members returns the device and then its sub-devices.
func (c CanaryConfig) members() ([]*canaryMember, error) {
	all := append([]CanarySubDevice{{c.Credential, c.Behaviour}}, c.SubDevices...)
	members := make([]*canaryMember, len(all))
	for i, d := range all {
		var err error
		if members[i], err = newCanaryMember(d.Credential, d.Behaviour); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// topic returns a topic below the device: custom topics as they are, all others below /sys.
func (m *canaryMember) topic(path string) string {
	if strings.HasPrefix(path, "thing/") || strings.HasPrefix(path, "rrpc/") {
		return "/sys/" + m.id.String() + "/" + path
	}
	return "/" + m.id.String() + "/" + path
}

// filters returns what the member subscribes to.
func (m *canaryMember) filters() []string {
	all := []string{m.topic("rrpc/request/+")}
	for _, path := range m.Topics {
		all = append(all, m.topic(path))
	}
	for _, name := range m.services {
		all = append(all, m.topic("thing/service/"+name))
	}
	if path, _ := m.Report("0"); isAlink(path) {
		all = append(all, m.topic(path)+replySuffix)
	}
	return all
}
