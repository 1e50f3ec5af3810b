package rollout

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/patchflow/patchflow/internal/xxh64"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// ErrNothing is wrapped by the error of [NewPlan] when there is nothing to roll out. Nothing to do is not a success.
var ErrNothing = errors.New("nothing to roll out")

// PlanInput is what a plan is made from. A [Scope] makes one from devices and a policy.
type PlanInput struct {
	Key
	Policy   policy.Policy
	By       string          // who asks for the rollout; the same person cannot approve it
	At       time.Time       // when the plan is made
	Salt     string          // mixed into the order of the devices; "" means the policy's, or if it has none the rollout's ID, so that each rollout has other canaries
	Contents []Content       // the distinct sets of patches
	Approval []bool          // by content: a rule of the policy wants leave for it; nil for none
	Needs    [][]policy.Need // by content that wants leave: whose; nil, or an empty list, for any one person's
	Zones    []string        // the distinct time zones of the devices, IANA names
	Targets  []Target        // in any order

	// Tenants holds the distinct tenants of the devices: the rollout's, or below it. nil means that all are the rollout's.
	Tenants []inventory.Tenant

	// Domains holds the failure domains of the policy's budgets, with how many devices of the inventory each has, and Places the
	// distinct sets of them that a device belongs to, each in the order of the budgets. Both may be nil if there are no budgets.
	Domains []Domain
	Places  [][]uint32

	// Strata holds the distinct values that devices have under the keys of the policy's Strata; nil if it has none. See [Strata].
	Strata [][]string

	// Hosts holds the distinct names of the devices that devices run on, "" for none; nil if the policy names no label for them. See [Hosts].
	Hosts []inventory.DeviceID

	// Census knows what the devices of the fleet are like, if the policy says what its first ring is to cover: its keys are those of
	// policy.Policy.Covers. nil says nothing.
	Census *Census
}

// A Target is one device of a [PlanInput]: small, so that a million of them fit in memory.
type Target struct {
	Device  inventory.DeviceID
	Content uint32 // index into Contents
	Place   uint32 // index into Places
	Ring    int16  // index of the ring with Devices that claims it, or ByShare
	Zone    uint16 // index into Zones
	Tenant  uint16 // index into Tenants
	Stratum uint16 // index into Strata
	Host    uint32 // index into Hosts
}

// ByShare is the Ring of a [Target] that no ring claims by name: it goes to one of the rings with a size or a share, or to the rest.
const ByShare int16 = -1

