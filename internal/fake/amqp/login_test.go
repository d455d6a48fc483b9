package amqp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

func signed(method func() hash.Hash, text string) string {
	mac := hmac.New(method, []byte(keySecret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestLogin(t *testing.T) {
	valid := "c|authMode=aksign,signMethod=hmacsha1,consumerGroupId=g,authId=" + keyID + ",timestamp=1573489088171|"
	change := func(old, new string) string {
		if !strings.Contains(valid, old) {
			t.Fatalf("%q is not in the user name", old)
		}
		return strings.Replace(valid, old, new, 1)
	}
	of := func(method func() hash.Hash) string {
		return signed(method, "authId="+keyID+"&timestamp=1573489088171")
	}
	tests := []struct {
		name, user, password string
		want                 uint8
	}{
		{"without an instance", valid, password(), frame.LoginOK},
		{"with an empty instance", change("authMode", "iotInstanceId=,authMode"), password(), frame.LoginOK},
		{"with another pair", change("authMode", "encode=base64,authMode"), password(), frame.LoginOK},
		{"pairs in another order", "c|timestamp=1573489088171,authId=" + keyID + ",consumerGroupId=g,signMethod=hmacsha1,authMode=aksign|", password(), frame.LoginOK},
		{"hmacmd5", change("hmacsha1", "hmacmd5"), of(md5.New), frame.LoginOK},
		{"hmacsha256", change("hmacsha1", "hmacsha256"), of(sha256.New), frame.LoginOK},
		{"Hmacsha1, as in the vendor's Go sample", change("hmacsha1", "Hmacsha1"), password(), frame.LoginOK},
		{"a temporary key", change("aksign", "ststoken,securityToken=CAIS/+="), signed(sha1.New, "authId="+keyID+"&securityToken=CAIS/+=&timestamp=1573489088171"), frame.LoginOK},
		{"a temporary key, its token not signed", change("aksign", "ststoken,securityToken=CAIS/+="), password(), frame.LoginDenied},
		{"64 characters", change("c|", strings.Repeat("é", 64)+"|"), password(), frame.LoginOK},

		{"65 characters", change("c|", strings.Repeat("é", 65)+"|"), password(), frame.LoginDenied},
		{"no client", change("c|", "|"), password(), frame.LoginDenied},
		{"no bar at the end", strings.TrimSuffix(valid, "|"), password(), frame.LoginDenied},
		{"more after it", valid + "x", password(), frame.LoginDenied},
		{"no pairs", "c||", password(), frame.LoginDenied},
		{"a pair without a value", change("authMode", "x,authMode"), password(), frame.LoginDenied},
		{"a pair twice", change("authMode", "authId=x,authMode"), password(), frame.LoginDenied},
		{"another mode", change("aksign", "none"), password(), frame.LoginDenied},
		{"a temporary key without its token", change("aksign", "ststoken"), password(), frame.LoginDenied},
		{"another method", change("hmacsha1", "hmacsha512"), password(), frame.LoginDenied},
		{"the method of another password", change("hmacsha1", "hmacmd5"), password(), frame.LoginDenied},
		{"no group", change("consumerGroupId=g", "consumerGroupId="), password(), frame.LoginDenied},
		{"no timestamp", change("timestamp=1573489088171", "time=1"), password(), frame.LoginDenied},
		{"a timestamp that is none", change("1573489088171", "now"), password(), frame.LoginDenied},
		{"another timestamp than was signed", change("1573489088171", "1573489088172"), password(), frame.LoginDenied},
		{"another key", change(keyID, "LTAI4Another"), password(), frame.LoginDenied},
		{"no password", valid, "", frame.LoginDenied},
		{"the secret as a password", valid, keySecret, frame.LoginDenied},
		{"a password that is not all", valid, strings.TrimSuffix(password(), "="), frame.LoginDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				newBench(t, 0, nil).peer().login(tt.user, tt.password, tt.want)
			})
		})
	}
}

// TestPlain checks what may be said instead of a user name and a password.
func TestPlain(t *testing.T) {
	tests := []struct {
		name string
		init *frame.Init
		want uint8
	}{
		{"for somebody", &frame.Init{Mechanism: "PLAIN", Response: []byte("me\x00" + userName("", group) + "\x00" + password())}, frame.LoginOK},
		{"anonymous", &frame.Init{Mechanism: "ANONYMOUS", Response: []byte("\x00" + userName("", group) + "\x00" + password())}, frame.LoginDenied},
		{"nothing", &frame.Init{Mechanism: "PLAIN"}, frame.LoginDenied},
		{"no password", &frame.Init{Mechanism: "PLAIN", Response: []byte("\x00" + userName("", group))}, frame.LoginDenied},
		{"too much", &frame.Init{Mechanism: "PLAIN", Response: []byte("\x00" + userName("", group) + "\x00" + password() + "\x00")}, frame.LoginDenied},
		{"no text", &frame.Init{Mechanism: "PLAIN", Response: []byte("\x00\xff" + userName("", group) + "\x00" + password())}, frame.LoginDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newBench(t, 0, nil).peer()
				p.header(frame.ProtocolSASL, frame.ProtocolSASL)
				expect[*frame.Mechanisms](p)
				p.write(frame.Append(nil, frame.SASL, 0, tt.init, nil))
				if got := expect[*frame.Outcome](p).Code; got != tt.want {
					t.Errorf("outcome %d, want %d", got, tt.want)
				}
			})
		})
	}
}

