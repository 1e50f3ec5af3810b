package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"syscall"

	"github.com/patchflow/patchflow/patch"
)

// ErrAddress is wrapped by the error for an address to which no connection is made: see [Config.AllowPrivate]. It comes with
// [patch.ErrPermanent].
var ErrAddress = errors.New("address is not allowed")

// A guard decides to which addresses connections are made.
type guard struct {
	private bool
	allow   []netip.Prefix
	local   []netip.Prefix // private networks, besides those that netip knows
	never   []netip.Prefix // special, whatever is allowed in general
	nat64   netip.Prefix   // an IPv4 address stands in the last 32 bits
	sixto4  netip.Prefix   // an IPv4 address stands after the first 16 bits
}

// newGuard returns a guard that lets what is public pass, private networks if private is set, and the networks in allow.
// Special addresses are those of IANA's two registries (RFC 6890), and where clouds tell machines their secrets.
func newGuard(private bool, allow []netip.Prefix) *guard {
	g := &guard{private: private, allow: allow, nat64: netip.MustParsePrefix("64:ff9b::/96"), sixto4: netip.MustParsePrefix("2002::/16")}
	for _, p := range []string{
		"100.64.0.0/10", // shared by carriers, RFC 6598
		"fec0::/10",     // site-local, RFC 3879
	} {
		g.local = append(g.local, netip.MustParsePrefix(p))
	}
	for _, p := range []string{
		"169.254.0.0/16",     // link-local; the metadata of AWS, Azure, Google and most others
		"fd00:ec2::/32",      // the metadata of AWS
		"fd20:ce::254/128",   // of Google
		"100.100.100.200/32", // of Alibaba
		"168.63.129.16/32",   // of Azure, a public address
		"192.0.0.0/24",       // of Oracle, among assignments of protocols
		"0.0.0.0/8", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96",          // IPv4-compatible, RFC 4291
		"64:ff9b:1::/48", // NAT64 of a network's own, RFC 8215
		"100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
	} {
		g.never = append(g.never, netip.MustParsePrefix(p))
	}
	return g
}

// control is called with the address that a name has led to, before the connection to it is made.
func (g *guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("fetch: %s %q: %w: %w", network, address, ErrAddress, patch.ErrPermanent)
	}
	return g.check(to.Addr())
}

// url checks the host of an address of the web if that is a number. A name is looked at when it has been resolved; behind a
// proxy it never is.
func (g *guard) url(u *url.URL) error {
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil
	}
	return g.check(a)
}

func (g *guard) check(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	if g.passes(a) {
		return nil
	}
	return fmt.Errorf("fetch: %s: %w: %w", a, ErrAddress, patch.ErrPermanent)
}

func (g *guard) passes(a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case slices.ContainsFunc(g.allow, in):
		return true
	case a.IsLoopback(): // before ::/96, which holds ::1
		return g.private
	case a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), slices.ContainsFunc(g.never, in):
		return false
	case a.IsPrivate(), slices.ContainsFunc(g.local, in):
		return g.private
	case g.nat64.Contains(a):
		b := a.As16()
		return g.passes(netip.AddrFrom4([4]byte(b[12:])))
	case g.sixto4.Contains(a):
		b := a.As16()
		return g.passes(netip.AddrFrom4([4]byte(b[2:6])))
	}
	return true
}