// A Plan says what is to happen: which content goes to which device, in which ring. It is a value: it can be printed,
// compared, stored and sent for review. A plan is not changed once it is made.
//
// Devices are numbered: those of the first ring come first, and within a ring they stand in the order of a keyed hash of
// their IDs, which is stable across restarts and another for every salt. Content, Zone and Owner have one element for every
// device: the number of its content, of its time zone and of its tenant. So has Place, the number of its set of failure domains,
// if the policy has budgets, Stratum if it has strata, and Host, the number of the name of the device that it runs on, if the policy says by
// what label devices name that.
//
// A host, which is a device that others of the plan run on, is not begun before all of its guests are settled, within a ring and a ramp
// too. It takes no place anywhere meanwhile, and is next in its ring then. So it stands in no earlier ring than a guest of it: [NewPlan]
// moves it. A host that is not in the plan means nothing. How long it waits for a guest that nobody reaches, the policy says ([policy.Guests]): a
// host that waits for such guests only keeps the rollout from ending no more than they do, and is then [Cancelled]. Once it was begun, or has
// downloaded ahead, it waits for nobody any more. A device that joins is waited for by a host that has not, unless it comes into a later ring.
// Rollbacks know no hosts: they are done in any order.
type Plan struct {
	Key
	Policy   policy.Policy        `json:"policy"`
	By       string               `json:"by,omitempty"`
	At       time.Time            `json:"at"`
	Salt     string               `json:"salt"`
	Contents []Content            `json:"contents"`
	Rings    []PlannedRing        `json:"rings"`
	Zones    []string             `json:"zones"`
	Tenants  []inventory.Tenant   `json:"tenants"`
	Devices  []inventory.DeviceID `json:"devices"`
	Content  []uint32             `json:"content"`
	Zone     []uint16             `json:"zone"`
	Owner    []uint16             `json:"owner"`
	Domains  []Domain             `json:"domains,omitempty"`
	Places   [][]uint32           `json:"places,omitempty"` // the distinct sets of domains that a device belongs to
	Place    []uint32             `json:"place,omitempty"`
	Strata   [][]string           `json:"strata,omitempty"` // what devices have under the keys of the policy's strata, each once
	Stratum  []uint16             `json:"stratum,omitempty"`
	Hosts    []inventory.DeviceID `json:"hosts,omitempty"` // the distinct names of devices that devices run on, "" for none
	Host     []uint32             `json:"host,omitempty"`
	Coverage []Coverage           `json:"coverage,omitempty"` // what the first ring covers of the fleet, of what the policy names

	// HostsMoved is how many hosts stand in a later ring than their size, share or rest would have given them, because of a guest there.
	HostsMoved int `json:"hostsMoved,omitempty"`

	// Newcomers tells of devices that have joined a rollout since; nil in a plan as it was made, stored or sent. The plan of a [Machine] has
	// it, and their numbers are those after the devices of the rings.
	Newcomers *Newcomers `json:"-"`
}

// A PlannedRing is a ring of a plan: its settings, after empty rings were merged into it, and its devices.
type PlannedRing struct {
	policy.Ring
	First  int      `json:"first"` // number of its first device
	Count  int      `json:"count"`
	Merged []string `json:"merged,omitempty"` // names of the empty rings before it whose gates it keeps too

	// Needs says whose leave the ring takes, with what its patches and the empty rings before it want, and, in the first
	// ring, the whole rollout. None means any one person's, if it takes leave at all.
	Needs []policy.Need `json:"needs,omitempty"`
}