// TestSkew checks the age of timestamps where it is limited.
func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, func(c *amqp.Config) {
			c.Limits = amqp.DocumentedLimits()
			c.Limits.Skew = 15 * time.Minute
		})
		for age, want := range map[time.Duration]uint8{
			0: frame.LoginOK, 15 * time.Minute: frame.LoginOK, -15 * time.Minute: frame.LoginOK,
			16 * time.Minute: frame.LoginDenied, -16 * time.Minute: frame.LoginDenied,
		} {
			ms := time.Now().Add(-age).UnixMilli()
			user := fmt.Sprintf("c|authMode=aksign,signMethod=hmacmd5,consumerGroupId=g,authId=%s,timestamp=%d|", keyID, ms)
			b.peer().login(user, signed(md5.New, fmt.Sprintf("authId=%s&timestamp=%d", keyID, ms)), want)
		}
	})
}

// TestProtocolHeaders checks that whoever begins with something else is told what there is, and hears no more.
func TestProtocolHeaders(t *testing.T) {
	for name, header := range map[string]string{
		"AMQP without SASL": "AMQP\x00\x01\x00\x00", "AMQP 0-9-1": "AMQP\x00\x00\x09\x01", "TLS": "AMQP\x02\x01\x00\x00",
		"SASL of another version": "AMQP\x03\x01\x00\x01", "HTTP": "GET / HTTP/1.1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, 0, nil)
			nc, err := net.Dial("tcp", b.listen())
			if err != nil {
				t.Fatal(err)
			}
			p := newPeer(t, nc)
			p.write([]byte(header))
			if got, err := io.ReadAll(nc); string(got) != "AMQP\x03\x01\x00\x00" || err != nil {
				t.Errorf("answer %q, %v", got, err)
			}
		})
	}
	t.Run("SASL twice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newBench(t, 0, nil).peer()
			p.login(userName("", group), password(), frame.LoginOK)
			p.header(frame.ProtocolSASL, frame.ProtocolAMQP)
			if _, err := p.r.Next(); err != io.EOF {
				t.Error(err)
			}
		})
	})
}

// TestRefusedConnections checks what closes a connection right after it is open.
func TestRefusedConnections(t *testing.T) {
	tests := []struct {
		name, user string
		open       frame.Open
		want       string
	}{
		{"no idle time-out", userName("", group), frame.Open{MaxFrameSize: 512}, frame.CondInvalidField},
		{"one too short", userName("", group), frame.Open{MaxFrameSize: 512, IdleTimeout: 29_999}, frame.CondInvalidField},
		{"one too long", userName("", group), frame.Open{MaxFrameSize: 512, IdleTimeout: 300_001}, frame.CondInvalidField},
		{"frames too small", userName("", group), frame.Open{MaxFrameSize: 511, IdleTimeout: 30_000}, frame.CondInvalidField},
		{"no such group", userName("", "nothing"), frame.Open{MaxFrameSize: 512, IdleTimeout: 30_000}, frame.CondNotFound},
		{"no such instance", userName("iot-nowhere", group), frame.Open{MaxFrameSize: 512, IdleTimeout: 30_000}, frame.CondNotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newBench(t, 0, nil).peer()
				p.login(tt.user, password(), frame.LoginOK)
				p.header(frame.ProtocolAMQP, frame.ProtocolAMQP)
				p.send(0, &tt.open)
				expect[*frame.Open](p)
				if e := expect[*frame.Close](p).Error; e == nil || e.Condition != tt.want {
					t.Errorf("closed with %v, want %s", e, tt.want)
				}
				if _, err := p.r.Next(); err != io.EOF {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}

// authority makes a certificate for 127.0.0.1, and a pool that trusts it.
func authority(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	b := newBench(t, 3, nil)
	certificate, pool := authority(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		t.Fatal(err)
	}
	b.serve(l)
	b.clock.Advance(time.Minute)
	address := "amqps://" + l.Addr().String()
	o := options()
	o.TLSConfig = &tls.Config{RootCAs: pool}
	c, err := goamqp.Dial(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.receive(b.attach(c, &goamqp.ReceiverOptions{Credit: 3}), 3)

	_, other := authority(t)
	o.TLSConfig = &tls.Config{RootCAs: other}
	_, err = goamqp.Dial(t.Context(), address, o)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("a client that trusts another authority: %v", err)
	}
	if _, err := goamqp.Dial(t.Context(), "amqp://"+l.Addr().String(), options()); err == nil {
		t.Error("a client came in without TLS")
	}
}
