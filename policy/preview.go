package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"iter"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

// ErrMoved is wrapped by the error for a preview that does not hold any more: the policies or the fleet are not those that
// it was made of, or time has changed a verdict.
var ErrMoved = errors.New("not what was previewed")

// A Difference is a finding of which two policies do not say the same.
type Difference struct {
	Tenant inventory.Tenant   `json:"tenant"`
	Device inventory.DeviceID `json:"device"`
	Patch  patch.ID           `json:"patch"`
	Was    Judgement          `json:"was"`
	Is     Judgement          `json:"is"`
}

// Diff yields the findings of cases on which the verdict of newer is another than that of older at the time now, in the
// order of cases. It is pure and keeps nothing; a second pass gives the same. A nil policy is an empty one.
func Diff(older, newer *Policy, cases iter.Seq[Case], now time.Time) iter.Seq[Difference] {
	older, newer = orEmpty(older), orEmpty(newer)
	return func(yield func(Difference) bool) {
		for c := range cases {
			if older.Verdict(c, now) == newer.Verdict(c, now) {
				continue
			}
			if !yield(Difference{c.Device.Tenant, c.Device.ID, c.Patch.ID, older.Judge(c, now), newer.Judge(c, now)}) {
				return
			}
		}
	}
}

func orEmpty(p *Policy) *Policy {
	if p == nil {
		return &Policy{}
	}
	return p
}

// A Reach is how far something goes: a number of findings, of the different devices that they are on, and of the different
// patches that they are about.
type Reach struct {
	Findings int `json:"findings"`
	Devices  int `json:"devices"`
	Patches  int `json:"patches"`
}

// String returns the numbers in English: "3 findings, 2 devices, 1 patch".
func (r Reach) String() string {
	return count(r.Findings, "finding", "findings") + ", " + count(r.Devices, "device", "devices") + ", " + count(r.Patches, "patch", "patches")
}

func count(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// A Move is how many findings go from one verdict to another.
type Move struct {
	From Verdict `json:"from"`
	To   Verdict `json:"to"`
	Reach
}

// A Preview says what would change if one policy took the place of another, before anybody applies it. It is plain data. Its
// digest binds it to both policies and to the facts that it was made of.
type Preview struct {
	Older string    `json:"older,omitempty"` // the policy's name; "" for none
	Newer string    `json:"newer,omitempty"`
	At    time.Time `json:"at"`

	Total    Reach  `json:"total"`           // what was looked at
	Affected Reach  `json:"affected"`        // newly to be installed, at once or once it is approved
	Spared   Reach  `json:"spared"`          // no longer to be installed
	Moves    []Move `json:"moves,omitempty"` // by From and To

	Digest patch.Digest `json:"digest"`
}

// NewPreview compares what two policies say of cases at the time now. It is pure, and reads cases once. A nil policy is an
// empty one: that shows what a first policy would do.
//
// Cases must come by tenant, device and patch, ascending and each once, as assessing a sorted fleet yields them; a case
// out of order is an error, because its device would be counted twice. Memory grows with the number of different patches,
// not with that of devices.
//
// The digest is a SHA-256 of both policies, of all that each patch says, of the identity, labels, platform, zone and exposure
// of each device, of the clocks of each case, and of both verdicts. What else is known of a device (its software, when
// it was last seen) counts by the verdicts alone.
func NewPreview(older, newer *Policy, cases iter.Seq[Case], now time.Time) (Preview, error) {
	older, newer = orEmpty(older), orEmpty(newer)
	v := Preview{Older: older.Name, Newer: newer.Name, At: now}
	s := survey{hash: sha256.New(), contents: make(map[*patch.Patch][sha256.Size]byte), patches: make(map[patch.ID]uint64)}
	s.json(older)
	s.json(newer)
	var last Case
	for c := range cases {
		if last.Patch != nil {
			if err := ordered(&last, &c); err != nil {
				return Preview{}, err
			}
		}
		if last.Patch == nil || last.Device.ID != c.Device.ID || last.Device.Tenant != c.Device.Tenant {
			s.flush()
			s.device(c.Device)
		}
		last = c
		was, is := older.Verdict(c, now), newer.Verdict(c, now)
		s.add(&c, was, is)
		if s.err != nil {
			return Preview{}, s.err
		}
	}
	s.flush()
	if s.err != nil {
		return Preview{}, s.err
	}
	s.count(&v)
	v.Digest = patch.Digest("sha256:" + hex.EncodeToString(s.hash.Sum(nil)))
	return v, nil
}

// Check makes the preview again and compares: it returns nil if applying newer in place of older now does what v says, and an
// error that wraps [ErrMoved] if not. Time may have passed, as long as it has changed no verdict. A zero Preview holds for
// nothing.
func (v Preview) Check(older, newer *Policy, cases iter.Seq[Case], now time.Time) error {
	again, err := NewPreview(older, newer, cases, now)
	switch {
	case err != nil:
		return err
	case v.Digest == "":
		return fmt.Errorf("policy: preview: nothing was previewed: %w", ErrMoved)
	case again.Digest == v.Digest:
		return nil
	case again.Older != v.Older || again.Newer != v.Newer:
		return fmt.Errorf("policy: preview of %q to %q: the policies are %q and %q: %w", v.Older, v.Newer, again.Older, again.Newer, ErrMoved)
	case again.Total != v.Total:
		return fmt.Errorf("policy: preview of %q to %q: %s then, %s now: %w", v.Older, v.Newer, v.Total, again.Total, ErrMoved)
	case again.Affected != v.Affected:
		return fmt.Errorf("policy: preview of %q to %q: newly affected %s then, %s now: %w", v.Older, v.Newer, v.Affected, again.Affected, ErrMoved)
	}
	return fmt.Errorf("policy: preview of %q to %q: the facts are others: %w", v.Older, v.Newer, ErrMoved)
}

// String returns the preview in English, a line for what is new, one for what ends, and one for each move, each with a line
// feed at its end.
func (v Preview) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "of %s, this change newly affects %s\n", v.Total, v.Affected)
	if v.Spared.Findings > 0 {
		fmt.Fprintf(&b, "no longer installed: %s\n", v.Spared)
	}
	for _, m := range v.Moves {
		fmt.Fprintf(&b, "  %s -> %s: %s\n", m.From, m.To, m.Reach)
	}
	return b.String()
}

