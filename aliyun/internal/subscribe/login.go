package subscribe

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"time"
)

// A login is what the platform wants in SASL PLAIN.
type login struct{ user, password string }

// sign returns a login that is valid for a short time: it carries the moment of its making. A temporary credential has its
// token in the user name, and under the signature.
func sign(c Credential, clientID, instance, group string, now time.Time) login {
	stamp := strconv.FormatInt(now.UnixMilli(), 10)
	mode, token := "aksign", c.SecurityToken.Reveal()
	signed := "authId=" + c.AccessKeyID
	if token != "" {
		mode = "ststoken,securityToken=" + token
		signed += "&securityToken=" + token
	}
	pairs := []string{
		"authMode=" + mode, "signMethod=hmacsha256", "consumerGroupId=" + group, "authId=" + c.AccessKeyID, "timestamp=" + stamp,
	}
	if instance != "" { // the legacy public instance has none
		pairs = append([]string{"iotInstanceId=" + instance}, pairs...)
	}
	mac := hmac.New(sha256.New, []byte(c.AccessKeySecret.Reveal()))
	mac.Write([]byte(signed + "&timestamp=" + stamp))
	return login{
		user:     clientID + "|" + strings.Join(pairs, ",") + "|",
		password: base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}

// maxHeard is more than a server says until a login has ended.
const maxHeard = 2 << 10

// A witness remembers the first that a server says. go-amqp tells why a login failed by the text of an error only;
// the server's own answer has a code.
type witness struct {
	net.Conn
	heard []byte
}

func (w *witness) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if room := maxHeard - len(w.heard); room > 0 {
		w.heard = append(w.heard, p[:min(n, room)]...)
	}
	return n, err
}

// The codes of a SASL outcome by which the server blames the login. The others blame itself.
const (
	saslAuth    = 1 // the credentials
	saslSysPerm = 3 // a person has to do something
)

// refused reports whether a server's words hold a SASL outcome that refuses the login for good.
func refused(heard []byte) bool {
	code, ok := outcome(heard)
	return ok && (code == saslAuth || code == saslSysPerm)
}

// outcome finds the code of a SASL outcome in what a server said: a protocol header, then frames.
func outcome(heard []byte) (code byte, ok bool) {
	const header, saslFrame = 8, 1
	if len(heard) < header {
		return 0, false
	}
	for rest := heard[header:]; len(rest) >= header; {
		size, body := binary.BigEndian.Uint32(rest), 4*uint32(rest[4])
		if size < body || body < header || uint64(size) > uint64(len(rest)) {
			return 0, false
		}
		if rest[5] == saslFrame {
			if code, ok := outcomeCode(rest[body:size]); ok {
				return code, true
			}
		}
		rest = rest[size:]
	}
	return 0, false
}

// outcomeCode returns the first field of a frame's body, if the body is a SASL outcome.
func outcomeCode(body []byte) (code byte, ok bool) {
	list, ok := bytes.CutPrefix(body, []byte{0x00, 0x53, 0x44}) // the descriptor as a small ulong
	if !ok {
		list, ok = bytes.CutPrefix(body, []byte{0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x44}) // as a ulong
	}
	if !ok || len(list) == 0 {
		return 0, false
	}
	sizes := map[byte]int{0xc0: 2, 0xd0: 8}[list[0]] // the bytes of size and count in a short and in a long list
	if sizes == 0 || len(list) < 1+sizes+2 || list[1+sizes] != 0x50 {
		return 0, false
	}
	return list[1+sizes+1], true
}
