package bench

import (
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// hash is the keyed hash by which package rollout orders devices.
func hash(seed uint64, s string) uint64 { return xxh64.Sum(seed, s) }

// peerHash is the same by the peer.
func peerHash(seed uint64, s string) uint64 {
	d := xxhash.NewWithSeed(seed)
	_, _ = d.WriteString(s) // cannot fail
	return d.Sum64()
}

// texts returns n texts of 0 to 99 random bytes.
func texts(n int) []string {
	r := random()
	all := make([]string, n)
	for i := range all {
		b := make([]byte, r.IntN(100))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		all[i] = string(b)
	}
	return all
}

func TestHashIsThatOfThePeer(t *testing.T) {
	r := random()
	for _, s := range texts(10_000) {
		require.Equal(t, xxhash.Sum64String(s), hash(0, s), "%q", s)
		seed := r.Uint64()
		require.Equal(t, peerHash(seed, s), hash(seed, s), "%q with seed %d", s, seed)
	}
}

// The order of the devices in a plan can be computed by anybody who has an XXH64, without this library.
func TestPlanStandsInTheOrderOfThePeersHash(t *testing.T) {
	ids := uuids(10_000)
	for i := range ids { // of every length
		ids[i] = ids[i][:8+i%29]
	}
	for _, salt := range []string{"", "spring", strings.Repeat("a long salt ", 9)} {
		in := input(ids, everyone())
		in.Salt = salt
		p, err := rollout.NewPlan(in)
		require.NoError(t, err)
		if salt == "" {
			salt = string(in.ID)
		}
		seed := peerHash(peerHash(0, salt), string(in.Tenant))
		want := slices.Clone(ids)
		slices.SortFunc(want, func(a, b inventory.DeviceID) int {
			if x, y := peerHash(seed, string(a)), peerHash(seed, string(b)); x < y {
				return -1
			} else if x > y {
				return 1
			}
			return strings.Compare(string(a), string(b))
		})
		require.Equal(t, want, p.Devices, salt)
	}
}

// hashing measures the hash of package rollout against the peer's, which is written in assembly for some machines.
func hashing(testing.TB) *contest {
	const n = 10_000 // small enough for the cache: the hash is measured, not the memory
	c := &contest{name: "Hash of an ID"}
	for _, length := range []struct {
		name string
		of   int
	}{{"24 characters", 24}, {"36 characters", 36}} {
		ids := uuids(n)
		for i := range ids {
			ids[i] = ids[i][:length.of]
		}
		var sum uint64
		c.sides = append(c.sides,
			side{name: "xxhash " + length.name, per: 100 * n, run: func() {
				for range 100 {
					for _, id := range ids {
						sum += xxhash.Sum64String(string(id))
					}
				}
			}},
			side{name: "rollout " + length.name, per: 100 * n, run: func() {
				for range 100 {
					for _, id := range ids {
						sum += hash(1, string(id))
					}
				}
			}},
		)
		c.goals = append(c.goals, goal{"rollout " + length.name, "xxhash " + length.name, 2})
	}
	return c
}

func BenchmarkHash(b *testing.B) { bench(b, hashing) }