// NewPlan divides the devices of in into rings. It is pure: the same input, in whatever order its targets stand, makes the
// same plan.
//
// Of the devices that no ring claims by a selector, rings with a size get exactly as many, in their order and while there are
// any. Rings with a share get the largest-remainder share of what is left, in basis points, so that
// the sum is exact, and at least their minimum ([policy.Ring.Least]) while there are devices; the minimum is taken from the rings after them. With
// strata these numbers are the same, and of each stratum a ring gets its part of them ([Stratify]).
// After that, hosts of which a guest stands in a later ring are moved to the latest ring of their guests; then rings have more or fewer
// devices than their sizes and shares say.
// An empty ring is merged into the one after it, which keeps the stricter of both gates.
//
// Errors name the ring or the device. A device that stands twice, a device that no ring wants, devices that run on each other in a circle, a host that
// a selector claims for an earlier ring than that of a guest, and a patch that cannot be
// taken back in a policy that rolls back are errors; so is an input without a single target, which wraps [ErrNothing].
func NewPlan(in PlanInput) (Plan, error) {
	if err := in.check(); err != nil {
		return Plan{}, fmt.Errorf("rollout: plan %s: %w", in.Key, err)
	}
	salt := cmp.Or(in.Salt, in.Policy.Salt, string(in.ID))
	order, mask, err := in.order(salt)
	if err != nil {
		return Plan{}, fmt.Errorf("rollout: plan %s: %w", in.Key, err)
	}
	counts, byShare, err := in.allot()
	if err != nil {
		return Plan{}, fmt.Errorf("rollout: plan %s: %w", in.Key, err)
	}
	p := Plan{
		Key: in.Key, Policy: in.Policy, By: in.By, At: in.At, Salt: salt, Contents: in.Contents, Zones: in.Zones, Tenants: in.Tenants,
		Devices: make([]inventory.DeviceID, len(in.Targets)),
		Content: make([]uint32, len(in.Targets)),
		Zone:    make([]uint16, len(in.Targets)),
		Owner:   make([]uint16, len(in.Targets)),
	}
	if len(in.Places) > 0 {
		p.Domains, p.Places, p.Place = in.Domains, in.Places, make([]uint32, len(in.Targets))
	}
	if len(in.Strata) > 0 {
		p.Strata, p.Stratum = in.Strata, make([]uint16, len(in.Targets))
	}
	cut := newCuts(byShare, in.strata(salt, byShare))
	var seats []int16
	if len(in.Hosts) > 0 {
		if seats, p.HostsMoved, err = in.seats(order, mask, cut, counts); err != nil {
			return Plan{}, fmt.Errorf("rollout: plan %s: %w", in.Key, err)
		}
		p.Hosts, p.Host = in.Hosts, make([]uint32, len(in.Targets))
	}
	// Positions are handed out in the order of the hash, so that each ring's devices stand in that order too.
	next := make([]int, len(counts))
	at := 0
	for r, n := range counts {
		next[r] = at
		at += n
	}
	// Reading the targets in the order of the hash is what takes longest: each of them stands somewhere else in memory. They
	// are fetched block by block, by a loop that does nothing else, so that the processor can wait for many at once.
	var block [64]Target
	for len(order) > 0 {
		n := min(len(order), len(block))
		for j, k := range order[:n] {
			block[j] = in.Targets[k&mask]
		}
		for j := range block[:n] {
			t := &block[j]
			ring := int(t.Ring)
			switch {
			case seats != nil:
				ring = int(seats[order[j]&mask])
			case t.Ring == ByShare:
				ring = cut[t.Stratum].next()
			}
			i := next[ring]
			next[ring]++
			p.Devices[i], p.Content[i], p.Zone[i], p.Owner[i] = t.Device, t.Content, t.Zone, t.Tenant
			if p.Place != nil {
				p.Place[i] = t.Place
			}
			if p.Stratum != nil {
				p.Stratum[i] = t.Stratum
			}
			if p.Host != nil {
				p.Host[i] = t.Host
			}
		}
		order = order[n:]
	}
	p.rings(counts)
	p.Coverage = in.Census.wanted(&p)
	p.approvals(in.Approval, in.Needs)
	p.renumber()
	return p, nil
}

// renumber numbers contents and zones in the order in which the devices use them, so that a plan does not depend on the
// order in which its facts were gathered.
func (p *Plan) renumber() {
	p.Contents = firstUse(p.Contents, p.Content)
	p.Zones = firstUse(p.Zones, p.Zone)
	p.Tenants = firstUse(p.Tenants, p.Owner)
	p.Strata = firstUse(p.Strata, p.Stratum)
	p.Hosts = firstUse(p.Hosts, p.Host)
	p.renumberDomains()
}

func firstUse[T any, N uint16 | uint32](all []T, used []N) []T {
	number := make([]N, len(all)) // plus one; 0 for one that was not used yet
	var kept []T
	for i, old := range used {
		if len(all) == 0 {
			break
		}
		if number[old] == 0 {
			kept = append(kept, all[old])
			number[old] = N(len(kept))
		}
		used[i] = number[old] - 1
	}
	return kept
}

