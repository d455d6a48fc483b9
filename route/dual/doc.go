// Package dual is for servers that consume the messages of both instances: it measures what a move does to them. Feed a
// [Continuity] with everything that the two consumer groups deliver, such as the messages of package aliyun's Stream.
package dual
