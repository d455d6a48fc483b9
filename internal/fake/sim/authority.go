package sim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"time"
)

// certificateLife is how long certificates are valid, if nothing else is asked for. clockSkew is how far a
// client's clock may be behind.
const (
	certificateLife = 30 * 24 * time.Hour
	clockSkew       = time.Hour
)

// An authority is a certificate authority that was made for one server. Its key is nowhere, once it has signed the
// server's certificate.
type authority struct {
	pem    []byte // its certificate
	roots  *x509.CertPool
	server tls.Certificate
}

// newAuthority makes one with a server certificate for these names and addresses. A zero expiry means that it is
// valid for thirty days; one in the past makes a certificate that is not valid any more.
func newAuthority(hosts []string, expires time.Time) (*authority, error) {
	now := time.Now()
	root := template("iotsim CA", now, now.Add(certificateLife))
	root.IsCA, root.BasicConstraintsValid, root.MaxPathLenZero = true, true, true
	root.KeyUsage = x509.KeyUsageCertSign
	rootKey, rootDER, err := issue(root, root, nil)
	if err != nil {
		return nil, err
	}
	if expires.IsZero() {
		expires = root.NotAfter
	}
	leaf := template("iotsim", now, expires)
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		return nil, err
	}
	key, der, err := issue(leaf, root, rootKey)
	if err != nil {
		return nil, err
	}
	a := &authority{
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		roots:  x509.NewCertPool(),
		server: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
	}
	a.roots.AddCert(root)
	return a, nil
}

func template(name string, now, expires time.Time) *x509.Certificate {
	from := now
	if expires.Before(from) {
		from = expires
	}
	return &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"iotferry simulator"}, CommonName: name},
		NotBefore: from.Add(-clockSkew),
		NotAfter:  expires,
	}
}

// issue makes a key and its certificate, which the parent signs; without a parent's key, it signs itself.
func issue(c, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parentKey == nil {
		parentKey = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), parentKey)
	return key, der, err
}

// config is that of the server's side.
func (a *authority) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{a.server}}
}