func (in *PlanInput) check() error {
	switch {
	case in.ID == "":
		return errors.New("the rollout has no ID")
	case len(in.Policy.Rings) == 0:
		return fmt.Errorf("policy %q has no rings", in.Policy.Name)
	case len(in.Policy.Rings) > 1<<7:
		return fmt.Errorf("policy %q has %d rings; at most 128", in.Policy.Name, len(in.Policy.Rings))
	case len(in.Targets) == 0:
		return fmt.Errorf("%w: policy %q lets no device get a patch", ErrNothing, in.Policy.Name)
	case len(in.Targets) > 1<<30:
		return fmt.Errorf("%d devices; at most 2^30", len(in.Targets))
	case len(in.Zones) >= 1<<16:
		return fmt.Errorf("%d time zones; at most 65535", len(in.Zones))
	case len(in.Tenants) >= 1<<16:
		return fmt.Errorf("%d tenants; at most 65535", len(in.Tenants))
	case in.Approval != nil && len(in.Approval) != len(in.Contents):
		return fmt.Errorf("%d approvals for %d contents", len(in.Approval), len(in.Contents))
	case in.Needs != nil && len(in.Needs) != len(in.Contents):
		return fmt.Errorf("needs of %d contents, there are %d", len(in.Needs), len(in.Contents))
	}
	if err := checkDomains(&in.Policy, in.Domains, in.Places); err != nil {
		return err
	}
	if err := checkStrata(&in.Policy, in.Strata); err != nil {
		return err
	}
	if err := checkHosts(&in.Policy, in.Hosts); err != nil {
		return err
	}
	for _, t := range in.Tenants {
		if !in.Tenant.Contains(t) {
			return fmt.Errorf("tenant %q is not the rollout's", t)
		}
		if in.Tenant == "" && t != "" {
			return fmt.Errorf("the rollout belongs to no tenant, but tenant %q has devices in it; make a rollout for each tenant", t)
		}
	}
	for i := range in.Contents {
		if len(in.Contents[i].Patches) == 0 {
			return fmt.Errorf("content %d: %w: it holds no patch", i, ErrNothing)
		}
		if in.Policy.Rollback.On == policy.FailHolds || in.Policy.Rollback.Irreversible {
			continue
		}
		for j := range in.Contents[i].Patches {
			x := &in.Contents[i].Patches[j]
			backed := x.Reversal == patch.ReversalSnapshot && in.Policy.Backup.Need == policy.BackupRequired
			if !backed && !x.Reversal.Possible() {
				return fmt.Errorf("the policy rolls back, but patch %s cannot be taken back (reversal %s); "+
					"leave it out, or accept that with rollback.irreversible", x.ID, x.Reversal)
			}
		}
	}
	return nil
}

// order sorts the targets by the keyed hash of their devices, ties by device, and refuses a device that stands twice. The
// lower bits of each number that it returns, those of mask, say where the target stands in the input.
//
// The upper bits are those of the hash, so that there is half as much to move; where they do not tell two devices apart, the
// hash is made again. The sort is two passes of a radix sort over the upper 22 bits, which leave nothing but a few
// neighbours to be exchanged.
func (in *PlanInput) order(salt string) (order []uint64, mask uint64, err error) {
	const digit, low, high = 11, 64 - 22, 64 - 11
	seed := orderSeed(salt, in.Tenant)
	n := len(in.Targets)
	mask = 1<<bits.Len(uint(n-1)) - 1
	a, b := make([]uint64, n), make([]uint64, n)
	var lows, highs [1 << digit]int32
	for i := range in.Targets {
		t := &in.Targets[i]
		if int(t.Content) >= len(in.Contents) {
			return nil, 0, fmt.Errorf("device %s: content %d of %d", t.Device, t.Content, len(in.Contents))
		}
		if int(t.Zone) >= max(len(in.Zones), 1) {
			return nil, 0, fmt.Errorf("device %s: time zone %d of %d", t.Device, t.Zone, len(in.Zones))
		}
		if int(t.Tenant) >= max(len(in.Tenants), 1) {
			return nil, 0, fmt.Errorf("device %s: tenant %d of %d", t.Device, t.Tenant, len(in.Tenants))
		}
		if int(t.Place) >= max(len(in.Places), 1) {
			return nil, 0, fmt.Errorf("device %s: place %d of %d", t.Device, t.Place, len(in.Places))
		}
		if int(t.Stratum) >= max(len(in.Strata), 1) {
			return nil, 0, fmt.Errorf("device %s: stratum %d of %d", t.Device, t.Stratum, len(in.Strata))
		}
		if int(t.Host) >= max(len(in.Hosts), 1) {
			return nil, 0, fmt.Errorf("device %s: host %d of %d", t.Device, t.Host, len(in.Hosts))
		}
		k := xxh64.Sum(seed, string(t.Device))
		a[i] = k&^mask | uint64(i)
		lows[k>>low&(1<<digit-1)]++
		highs[k>>high]++
	}
	sums(&lows)
	sums(&highs)
	for _, k := range a {
		d := k >> low & (1<<digit - 1)
		b[lows[d]] = k
		lows[d]++
	}
	for _, k := range b {
		d := k >> high
		a[highs[d]] = k
		highs[d]++
	}
	for i := 1; i < n; i++ {
		for j := i; j > 0 && a[j]|mask <= a[j-1]|mask; j-- {
			if a[j]|mask == a[j-1]|mask {
				x, y := in.Targets[a[j-1]&mask].Device, in.Targets[a[j]&mask].Device
				c := cmp.Or(cmp.Compare(xxh64.Sum(seed, string(x)), xxh64.Sum(seed, string(y))), cmp.Compare(x, y))
				if c == 0 {
					return nil, 0, fmt.Errorf("device %s stands twice", x)
				}
				if c < 0 {
					break
				}
			}
			a[j], a[j-1] = a[j-1], a[j]
		}
	}
	return a, mask, nil
}

