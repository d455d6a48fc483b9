// Package frame is a codec for AMQP 1.0 on the wire, in both directions: protocol headers, frames, and the
// performatives that a connection with one-way links needs. It knows nothing of connections; what a
// performative means is the business of its user.
//
// It reads whatever encoding of a type the standard allows: zero, small and full integers, short and long texts,
// lists of all three forms, arrays where a field may hold several values, descriptors by number or by name. It writes one
// of them. Fields that nobody here needs (capabilities, locales, properties, filters) are jumped over by their
// size, so that neither depth nor length of what they hold costs anything, and are written as null.
//
// Input may be hostile: nothing is allocated by a size that the input claims, a frame beyond the limit is refused
// by its header, and nothing is read by recursion into the input. Whatever is wrong with it is an [*Error] that can be
// sent back.
package frame
