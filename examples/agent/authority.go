package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"time"

	"github.com/patchflow/patchflow/inventory"
)

// An authority signs the certificates of the console and of its devices. A product has one already, or a service that it asks.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
	pem  []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, cert: &x509.Certificate{Subject: pkix.Name{CommonName: "example authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}}
	der, err := a.sign(a.cert, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.pool = x509.NewCertPool()
	a.pool.AddCert(a.cert)
	return a, nil
}

func (a *authority) sign(c *x509.Certificate, public *ecdsa.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c.SerialNumber, c.NotBefore, c.NotAfter = serial, time.Now().Add(-time.Minute), time.Now().Add(24*time.Hour)
	return x509.CreateCertificate(rand.Reader, c, a.cert, public, a.key)
}

// issue returns a certificate and its key, both as PEM.
func (a *authority) issue(c *x509.Certificate) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := a.sign(c, &private.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), nil
}

// device returns the certificate of a device, its key, and a token with its hash.
func (a *authority) device(t inventory.Tenant, d inventory.DeviceID) (cert, key []byte, token string, hash [sha256.Size]byte, err error) {
	random := make([]byte, 32)
	if _, err = rand.Read(random); err != nil {
		return nil, nil, "", hash, err
	}
	token = hex.EncodeToString(random)
	cert, key, err = a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: string(d)}, URIs: []*url.URL{{Scheme: "patchflow", Opaque: string(t) + ":" + string(d)}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return cert, key, token, sha256.Sum256([]byte(token)), err
}

// server returns how a console at an address is reached: by a certificate of its own, and by devices with theirs only.
func (a *authority) server(at net.IP) (*tls.Config, error) {
	cert, key, err := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "console"}, IPAddresses: []net.IP{at},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool, MinVersion: tls.VersionTLS13}, nil
}
