package mqtt

import (
	"strings"
)

// checkTopic returns what is wrong with a topic or a topic filter; empty if nothing is. The limit of slashes
// is for topics of the user's own: the platform itself documents topics below /sys/ that have more.
func (l *Limits) checkTopic(topic string) string {
	own := !strings.HasPrefix(topic, "/sys/") && !strings.HasPrefix(topic, "/ext/")
	switch {
	case len(topic) > l.TopicBytes:
		return "the topic is too long"
	case own && strings.Count(topic, "/") > l.TopicSlashes:
		return "the topic has too many slashes"
	}
	return ""
}

// validFilter reports whether wildcards stand where MQTT allows them: + for a whole level, # for the last one.
func validFilter(filter string) bool {
	rest, level, more := filter, "", filter != ""
	for more {
		level, rest, more = strings.Cut(rest, "/")
		if strings.ContainsAny(level, "+#") && len(level) > 1 || level == "#" && more {
			return false
		}
	}
	return filter != ""
}

// matches reports whether a topic fits a valid filter.
func matches(filter, topic string) bool {
	for {
		level, restOfFilter, moreFilter := strings.Cut(filter, "/")
		if level == "#" {
			return true
		}
		part, restOfTopic, moreTopic := strings.Cut(topic, "/")
		if level != "+" && level != part {
			return false
		}
		if !moreFilter || !moreTopic {
			return moreFilter == moreTopic || restOfFilter == "#" // "a/#" fits "a" as well
		}
		filter, topic = restOfFilter, restOfTopic
	}
}