const (
	verdicts = int(Approve) + 1
	affected = verdicts * verdicts // the bits after those of the moves
	spared   = affected + 1
	total    = affected + 2
)

// A survey counts moves. What a device or patch has a part in is a set of bits: one for each move from one verdict to
// another, and three for the sums.
type survey struct {
	hash     hash.Hash
	buf      []byte
	err      error
	contents map[*patch.Patch][sha256.Size]byte

	counts  [total + 1]Reach
	current uint64 // of the device at hand
	patches map[patch.ID]uint64
}

func ordered(a, b *Case) error {
	ra, rb := inventory.Ref{Tenant: a.Device.Tenant, Device: a.Device.ID}, inventory.Ref{Tenant: b.Device.Tenant, Device: b.Device.ID}
	if c := ra.Compare(rb); c > 0 || c == 0 && a.Patch.ID >= b.Patch.ID {
		return fmt.Errorf("policy: preview: %s on %s comes after %s on %s: want them by tenant, device and patch, each once",
			b.Patch.ID, rb, a.Patch.ID, ra)
	}
	return nil
}

func (s *survey) add(c *Case, was, is Verdict) {
	bits := uint64(1) << total
	if was != is {
		bits |= 1 << (int(was)*verdicts + int(is))
	}
	switch before, after := was >= RequireApproval, is >= RequireApproval; {
	case after && !before:
		bits |= 1 << affected
	case before && !after:
		bits |= 1 << spared
	}
	for i := range s.counts {
		s.counts[i].Findings += int(bits >> i & 1)
	}
	s.current |= bits
	s.patches[c.Patch.ID] |= bits

	s.patch(c.Patch)
	s.time(c.FirstSeen)
	s.time(c.Approved)
	s.number(uint64(len(c.Older)))
	for i := range c.Older {
		s.patch(c.Older[i].Patch)
		s.time(c.Older[i].FirstSeen)
		s.time(c.Older[i].Approved)
	}
	s.number(uint64(was))
	s.number(uint64(is))
	s.write()
}

// flush counts the device at hand.
func (s *survey) flush() {
	for i := range s.counts {
		s.counts[i].Devices += int(s.current >> i & 1)
	}
	s.current = 0
}

func (s *survey) count(v *Preview) {
	for _, bits := range s.patches {
		for i := range s.counts {
			s.counts[i].Patches += int(bits >> i & 1)
		}
	}
	v.Total, v.Affected, v.Spared = s.counts[total], s.counts[affected], s.counts[spared]
	for i, r := range s.counts[:affected] {
		if r.Findings > 0 {
			v.Moves = append(v.Moves, Move{Verdict(i / verdicts), Verdict(i % verdicts), r})
		}
	}
}

// device hashes what a policy may know of a device.
func (s *survey) device(d *inventory.Device) {
	s.json(inventory.Device{Tenant: d.Tenant, ID: d.ID, Name: d.Name, Labels: d.Labels, Platform: d.Platform, Zone: d.Zone, Exposure: d.Exposure})
}

func (s *survey) patch(x *patch.Patch) {
	sum, ok := s.contents[x]
	if !ok {
		text, err := json.Marshal(x)
		if err != nil && s.err == nil {
			s.err = fmt.Errorf("policy: preview: patch %s: %w", x.ID, err)
		}
		sum = sha256.Sum256(text)
		s.contents[x] = sum
	}
	s.buf = append(s.buf, sum[:]...)
}

func (s *survey) json(v any) {
	text, err := json.Marshal(v)
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("policy: preview: %w", err)
	}
	s.number(uint64(len(text)))
	s.buf = append(s.buf, text...)
	s.write()
}

func (s *survey) time(t time.Time) {
	s.number(uint64(t.Unix()))
	s.number(uint64(t.Nanosecond()))
}

func (s *survey) number(n uint64) { s.buf = binary.AppendUvarint(s.buf, n) }

func (s *survey) write() {
	s.hash.Write(s.buf)
	s.buf = s.buf[:0]
}
