package mqtt

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, x := range []struct {
		filter, topic string
		want          bool
	}{
		{"/a/b", "/a/b", true},
		{"/a/b", "/a/c", false},
		{"/a/b", "/a/b/c", false},
		{"/a/b/c", "/a/b", false},
		{"/a/+", "/a/b", true},
		{"/a/+", "/a/", true},
		{"/a/+", "/a", false},
		{"/a/+", "/a/b/c", false},
		{"/a/+/c", "/a/b/c", true},
		{"/a/+/c", "/a/b/d", false},
		{"/a/#", "/a", true},
		{"/a/#", "/a/b/c", true},
		{"/a/#", "/ab", false},
		{"#", "/a/b", true},
		{"+", "a", true},
		{"+/+", "/a", true},
		{"+", "/a", false},
	} {
		if got := matches(x.filter, x.topic); got != x.want {
			t.Errorf("%s matches %s: %v", x.filter, x.topic, got)
		}
	}
}

func TestValidFilter(t *testing.T) {
	for filter, want := range map[string]bool{
		"": false, "/": true, "/a/b": true, "/a/+": true, "/+/b": true, "+": true, "#": true, "/a/#": true, "/a/+/#": true,
		"/a/b+": false, "/a/+b/c": false, "/a/#/b": false, "/a/b#": false, "/a/##": false, "/a/++": false, "#/": false,
	} {
		if got := validFilter(filter); got != want {
			t.Errorf("%q: %v", filter, got)
		}
	}
}

func TestTopicLimits(t *testing.T) {
	const most = 128
	l := DocumentedLimits()
	for _, x := range []struct {
		topic string
		fine  bool
	}{
		{"/a1Meter0001/meter-0001/user/update", true},
		{"/1/2/3/4/5/6/7", true},
		{"/1/2/3/4/5/6/7/8", false},
		{"/sys/a1Meter0001/meter-0001/thing/event/property/pack/post", true}, // eight slashes: the platform's own
		{"/" + strings.Repeat("x", most-1), true},
		{"/" + strings.Repeat("x", most), false},
		{"/sys/" + strings.Repeat("x", most), false},
	} {
		if why := l.checkTopic(x.topic); (why == "") != x.fine {
			t.Errorf("%s: %q", x.topic, why)
		}
	}
}
