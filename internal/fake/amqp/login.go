package amqp

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// maxClientID is the platform's limit, in characters.
const maxClientID = 64

// A login is what a user name says.
type login struct {
	client   string
	instance string // empty for the legacy public one
	group    string
	key      string // ID of the access key
	token    string // of a temporary key, else empty: the signature covers it
	method   func() hash.Hash
	stamp    string // as it was written: that is what the signature covers
	at       time.Time
}

// parseUserName reads ${clientId}|name=value,…|. Its errors do not repeat the input.
func parseUserName(s string) (login, error) {
	client, rest, ok := strings.Cut(s, "|")
	list, end, closed := strings.Cut(rest, "|")
	switch {
	case !ok || !closed || end != "":
		return login{}, errors.New("the user name is not of the form clientId|name=value,…|")
	case client == "" || utf8.RuneCountInString(client) > maxClientID:
		return login{}, fmt.Errorf("the client ID does not have 1 to %d characters", maxClientID)
	}
	pairs, err := parsePairs(list)
	if err != nil {
		return login{}, err
	}
	l := login{
		client: client, instance: pairs["iotInstanceId"], group: pairs["consumerGroupId"],
		key: pairs["authId"], method: fake.SignMethod(pairs["signMethod"]), stamp: pairs["timestamp"],
		token: pairs["securityToken"],
	}
	if err := checkMode(pairs); err != nil {
		return login{}, err
	}
	ms, err := strconv.ParseInt(l.stamp, 10, 64)
	switch {
	case l.group == "":
		return login{}, errors.New("consumerGroupId is missing")
	case l.key == "":
		return login{}, errors.New("authId is missing")
	case l.method == nil:
		return login{}, errors.New("signMethod is none of hmacmd5, hmacsha1 and hmacsha256")
	case err != nil || ms < 0:
		return login{}, errors.New("timestamp is not in milliseconds")
	}
	l.at = time.UnixMilli(ms)
	return l, nil
}

// parsePairs reads name=value,name=value.
func parsePairs(s string) (map[string]string, error) {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := pairs[name]; !ok || name == "" || twice {
			return nil, errors.New("the user name has a pair that is not name=value, or one name twice")
		}
		pairs[name] = value
	}
	return pairs, nil
}

func checkMode(pairs map[string]string) error {
	mode, token := pairs["authMode"], pairs["securityToken"]
	if mode == "aksign" || mode == "ststoken" && token != "" {
		return nil
	}
	return errors.New("authMode is neither aksign, nor ststoken with a securityToken")
}

// password returns the one that belongs to a login.
func (l *login) password(secret iot.Secret) string {
	mac := hmac.New(l.method, []byte(secret.Reveal()))
	signed := "authId=" + l.key
	if l.token != "" {
		signed += "&securityToken=" + l.token
	}
	mac.Write([]byte(signed + "&timestamp=" + l.stamp))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// plain takes apart what a client says with SASL PLAIN: for whom it acts, its name, and its password.
func plain(response []byte) (user, password string, err error) {
	parts := strings.Split(string(response), "\x00")
	if len(parts) != 3 || slices.ContainsFunc(parts, func(s string) bool { return !utf8.ValidString(s) }) {
		return "", "", errors.New("the response is not that of SASL PLAIN")
	}
	return parts[1], parts[2], nil
}

// authenticate returns who has come, or why it may not come in. Its errors hold no secret.
func (c *Config) authenticate(response []byte) (login, error) {
	user, password, err := plain(response)
	if err != nil {
		return login{}, err
	}
	l, err := parseUserName(user)
	skew := c.Limits.Skew
	switch {
	case err != nil:
		return login{}, err
	case l.key != c.AccessKeyID:
		return login{}, errors.New("authId is not the ID of an access key")
	case !hmac.Equal([]byte(password), []byte(l.password(c.AccessKeySecret))):
		return login{}, errors.New("the password is not the signature of authId and timestamp")
	case skew > 0 && time.Since(l.at).Abs() > skew:
		return login{}, fmt.Errorf("timestamp is more than %v from real time", skew)
	}
	return l, nil
}
