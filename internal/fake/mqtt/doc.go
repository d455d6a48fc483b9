// Package mqtt speaks MQTT 3.1.1 in front of a platform in memory, so that real devices, and client libraries of any
// language, can be its devices. A [Server] listens on any number of domains: the public instance's, which serves a device
// wherever it lives now, and those of single instances, which serve the devices that live there.
//
// What a session is, who may have one, which topics are a device's own, and what the platform answers is decided by
// fake.Session; this package has the wire, the signatures and the limits. The packets are read and written by an
// embedded broker (mochi-mqtt), which routes nothing: a message of a device goes to the platform alone, and what a device
// gets comes from there. The broker keeps no sessions, sends no wills, retains nothing, and publishes no statistics.
//
// # Documented, and so here
//
//   - CONNECT of a device with its own certificate: clientId "client|securemode=3,signmethod=hmacsha1,timestamp=789|", with
//     securemode 2 over TLS and 3 over TCP; signmethod hmacmd5 (the default), hmacsha1, hmacsha256; the timestamp
//     optional; client up to 64 characters. Username "deviceName&productKey". Password: the HMAC of the sorted keys and
//     values, in hexadecimal.
//   - Registration of a device whose name is known, by its product's certificate (authType=register): over TLS only; the
//     answer comes on /ext/register without a subscription; the connection ends after 15 s.
//   - CONNACK codes: 2 for a parameter that is bad or missing, or a connection without the TLS that it
//     needs, 3 for a fault of the server, 4 for authentication. The documentation gives them for registration; here they
//     are those of every CONNECT.
//   - The same certificate twice: the older session is kicked. A move kicks as well: the connection is cut.
//   - Keep-alive of 30 s to 1,200 s, anything else is refused; the end after 1.5 times as much silence.
//   - QoS 0 and 1, no wills, no retained messages; the limits of topics, messages, subscriptions and unacknowledged messages,
//     and the rates; see [Limits].
//
// # Not documented: what happens here
//
//   - Registration without a known name (regnwl) is not offered: CONNACK 2. So are an unknown authType, and a keep-alive
//     time that is out of range.
//   - A device that is unknown, disabled, a sub-device, or at the domain of an instance where it does not live gets CONNACK 4,
//     like one with a wrong password. Too many attempts to connect get 3. Both rates count every attempt that
//     was not refused for them, also with a wrong password.
//   - Messages that are not allowed, and what is retained or a will, are ignored, or cut the connection:
//     [Config].OnBreach. QoS 2 and a message that is too large always cut it. A subscription that is not allowed is refused in the
//     SUBACK (0x80), as are all of a SUBSCRIBE with more than 8 filters, and those beyond the hundredth.
//   - Other extensions of the clientId are skipped, and the password may be in either case: the vendor's own SDKs differ.
//   - Packets that are not of MQTT end the connection without an answer. MQTT 3.1 is taken like 3.1.1; MQTT 5 is refused
//     with CONNACK 1.
//   - Registration works at every domain with TLS. Its answer has QoS 0. What else the client sends is ignored or refused.
//   - All topics but /ext/register need a subscription, unless [Config].SystemTopics is set. A message for which there is
//     none is lost; one of Pub with QoS 1 waits in the platform.
//   - Messages beyond 100 that are not acknowledged wait, up to a thousand of them; what comes then is lost.
//   - The offlineReasonCode of a device whose client went or was silent is 0: [Config].GoneCode, [Config].SilentCode.
//
// # Differences from the platform
//
//   - No session outlives its connection, whatever the client asks for: "session present" is never set, subscriptions
//     have to be made again, and what was sent but not acknowledged does not come again. What waits in the platform does.
//   - Subscribing and unsubscribing take effect at once, not after ten seconds.
//   - The limit of 7 slashes does not hold below /sys/ and /ext/, where the platform documents longer topics itself.
//   - The bandwidth of a connection is not limited. The limit of messages to a device is fake.Session's.
//   - WebSocket, CoAP, HTTP, X.509 and ID² do not exist; a device cannot tell its region by the domain's name.
//   - Time-outs and rates go by real time, also when the platform's clock runs ahead.
package mqtt
