package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func TestGuard(t *testing.T) {
	const public, private, special = "public", "private", "special"
	for address, want := range map[string]string{
		"8.8.8.8": public, "151.101.2.132": public, "2a04:4e42::644": public, "::ffff:8.8.8.8": public, "64:ff9b::808:808": public, "2002:808:808::1": public,
		"100.63.255.255": public, "100.128.0.1": public, "172.15.0.1": public, "172.32.0.1": public, "192.167.1.1": public, "169.253.1.1": public,

		"127.0.0.1": private, "127.255.255.254": private, "::1": private, "10.0.0.1": private, "172.16.0.1": private, "172.31.255.255": private,
		"192.168.0.1": private, "100.64.0.1": private, "100.127.255.255": private, "fc00::1": private, "fd12::1": private, "fec0::1": private,
		"::ffff:127.0.0.1": private, "::ffff:10.0.0.1": private, "64:ff9b::7f00:1": private, "64:ff9b::a00:1": private, "2002:a00:1::": private,

		"0.0.0.0": special, "0.1.2.3": special, "::": special, "169.254.169.254": special, "169.254.170.2": special, "fe80::1": special, "fe80::1%eth0": special,
		"fd00:ec2::254": special, "fd20:ce::254": special, "100.100.100.200": special, "168.63.129.16": special, "192.0.0.192": special,
		"224.0.0.1": special, "239.255.255.250": special, "ff02::1": special, "255.255.255.255": special, "240.0.0.1": special,
		"192.0.2.1": special, "198.51.100.1": special, "203.0.113.1": special, "198.18.0.1": special, "2001:db8::1": special, "2001::1": special,
		"::ffff:169.254.169.254": special, "64:ff9b::a9fe:a9fe": special, "2002:a9fe:a9fe::": special, "64:ff9b:1::1": special, "::7f00:1": special,
	} {
		a := netip.MustParseAddr(address)
		open, closed := newGuard(true, nil), newGuard(false, nil)
		require.Equal(t, want == public, closed.check(a) == nil, "%s", address)
		require.Equal(t, want != special, open.check(a) == nil, "%s, private networks allowed", address)
		plain := a.Unmap().WithZone("")
		require.NoError(t, newGuard(false, []netip.Prefix{netip.PrefixFrom(plain, plain.BitLen())}).check(a), "%s, allowed by name", address)
	}
	err := newGuard(false, nil).control(t.Context(), "tcp4", "what", nil)
	require.ErrorIs(t, err, ErrAddress)
}

// answer answers a question of DNS (RFC 1035): every name has the one IPv4 address to, and no other.
func answer(question []byte, to [4]byte) []byte {
	const header = 12
	end := header
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the empty label, type and class
	isA := question[end-4] == 0 && question[end-3] == 1
	reply := slices.Clone(question[:end])
	copy(reply[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // an answer without error, to one question
	if isA {
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4) // the name of the question, A, IN, for a second
		reply = append(reply, to[:]...)
	}
	return reply
}

// resolver returns one for which every name leads to address.
func resolver(t *testing.T, address string) *net.Resolver {
	t.Helper()
	to := netip.MustParseAddr(address).As4()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = c.WriteTo(answer(buffer[:n], to), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

func TestNoConnectionIsMadeToThisMachine(t *testing.T) {
	asked := 0
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(w, "secret")
	}))
	defer secret.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(secret.URL, "http://"))
	require.NoError(t, err)
	config := Config{Folder: t.TempDir(), UserAgent: "x", Tries: 1, Resolver: resolver(t, "127.0.0.1")}
	get := func(t *testing.T, config Config, url string) error {
		t.Helper()
		f, err := New(config)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.Get(t.Context(), File{Name: t.Name(), URLs: []string{url}})
		return err
	}
	for name, url := range map[string]string{
		"by its number":              secret.URL,
		"by a name that leads to it": "http://feeds.example:" + port,
		"by its own name":            "http://localhost:" + port,
		"by IPv6":                    "http://[::1]:" + port,
		"by an odd number":           "http://[::ffff:127.0.0.1]:" + port,
		"by none":                    "http://0.0.0.0:" + port,
	} {
		t.Run(name, func(t *testing.T) {
			err := get(t, config, url)
			require.ErrorIs(t, err, ErrAddress)
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
		})
	}
	require.Zero(t, asked)

	t.Run("unless allowed", func(t *testing.T) {
		allowed := config
		allowed.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		require.NoError(t, get(t, allowed, "http://feeds.example:"+port))
		require.Equal(t, 1, asked)
	})

	// The first server may be talked to. The one that it leads to may not.
	for name, to := range map[string]string{
		"after a redirect to its number":                  "http://127.0.0.2:" + port,
		"after a redirect to a name that leads to it":     "http://other.example:" + port,
		"after a redirect to the metadata of the machine": "http://169.254.169.254/latest/meta-data",
	} {
		t.Run(name, func(t *testing.T) {
			front := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
			defer front.Close()
			allowed := config
			allowed.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			allowed.Resolver = resolver(t, "127.0.0.2")
			asked = 0
			require.ErrorIs(t, get(t, allowed, front.URL), ErrAddress)
			require.Zero(t, asked)
		})
	}
}
