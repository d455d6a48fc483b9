package openapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// maxSkew is how far a timestamp may be from the clock.
const maxSkew = 15 * time.Minute

// A gate admits calls that are signed with its key, fresh, and new.
type gate struct {
	id     string
	secret iot.Secret
	clock  iot.Clock
	nonces nonces
}

// admit checks the common parameters of a call.
func (g *gate) admit(method string, p *params) error {
	if format := p.text("Format"); format != "" && !strings.EqualFold(format, "JSON") {
		return refuse(http.StatusBadRequest, "InvalidParameter.Format", "The format is not JSON.")
	}
	id, signature := p.required("AccessKeyId"), p.required("Signature")
	way, version := p.required("SignatureMethod"), p.required("SignatureVersion")
	stamp, nonce := p.required("Timestamp"), p.required("SignatureNonce")
	switch {
	case p.err != nil:
		return p.err
	case way != "HMAC-SHA1":
		return unreadable("SignatureMethod", "HMAC-SHA1")
	case version != "1.0":
		return unreadable("SignatureVersion", "1.0")
	case p.text("SignatureType") != "":
		return unreadable("SignatureType", "empty")
	case id != g.id:
		return refuse(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "The specified access key does not exist.")
	case !hmac.Equal([]byte(signature), []byte(sign(g.secret, stringToSign(method, p.values)))):
		return refuse(http.StatusBadRequest, "SignatureDoesNotMatch", "The specified signature is not that of the parameters: check the key's secret and the encoding.")
	}
	return g.fresh(stamp, nonce)
}

// fresh checks that a call is neither old nor a repetition.
func (g *gate) fresh(stamp, nonce string) error {
	const form = "2006-01-02T15:04:05Z"
	at, err := time.Parse(form, stamp)
	now := g.clock.Now()
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "InvalidTimeStamp.Format", "The timestamp is not like "+form+".")
	case now.Sub(at).Abs() > maxSkew:
		return refuse(http.StatusBadRequest, "InvalidTimeStamp.Expired", "The timestamp is more than 15 minutes from the server's time.")
	case !g.nonces.add(nonce, now):
		return refuse(http.StatusBadRequest, "SignatureNonceUsed", "The specified nonce was used before.")
	}
	return nil
}

// sign returns the signature of a text, version 1.0.
func sign(secret iot.Secret, text string) string {
	mac := hmac.New(sha1.New, []byte(secret.Reveal()+"&"))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// stringToSign returns what a call's signature covers: its method and all parameters but the signature,
// in the order of their names.
func stringToSign(method string, values map[string]string) string {
	names := make([]string, 0, len(values))
	for name := range values {
		if name != "Signature" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var query strings.Builder
	for i, name := range names {
		if i > 0 {
			query.WriteByte('&')
		}
		query.WriteString(percent(name) + "=" + percent(values[name]))
	}
	return method + "&%2F&" + percent(query.String())
}

// percent encodes all but letters, digits and -_.~ (RFC 3986).
func percent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// nonces remembers what was used for at least as long as a timestamp can be valid: from maxSkew before it to
// maxSkew after it. It keeps two generations of that length, of which the older one is dropped as a whole.
type nonces struct {
	mu         sync.Mutex
	since      time.Time // when the newer generation began
	newer, old map[[sha256.Size]byte]struct{}
}

// add reports whether a nonce is new, and remembers it. Its length does not cost memory.
func (n *nonces) add(nonce string, now time.Time) bool {
	key := sha256.Sum256([]byte(nonce))
	n.mu.Lock()
	defer n.mu.Unlock()
	switch age := now.Sub(n.since); {
	case n.newer == nil || age > 4*maxSkew:
		n.old, n.newer, n.since = nil, map[[sha256.Size]byte]struct{}{}, now
	case age > 2*maxSkew:
		n.old, n.newer, n.since = n.newer, map[[sha256.Size]byte]struct{}{}, now
	}
	_, isOld := n.old[key]
	_, isNew := n.newer[key]
	if isOld || isNew {
		return false
	}
	n.newer[key] = struct{}{}
	return true
}
