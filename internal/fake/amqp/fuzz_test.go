package amqp

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzUserName reads any user name: it never panics, and what it accepts has all its parts.
func FuzzUserName(f *testing.F) {
	f.Add("c|iotInstanceId=iot-1,authMode=aksign,signMethod=hmacsha1,consumerGroupId=g,authId=a,timestamp=1573489088171|")
	f.Add("c|authMode=ststoken,securityToken=t,signMethod=hmacMD5,consumerGroupId=g,authId=a,timestamp=0|")
	f.Add("c||")
	f.Add("c|=|")
	f.Add("|||")
	f.Add("c|timestamp=-1,timestamp=99999999999999999999|")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseUserName(s)
		if err != nil {
			return
		}
		if l.client == "" || utf8.RuneCountInString(l.client) > 64 || l.group == "" || l.key == "" || l.method == nil || l.at.UnixMilli() < 0 {
			t.Errorf("accepted %q as %+v", s, l)
		}
		for _, part := range []string{l.client + "|", "consumerGroupId=" + l.group, "authId=" + l.key, "timestamp=" + l.stamp, l.instance} {
			if !strings.Contains(s, part) {
				t.Errorf("%q is not in %q", part, s)
			}
		}
	})
}
