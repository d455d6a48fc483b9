// Package amqp puts the platform's server-side subscription in front of a platform in memory, so that AMQP 1.0
// clients of any language can consume from its groups without a change.
//
// # What the platform's documentation says
//
//   - Login by SASL PLAIN. The user name is
//     ${clientId}|iotInstanceId=…,authMode=aksign,signMethod=hmacsha1,consumerGroupId=…,authId=…,timestamp=…| with its pairs
//     in any order; iotInstanceId is empty or absent for the legacy public instance; the client ID has up to 64
//     characters. The password is Base64(HMAC(secret, "authId=…&timestamp=…")) with hmacmd5, hmacsha1 or hmacsha256. With
//     authMode=ststoken there is a securityToken besides, signed as "authId=…&securityToken=…&timestamp=…"; it is not checked itself.
//   - The login is done within 15 seconds, and a receiver link is there within 15 seconds of the connection. There is one
//     receiver link per connection, and none that sends. Its address means nothing; there may be no source at all.
//   - The client's Open frame names an idle time-out of 30,000 to 300,000 ms; the platform closes a connection
//     without a frame for so long.
//   - A message has a binary body and the application properties topic, messageId and generateTime. Messages that are not
//     settled come again, to any client of the group. The platform may drop a client at any time.
//   - A group has 64 clients at most (package fake counts them), 100 connect requests per minute, and is
//     pushed 1,000 messages per second in real time and 200 of the backlog. Newer documentation says 1,000 per connection,
//     and up to 128 clients.
//
// The vendor's samples add what they show: the name of signMethod is compared without regard to case (Hmacsha1 in the
// one for Go); timestamps may be of any age, as that sample sends the milliseconds within the current second, and
// the one for Node.js a constant of 2019; generateTime is a long, milliseconds since 1970 (getLongProperty in the one for
// Java).
//
// # What is this package's own
//
//   - A wrong user name, key or signature is SASL outcome 1 (auth), and nothing else is told. Pairs that are not
//     named above are ignored, among them encode=base64 of the samples that speak STOMP, which is not spoken here.
//   - An idle time-out outside the range, or none, closes the connection (amqp:invalid-field, "9601"). The platform's own
//     is the same, of which it tells the client half, so that clients that use all of it stay.
//   - Unknown instances and groups, and connect requests beyond the quota, close the connection right after it is open
//     (amqp:not-found, amqp:resource-limit-exceeded). The 65th client's link is refused (amqp:resource-limit-exceeded,
//     "9600").
//   - A delivery that is settled without an outcome is accepted. One that is released, rejected or modified, or on which
//     nothing is said, comes again after the fake's Quirks.RedeliverAfter: one minute, as documented for the backlog; the
//     documentation's 30 seconds for an acknowledgement are a line in a log. When a link or its connection ends, all
//     that is not settled comes again at once.
//   - A link for which the client asks settled deliveries gets them; they are consumed when they are written.
//   - A message that is a minute old, by the platform's clock, belongs to the backlog. Both rates share one pace, as there
//     is one queue.
//   - Of 262,144 deliveries that a client has not settled the oldest is forgotten: it comes again even if it
//     is settled later.
//   - DropAll cuts connections without a word. Close says amqp:connection:forced. A client that does not read is cut off
//     when the server has waited for 30 seconds to write, or has a mebibyte of answers for it.
//
// # What is left out
//
// Transactions, senders, resuming of links, filters, capabilities, and the other addresses of a source: clients may ask
// for them, and get a plain link. There is one access key; what a RAM user may do is not modelled.
//
// The platform in memory pushes nothing: each connection asks it while the client has credit, every few milliseconds
// of real time when there was nothing.
//
// Besides go-amqp, the tests have what rhea and amqp10 (Node.js) and Qpid Proton (Python) say to this server.
package amqp
