package rollout_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A deferral of 30 days from the release on, and a deadline of 14 from when the device was first seen to miss the patch: what
// the device has missed for long is installed, and a fix that takes the place of another one inherits its date.
func TestAPlanGoesByTheClocksOfDeadlines(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // of scopeOf
	older, newer := update("openssl", "2", patch.ClassSecurity), update("openssl", "3", patch.ClassSecurity)
	newer.Supersedes = []patch.ID{older.ID}
	older.Released, newer.Released = now.Add(-20*day), now.Add(-2*day)
	for _, row := range []struct {
		name    string
		from    policy.Since
		seen    map[patch.ID]time.Duration // before now
		patches []patch.Patch
		want    []string
	}{
		{"seen of late", policy.SinceFirstSeen, map[patch.ID]time.Duration{newer.ID: day}, []patch.Patch{newer}, nil},
		{"seen long ago", policy.SinceFirstSeen, map[patch.ID]time.Duration{newer.ID: 14 * day}, []patch.Patch{newer}, []string{"debian:openssl=3(openssl 3)"}},
		{"seen of late, and the one before it long ago", policy.SinceFirstSeen, map[patch.ID]time.Duration{newer.ID: day, older.ID: 14 * day}, []patch.Patch{older, newer}, []string{"debian:openssl=3(openssl 3)"}},
		{"released of late", policy.SinceReleased, nil, []patch.Patch{newer}, nil},
		{"released of late, and the one before it long ago", policy.SinceReleased, nil, []patch.Patch{older, newer}, []string{"debian:openssl=3(openssl 3)"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			pol := approveSecurity()
			pol.Rules = append([]policy.Rule{{Name: "wait", Match: policy.Match{All: true}, Verdict: policy.Defer, For: policy.Duration(30 * day)}}, pol.Rules...)
			pol.Deadlines = []policy.Deadline{{Name: "fortnight", Match: policy.Match{All: true}, Within: policy.Duration(14 * day), From: row.from}}
			cfg := rollout.ScopeConfig{Policy: pol}
			if row.seen != nil {
				cfg.FirstSeen = func(d *inventory.Device, x patch.ID) time.Time {
					require.Equal(t, inventory.DeviceID("ada"), d.ID)
					if ago, ok := row.seen[x]; ok {
						return now.Add(-ago)
					}
					return time.Time{}
				}
			}
			require.Equal(t, row.want, contents(scopeOf(t, cfg, row.patches, laptop("ada", "openssl", "1"))))
		})
	}
}

// A deferral and a deadline that count from the approval of a patch, from the product's own list of them to the plan.
func TestAPlanGoesByWhenPatchesWereApproved(t *testing.T) {
	now, x := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), update("openssl", "3", patch.ClassSecurity)
	const day = 24 * time.Hour
	x.Released = now.Add(-90 * day)
	planned := []string{"debian:openssl=3(openssl 3)"}
	for _, row := range []struct {
		name     string
		approved func(*inventory.Device, patch.ID) time.Time
		within   time.Duration // of a deadline from approval
		want     []string
	}{
		{"nobody says when", nil, 0, nil},
		{"not approved", func(*inventory.Device, patch.ID) time.Time { return time.Time{} }, 0, nil},
		{"approved of late", func(*inventory.Device, patch.ID) time.Time { return now.Add(-6 * day) }, 0, nil},
		{"approved long ago", func(*inventory.Device, patch.ID) time.Time { return now.Add(-7 * day) }, 0, planned},
		{"approved of late, and due", func(*inventory.Device, patch.ID) time.Time { return now.Add(-6 * day) }, 5 * day, planned},
		{"approved for another device", func(d *inventory.Device, id patch.ID) time.Time {
			if d.ID == "ada" && id == x.ID {
				return time.Time{}
			}
			return now.Add(-30 * day)
		}, 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			pol := approveSecurity()
			pol.Rules = append([]policy.Rule{{Name: "wait", Match: policy.Match{All: true}, Verdict: policy.Defer, For: policy.Duration(7 * day), From: policy.SinceApproved}}, pol.Rules...)
			if row.within > 0 {
				pol.Deadlines = []policy.Deadline{{Name: "due", Match: policy.Match{All: true}, Within: policy.Duration(row.within), From: policy.SinceApproved}}
			}
			cfg := rollout.ScopeConfig{Policy: pol, Approved: row.approved}
			require.Equal(t, row.want, contents(scopeOf(t, cfg, []patch.Patch{x}, laptop("ada", "openssl", "1"))))
		})
	}
}