func sums(counts *[1 << 11]int32) {
	var sum int32
	for i, c := range counts {
		counts[i] = sum
		sum += c
	}
}

// orderSeed mixes the salt and the tenant into the seed under which device IDs are hashed.
func orderSeed(salt string, t inventory.Tenant) uint64 {
	return xxh64.Sum(xxh64.Sum(0, salt), string(t))
}

// allot returns for every ring how many devices it gets, and how many of those by size, share or rest.
func (in *PlanInput) allot() (counts, byShare []int, err error) {
	rings := in.Policy.Rings
	counts, byShare = make([]int, len(rings)), make([]int, len(rings))
	unclaimed := 0
	for i := range in.Targets {
		switch r := in.Targets[i].Ring; {
		case r == ByShare:
			unclaimed++
		case r < 0 || int(r) >= len(rings):
			return nil, nil, fmt.Errorf("device %s: ring %d of %d", in.Targets[i].Device, r, len(rings))
		default:
			counts[r]++
		}
	}
	for r := range rings {
		byShare[r] = min(rings[r].Size, unclaimed)
		counts[r] += byShare[r]
		unclaimed -= byShare[r]
	}
	var weights, minima, which []int
	rest, total := -1, 0
	for r := range rings {
		switch {
		case rings[r].Rest:
			rest = r
		case rings[r].Share > 0:
			which = append(which, r)
			weights = append(weights, int(rings[r].Share))
			minima = append(minima, rings[r].Least(unclaimed))
			total += int(rings[r].Share)
		}
	}
	if total > 10000 {
		return nil, nil, fmt.Errorf("the shares of the rings sum up to %s", policy.Share(total))
	}
	if rest >= 0 {
		which, weights, minima = append(which, rest), append(weights, 10000-total), append(minima, 0)
		total = 10000
	}
	if unclaimed > 0 && total < 10000 {
		return nil, nil, fmt.Errorf("%d devices belong to no ring: the shares sum up to %s and no ring takes the rest",
			unclaimed, policy.Share(total))
	}
	for i, n := range Apportion(unclaimed, weights, minima) {
		byShare[which[i]] = n
		counts[which[i]] += n
	}
	return counts, byShare, nil
}

// Apportion divides n among weights by the method of the largest remainder (Hamilton): every part is its exact quota
// rounded up or down, and the sum is exactly n if the weights are not all zero. Equal remainders favour the earlier part.
// Then every part that is below its minimum is raised to it, in order, at the cost of the parts after it, the last first.
// A nil minima means none.
func Apportion(n int, weights, minima []int) []int {
	parts := make([]int, len(weights))
	total := 0
	for _, w := range weights {
		total += w
	}
	if total == 0 {
		return parts
	}
	left := n
	remainders := make([]int, len(weights))
	byRemainder := make([]int, len(weights))
	for i, w := range weights {
		parts[i] = int(uint64(n) * uint64(w) / uint64(total))
		remainders[i] = int(uint64(n) * uint64(w) % uint64(total))
		byRemainder[i] = i
		left -= parts[i]
	}
	slices.SortStableFunc(byRemainder, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, i := range byRemainder[:left] {
		parts[i]++
	}
	for i, least := range minima {
		for j := len(parts) - 1; j > i && parts[i] < least; j-- {
			take := min(least-parts[i], parts[j])
			parts[i] += take
			parts[j] -= take
		}
	}
	return parts
}

// rings writes the rings that have devices, and merges the others forward.
func (p *Plan) rings(counts []int) {
	first := 0
	var waiting []policy.Ring
	for r, n := range counts {
		ring := p.Policy.Rings[r]
		if n == 0 {
			waiting = append(waiting, ring)
			continue
		}
		planned := PlannedRing{Ring: ring, First: first, Count: n}
		planned.wants(ring)
		for _, empty := range waiting {
			planned.Merged = append(planned.Merged, empty.Name)
			planned.Gate = planned.Gate.Stricter(empty.Gate)
			planned.wants(empty)
			if empty.Ramp > 0 && (planned.Ramp == 0 || empty.Ramp < planned.Ramp) {
				planned.Ramp = empty.Ramp
			}
			if empty.MaxActive > 0 && (planned.MaxActive == 0 || empty.MaxActive < planned.MaxActive) {
				planned.MaxActive = empty.MaxActive
			}
		}
		waiting = nil
		first += n
		p.Rings = append(p.Rings, planned)
	}
}

// RingOf returns the number of the ring that device i belongs to.
func (p *Plan) RingOf(i int) int {
	if j := i - p.planned(); j >= 0 && p.Newcomers != nil {
		return int(p.Newcomers.rings[j])
	}
	r, _ := slices.BinarySearchFunc(p.Rings, i, func(ring PlannedRing, i int) int {
		switch {
		case ring.First > i:
			return 1
		case ring.First+ring.Count <= i:
			return -1
		}
		return 0
	})
	return r
}

// Find returns the number of a device. It searches each ring by the keyed hash, so that it needs no index.
func (p *Plan) Find(d inventory.DeviceID) (int, bool) {
	seed := orderSeed(p.Salt, p.Tenant)
	key := xxh64.Sum(seed, string(d))
	for r := range p.Rings {
		ring := &p.Rings[r]
		devices := p.Devices[ring.First : ring.First+ring.Count]
		i, found := slices.BinarySearchFunc(devices, d, func(e, d inventory.DeviceID) int {
			if c := cmp.Compare(xxh64.Sum(seed, string(e)), key); c != 0 {
				return c
			}
			return cmp.Compare(e, d)
		})
		if found {
			return ring.First + i, true
		}
	}
	return p.findJoined(d, key, seed)
}

// TenantOf returns the tenant of device i.
func (p *Plan) TenantOf(i int) inventory.Tenant {
	if len(p.Tenants) == 0 {
		return p.Tenant
	}
	return p.Tenants[p.Owner[i]]
}

// Digest returns the SHA-256 of everything that the plan says. It dies when one byte changes. It reads the whole plan:
// a tenth of a second or two for a million devices. Devices that have joined since do not change it.
func (p *Plan) Digest() (patch.Digest, error) {
	p = p.Made()
	// The long lists are hashed as they are; everything else by way of its JSON, which has one form.
	short := *p
	short.Devices, short.Content, short.Zone, short.Owner, short.Place, short.Stratum, short.Host = nil, nil, nil, nil, nil, nil, nil
	head, err := json.Marshal(&short)
	if err != nil {
		return "", fmt.Errorf("rollout: plan %s: %w", p.Key, err)
	}
	h := sha256.New()
	buf := make([]byte, 0, 1<<16)
	buf = binary.AppendUvarint(buf, uint64(len(head)))
	buf = append(buf, head...)
	for i, d := range p.Devices {
		buf = binary.AppendUvarint(buf, uint64(len(d)))
		buf = append(buf, d...)
		buf = binary.AppendUvarint(buf, uint64(p.Content[i]))
		buf = binary.AppendUvarint(buf, uint64(p.Zone[i]))
		buf = binary.AppendUvarint(buf, uint64(p.Owner[i]))
		if len(p.Place) > 0 {
			buf = binary.AppendUvarint(buf, uint64(p.Place[i]))
		}
		if len(p.Stratum) > 0 {
			buf = binary.AppendUvarint(buf, uint64(p.Stratum[i]))
		}
		if len(p.Host) > 0 {
			buf = binary.AppendUvarint(buf, uint64(p.Host[i]))
		}
		if len(buf) > 1<<15 {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return patch.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), nil
}

// Valid says whether a plan that was stored or sent is whole: that its lists fit together, its numbers are in range, its
// rings cover its devices, that these belong to its tenant or one below, and that they stand in the order that their salt
// gives them. Of devices that have joined since it says nothing.
func (p *Plan) Valid() error {
	p = p.Made()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("rollout: plan %s: "+format, append([]any{p.Key}, args...)...)
	}
	n := len(p.Devices)
	if n == 0 {
		return bad("%w", ErrNothing)
	}
	if len(p.Content) != n || len(p.Zone) != n || len(p.Owner) != n {
		return bad("%d devices, %d contents, %d zones, %d owners", n, len(p.Content), len(p.Zone), len(p.Owner))
	}
	for _, t := range p.Tenants {
		if !p.Tenant.Contains(t) {
			return bad("devices of tenant %q, which is neither %q nor below it", t, p.Tenant)
		}
	}
	if len(p.Places) > 0 && len(p.Place) != n || len(p.Places) == 0 && len(p.Place) > 0 {
		return bad("%d devices, %d places of %d", n, len(p.Place), len(p.Places))
	}
	for i, place := range p.Place {
		if int(place) >= len(p.Places) {
			return bad("device %s: place %d of %d", p.Devices[i], place, len(p.Places))
		}
	}
	if err := checkDomains(&p.Policy, p.Domains, p.Places); err != nil {
		return bad("%w", err)
	}
	if err := p.validStrata(); err != nil {
		return bad("%w", err)
	}
	seed := orderSeed(p.Salt, p.Tenant)
	at := 0
	for r := range p.Rings {
		ring := &p.Rings[r]
		if ring.First != at || ring.Count <= 0 || ring.Count > n-at {
			return bad("ring %s: devices %d to %d of %d, want it to begin at %d", ring.Name, ring.First, ring.First+ring.Count, n, at)
		}
		at += ring.Count
		var last uint64
		for i := ring.First; i < at; i++ {
			if int(p.Content[i]) >= len(p.Contents) || int(p.Zone[i]) >= max(len(p.Zones), 1) ||
				int(p.Owner[i]) >= max(len(p.Tenants), 1) {
				return bad("device %s: content %d, zone %d or tenant %d is out of range", p.Devices[i], p.Content[i], p.Zone[i], p.Owner[i])
			}
			key := xxh64.Sum(seed, string(p.Devices[i]))
			if i > ring.First && (key < last || key == last && p.Devices[i] <= p.Devices[i-1]) {
				return bad("device %s: not in its place", p.Devices[i])
			}
			last = key
		}
	}
	if at != n {
		return bad("its rings hold %d devices of %d", at, n)
	}
	if err := p.validHosts(); err != nil { // whose devices it finds by their order
		return bad("%w", err)
	}
	return nil
}
