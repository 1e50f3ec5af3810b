package policy

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

const digest = "sha256:aa"

// noon is when the requests of these tests are settled, if nothing else is said.
func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

// yes is the approval of a person, an hour ago; change spoils it.
func yes(by string, change ...func(*Decision)) Decision {
	d := Decision{Ruling: Approved, By: by, Digest: digest, At: noon().Add(-time.Hour)}
	for _, c := range change {
		c(&d)
	}
	return d
}

func no(by string) Decision { return yes(by, func(d *Decision) { d.Ruling = Denied }) }

func of(groups ...string) func(*Decision) { return func(d *Decision) { d.Groups = groups } }

func urgent(d *Decision) {
	d.Emergency = &Emergency{Reason: "worm", ReviewDue: noon().Add(24 * time.Hour)}
}

func byRule(d *Decision) { d.By, d.Rule = "rule:pilot is fine", "pilot is fine" }

func TestSettle(t *testing.T) {
	two := []Need{{Quorum: 2}}
	board := []Need{{Quorum: 2, Approvers: []string{"hans", "group:board"}}}
	passed := []Passed{{Ring: "test", Devices: 3, Succeeded: 3}}
	for _, c := range []struct {
		name      string
		needs     []Need
		passed    []Passed
		decisions []Decision
		want      Ruling
		by        string
		votes     string
		short     string
	}{
		{"silence", nil, nil, nil, Pending, "", "", "1 more: anybody else"},
		{"one is enough where nothing else is said", nil, nil, []Decision{yes("ann")}, Approved, "ann", "counts", ""},
		{"a decision that is none", nil, nil, []Decision{yes("ann", func(d *Decision) { d.Ruling = Pending }), {Ruling: 9, By: "ann", Digest: digest}}, Pending, "", "none none", "1 more: anybody else"},
		{"nobody", nil, nil, []Decision{yes(""), yes(" ")}, Pending, "", "nobody nobody", "1 more: anybody else"},
		{"the requester", nil, nil, []Decision{yes("olga"), yes(" OLGA ")}, Pending, "", "own own", "1 more: anybody else"},
		{"the requester takes it back", nil, nil, []Decision{no("olga")}, Denied, "olga", "counts", ""},
		{"the requester takes it back, though they may not approve", board, nil, []Decision{no("Olga")}, Denied, "Olga", "counts", ""},
		{"another digest", nil, nil, []Decision{yes("ann", func(d *Decision) { d.Digest = "sha256:bb" }), yes("ann", func(d *Decision) { d.Digest = "" })}, Pending, "", "other other", "1 more: anybody else"},
		{"a denial needs no digest", nil, nil, []Decision{{Ruling: Denied, By: "ann"}}, Denied, "ann", "counts", ""},
		{"a denial of something else", nil, nil, []Decision{{Ruling: Denied, By: "ann", Digest: "sha256:bb"}}, Pending, "", "other", "1 more: anybody else"},
		{"expired this instant", nil, nil, []Decision{yes("ann", func(d *Decision) { d.Expires = noon() })}, Pending, "", "expired", "1 more: anybody else"},
		{"not expired yet", nil, nil, []Decision{yes("ann", func(d *Decision) { d.Expires = noon().Add(1) })}, Approved, "ann", "counts", ""},
		{"an expired denial", nil, nil, []Decision{{Ruling: Denied, By: "bob", Digest: digest, Expires: noon()}, yes("ann")}, Approved, "ann", "expired counts", ""},

		{"two people", two, nil, []Decision{yes("ann"), yes("bob")}, Approved, "ann bob", "counts counts", ""},
		{"one person twice", two, nil, []Decision{yes("ann"), yes("ann")}, Pending, "", "replaced counts", "1 more: 2 people"},
		{"one person in two spellings", two, nil, []Decision{yes("ann"), yes(" Ann")}, Pending, "", "replaced counts", "1 more: 2 people"},
		{"two people, one of them the requester", two, nil, []Decision{yes("ann"), yes("olga")}, Pending, "", "counts own", "1 more: 2 people"},
		{"a denial wins over one approval", two, nil, []Decision{yes("ann"), no("bob"), yes("carl")}, Denied, "bob", "counts counts late", ""},
		{"a person thinks better of it while it is pending", two, nil, []Decision{yes("ann"), no("ann")}, Denied, "ann", "counts counts", ""},
		{"a person thinks better of it too late", nil, nil, []Decision{yes("ann"), no("ann")}, Approved, "ann", "counts late", ""},
		{"a denial is not taken back", nil, nil, []Decision{no("ann"), yes("ann")}, Denied, "ann", "counts late", ""},

		{"named people", board, nil, []Decision{yes("hans"), yes("ida", of("staff", "board"))}, Approved, "hans ida", "counts counts", ""},
		{"people unknown", board, nil, []Decision{yes("ann"), yes("ida", of("boards"))}, Pending, "", "unknown unknown", "2 more: 2 of hans, group:board"},
		{"a denial of somebody unknown", board, nil, []Decision{no("ann"), yes("hans")}, Pending, "", "unknown counts", "1 more: 2 of hans, group:board"},
		{"a person called like a group", board, nil, []Decision{yes("group:board"), yes("board"), yes("Hans")}, Pending, "", "unknown unknown unknown", "2 more: 2 of hans, group:board"},
		{"a group called like a person", board, nil, []Decision{yes("ann", of("hans"))}, Pending, "", "unknown", "2 more: 2 of hans, group:board"},
		{"every need, one person for both", []Need{{Approvers: []string{"hans"}}, {Quorum: 2}}, nil, []Decision{yes("ann"), yes("hans")}, Approved, "ann hans", "counts counts", ""},
		{"one need of two", []Need{{Approvers: []string{"hans"}}, {Quorum: 2}}, nil, []Decision{yes("ann"), yes("bob")}, Pending, "", "counts counts", "1 more: hans"},

		{"valid no longer", []Need{{Quorum: 2, Valid: Duration(time.Hour)}}, nil, []Decision{yes("ann"), yes("bob", func(d *Decision) { d.At = noon() })}, Pending, "", "expired counts", "1 more: 2 people within 1h"},
		{"valid still", []Need{{Quorum: 2, Valid: Duration(time.Hour) + 1}}, nil, []Decision{yes("ann"), yes("bob", func(d *Decision) { d.At = noon() })}, Approved, "ann bob", "counts counts", ""},
		{"said again in time", []Need{{Quorum: 2, Valid: Duration(time.Minute)}}, nil, []Decision{yes("ann"), yes("ann", func(d *Decision) { d.At = noon() }), yes("bob", func(d *Decision) { d.At = noon() })}, Approved, "ann bob", "expired counts counts", ""},
		{"undated, or from the future", []Need{{Quorum: 2, Valid: Duration(time.Hour)}}, nil, []Decision{yes("ann", func(d *Decision) { d.At = time.Time{} }), yes("bob", func(d *Decision) { d.At = noon().Add(1) })}, Pending, "", "undated undated", "2 more: 2 people within 1h"},
		{"valid for one need and not for the other", []Need{{Quorum: 2, Valid: Duration(time.Minute)}, {}}, nil, []Decision{yes("ann")}, Pending, "", "counts", "2 more: 2 people within 1m"},

		{"a rule that nobody allowed", nil, passed, []Decision{yes("", byRule)}, Pending, "", "rule", "1 more: anybody else"},
		{"a rule before any ring has passed", []Need{{ByRule: true}}, nil, []Decision{yes("", byRule)}, Pending, "", "early", "1 more: anybody else, or a rule"},
		{"a rule in place of two", []Need{{Quorum: 2, ByRule: true}}, passed, []Decision{yes("", byRule)}, Approved, "rule:pilot is fine", "counts", ""},
		{"a rule for one need of two", []Need{{Quorum: 2, ByRule: true}, {}}, passed, []Decision{yes("", byRule)}, Pending, "", "counts", "1 more: anybody else"},
		{"a rule and a person", []Need{{Quorum: 2, ByRule: true}, {}}, passed, []Decision{yes("", byRule), yes("ann")}, Approved, "rule:pilot is fine ann", "counts counts", ""},
		{"a rule that denies", []Need{{ByRule: true}}, passed, []Decision{yes("", byRule, func(d *Decision) { d.Ruling = Denied })}, Pending, "", "rule", "1 more: anybody else, or a rule"},
		{"a rule in an emergency", []Need{{Quorum: 2, Emergency: true}}, passed, []Decision{yes("", byRule, urgent)}, Pending, "", "rule", "2 more: 2 people"},
		{"a person who says to be a rule", []Need{{ByRule: true}}, passed, []Decision{yes("rule:pilot is fine")}, Pending, "", "unknown", "1 more: anybody else, or a rule"},

		{"an emergency", []Need{{Quorum: 3, Emergency: true}}, nil, []Decision{yes("ann"), yes("bob", urgent)}, Approved, "bob", "counts counts", "bypassed 1 more: 3 people"},
		{"an emergency that nobody allowed is an approval", two, nil, []Decision{yes("ann", urgent)}, Pending, "", "counts", "1 more: 2 people"},
		{"an emergency that is none any more", []Need{{Quorum: 2, Emergency: true}}, nil, []Decision{yes("ann"), yes("bob", urgent)}, Approved, "ann bob", "counts counts", ""},
		{"an emergency without a reason", []Need{{Quorum: 2, Emergency: true}}, nil, []Decision{yes("ann", urgent, func(d *Decision) { d.Emergency.Reason = " " }), yes("bob", urgent, func(d *Decision) { d.Emergency.ReviewDue = time.Time{} })}, Pending, "", "reasonless reasonless", "2 more: 2 people"},
		{"an emergency of the requester", []Need{{Quorum: 2, Emergency: true}}, nil, []Decision{yes("olga", urgent)}, Pending, "", "own", "2 more: 2 people"},
		{"an emergency of somebody unknown", []Need{{Quorum: 2, Emergency: true, Approvers: []string{"hans", "ida"}}}, nil, []Decision{yes("ann", urgent)}, Pending, "", "unknown", "2 more: 2 of hans, ida"},
		{"an emergency for one need of two", []Need{{Quorum: 2, Emergency: true}, {Approvers: []string{"hans"}}}, nil, []Decision{yes("ann", urgent), yes("hans", urgent)}, Approved, "ann hans", "counts counts", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Request{ID: "q", Digest: digest, By: "olga", Needs: c.needs, Passed: c.passed}
			s := Settle(r, c.decisions, noon())
			var votes, short []string
			for _, v := range s.Votes {
				votes = append(votes, v.Code.String())
			}
			for _, sh := range s.Short {
				short = append(short, sh.String())
			}
			if s.Emergency != nil {
				require.Equal(t, "worm", s.Emergency.Reason)
				require.Equal(t, noon().Add(24*time.Hour), s.Emergency.ReviewDue)
				short = append(short, "bypassed "+strings.Join(s.Emergency.Bypassed, "; "))
			}
			require.Equal(t, c.want, s.Ruling, s)
			require.Equal(t, c.by, strings.Join(s.By, " "))
			require.Equal(t, c.votes, strings.Join(votes, " "))
			require.Equal(t, c.short, strings.Join(short, "; "))
			text, err := json.Marshal(s)
			require.NoError(t, err)
			var back Settlement
			require.NoError(t, json.Unmarshal(text, &back))
			require.Empty(t, cmp.Diff(s, back))
		})
	}
}

// Whatever is said, in whatever order: an approval rests on as many entitled people as every need asks for, none of them
// the requester; a further decision never changes what is settled; and the arguments stay as they are.
func TestSettleKeepsItsPromises(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	people := []string{"olga", "Olga", "ann", "ANN", "bob", "hans", "ida", ""}
	pick := func(n int) bool { return rng.IntN(n) == 0 }
	settled := 0
	for range 20000 {
		r := Request{ID: "q", Digest: digest, By: "olga"}
		for range rng.IntN(3) {
			n := Need{Quorum: rng.IntN(4), ByRule: pick(4), Emergency: pick(3)}
			if n.Emergency {
				n.Bypass = Bypass{Windows: pick(2), Freezes: pick(2)}
			}
			if pick(2) {
				n.Approvers = []string{"ann", "hans", "group:board"}
			}
			r.Needs = append(r.Needs, n)
		}
		var ds []Decision
		for range rng.IntN(7) {
			d := yes(people[rng.IntN(len(people))])
			d.Ruling = Ruling(rng.IntN(20) % 3)
			if d.Ruling == Pending {
				d.Ruling = Approved
			}
			if pick(3) {
				d.Groups = []string{"board"}
			}
			if pick(5) {
				urgent(&d)
				d.Emergency.Bypass = Bypass{Windows: pick(3), Freezes: pick(3)}
			}
			if pick(6) {
				d.Digest = "sha256:bb"
			}
			ds = append(ds, d)
		}
		before := fmt.Sprintf("%+v", ds)
		s := Settle(r, ds, noon())
		require.Equal(t, before, fmt.Sprintf("%+v", ds))
		if s.Ruling == Pending {
			continue
		}
		settled++
		more := Settle(r, append(ds, no("hans"), yes("ann"), no("olga")), noon())
		require.Equal(t, s.Ruling, more.Ruling)
		require.Equal(t, s.By, more.By)
		if s.Ruling == Denied {
			continue
		}
		for _, n := range append(r.Needs, Need{}) {
			have := make(map[string]bool)
			for i, v := range s.Votes {
				if v.Code == VoteCounts && (len(n.Approvers) == 0 || v.By == "ann" || v.By == "hans" || len(ds[i].Groups) > 0) {
					have[strings.ToLower(v.By)] = true
				}
			}
			require.False(t, have["olga"])
			if s.Emergency != nil && (n.Emergency || len(r.Needs) == 0) {
				require.True(t, !s.Emergency.Bypass.Windows || n.Bypass.Windows, "%+v\n%s", n, s)
				require.True(t, !s.Emergency.Bypass.Freezes || n.Bypass.Freezes, "%+v\n%s", n, s)
			}
			if s.Emergency == nil || !n.Emergency {
				require.GreaterOrEqual(t, len(have), max(n.Quorum, 1), "%+v\n%s", n, s)
			} else {
				require.NotEmpty(t, have)
			}
		}
	}
	require.Greater(t, settled, 1000)
}

func TestNeedsAreValidated(t *testing.T) {
	for want, need := range map[string]Need{
		`policy: rings[1].need.quorum: -1 is negative`:                                              {Quorum: -1},
		`policy: rings[1].need.approvers[0]: missing`:                                               {Approvers: []string{""}},
		`policy: rings[1].need.approvers[0]: "rule:x" names a rule, not a person: want byRule`:      {Approvers: []string{"rule:x"}},
		`policy: rings[1].need.approvers[1]: "a" is the name of rings[1].need.approvers[0] already`: {Approvers: []string{"a", "a"}},
		`policy: rings[1].need.quorum: 3 people, but only 2 are named`:                              {Quorum: 3, Approvers: []string{"a", "b"}},
		`policy: rings[1].need.valid: -1s is negative`:                                              {Valid: -1e9},
		`policy: rings[1].need.valid: one person is enough: there is nobody to wait for`:            {Valid: 1e9, Quorum: 1},
		`policy: rings[1].need.emergency: one person is enough without it`:                          {Emergency: true},
		`policy: rings[1].need.bypass: only in an emergency: want emergency too`:                    {Quorum: 2, Bypass: Bypass{Freezes: true}},
		`policy: rings[1].need.approvers[0]: " x" begins or ends with a blank`:                      {Approvers: []string{"group: x"}},
	} {
		p := fleet()
		p.Rings[1].Need = need
		require.EqualError(t, p.Validate(), want)
	}
	p := fleet()
	p.Rings[1].Need = Need{Emergency: true, Bypass: Bypass{Windows: true}}
	require.NoError(t, p.Validate(), "one person is enough, and lifts windows only in an emergency")
	p.Rings[0].Need, p.Need = Need{ByRule: true}, Need{ByRule: true}
	require.EqualError(t, p.Validate(), "policy: rings[0].need.byRule: no ring has passed before the first: a rule could never approve it\n"+
		"policy: need.byRule: no ring has passed before the first: a rule could never approve it")
}

// key returns the key that a person's name stands for in these tests.
func key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func public(name string) ed25519.PublicKey { return key(name).Public().(ed25519.PublicKey) }

func TestEverythingThatIsSignedIsSigned(t *testing.T) {
	ring, err := NewKeyRing(Person{Name: "ann", Key: public("ann"), Groups: []string{"board"}}, Person{Name: "bob", Key: public("bob")})
	require.NoError(t, err)
	whole := yes("ann", urgent, func(d *Decision) { d.Expires, d.Reason = noon().Add(time.Hour), "fine" })
	whole.Rule = "r"
	signed, err := whole.Sign(key("ann"))
	require.NoError(t, err)
	got, err := ring.Verify(signed)
	require.NoError(t, err)
	want := signed
	want.Groups = []string{"board"}
	require.Equal(t, want, got)

	text, err := json.Marshal(signed)
	require.NoError(t, err)
	var back Decision
	require.NoError(t, json.Unmarshal(text, &back))
	_, err = ring.Verify(back)
	require.NoError(t, err, "it survives JSON")
	elsewhere := signed
	elsewhere.At = signed.At.In(time.FixedZone("", 3600))
	_, err = ring.Verify(elsewhere)
	require.NoError(t, err, "the zone in which a time is written is not signed")

	changes := map[string]func(*Decision){
		"Ruling": func(d *Decision) { d.Ruling = Denied }, "By": func(d *Decision) { d.By = "bob" }, "Reason": func(d *Decision) { d.Reason += "." },
		"Digest": func(d *Decision) { d.Digest += "0" }, "At": func(d *Decision) { d.At = d.At.Add(1) },
		"Expires": func(d *Decision) { d.Expires = time.Time{} }, "Rule": func(d *Decision) { d.Rule = "" },
		"Emergency":       func(d *Decision) { d.Emergency = nil },
		"EmergencyReason": func(d *Decision) { d.Emergency = &Emergency{Reason: "x", ReviewDue: d.Emergency.ReviewDue} },
		"EmergencyDue":    func(d *Decision) { d.Emergency = &Emergency{Reason: d.Emergency.Reason} },
		"EmergencyBypass": func(d *Decision) {
			d.Emergency = &Emergency{Reason: d.Emergency.Reason, ReviewDue: d.Emergency.ReviewDue, Bypass: Bypass{Freezes: true}}
		},
		"Signature": func(d *Decision) { d.Signature = bytes.Repeat([]byte{1}, 64) }, "NoSignature": func(d *Decision) { d.Signature = nil },
		"ShortSignature": func(d *Decision) { d.Signature = d.Signature[:63] },
	}
	for i := range reflect.TypeFor[Decision]().NumField() {
		name := reflect.TypeFor[Decision]().Field(i).Name
		require.True(t, changes[name] != nil || name == "Groups", "is %s signed?", name)
	}
	for name, change := range changes {
		d := signed
		change(&d)
		got, err := ring.Verify(d)
		require.ErrorIs(t, err, ErrSignature, name)
		require.Zero(t, got, name)
	}
	d := signed
	d.Groups = []string{"owners"}
	got, err = ring.Verify(d)
	require.NoError(t, err)
	require.Equal(t, []string{"board"}, got.Groups, "nobody puts themselves into a group")
	_, err = new(KeyRing).Verify(signed)
	require.ErrorIs(t, err, ErrSignature)
	_, err = whole.Sign(key("ann")[:5])
	require.Error(t, err)
}

func TestAKeyRingWantsDistinctKeysAndNames(t *testing.T) {
	negative := bytes.Clone(public("ann"))
	negative[31] ^= 0x80
	for want, people := range map[string][]Person{
		`policy: key ring: person 1, " ": the name is missing`:                                            {{Name: " ", Key: public("ann")}},
		`policy: key ring: person 1, "group:x": is the name of a group or a rule`:                         {{Name: "group:x", Key: public("ann")}},
		`policy: key ring: person 1, "ann": a public key has 3 bytes, want 32`:                            {{Name: "ann", Key: public("ann")[:3]}},
		`policy: key ring: person 2, "Ann": "ann" is the same name`:                                       {{Name: "ann", Key: public("ann")}, {Name: "Ann", Key: public("bob")}},
		`policy: key ring: person 2, "bob": has the key of "ann": every person needs a key of their own`:  {{Name: "ann", Key: public("ann")}, {Name: "bob", Key: public("ann")}},
		`policy: key ring: person 3, "carl": has the key of "ann": every person needs a key of their own`: {{Name: "ann", Key: public("ann")}, {Name: "bob", Key: public("bob")}, {Name: "carl", Key: negative}},
	} {
		_, err := NewKeyRing(people...)
		require.EqualError(t, err, want)
	}
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	encode := func(y *big.Int) ed25519.PublicKey {
		b := y.FillBytes(make([]byte, 32))
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		return b
	}
	at := func(d int64) *big.Int { return new(big.Int).Add(prime, big.NewInt(d)) }
	order8, err := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	require.NoError(t, err)
	other8 := encode(new(big.Int).Sub(prime, new(big.Int).SetBytes(encode(new(big.Int).SetBytes(order8)))))
	for name, k := range map[string]ed25519.PublicKey{"zero": make([]byte, 32), "one": encode(big.NewInt(1)), "minus one": encode(at(-1)),
		"one, in another form": encode(at(1)), "zero, in another form": encode(at(0)), "order 8": order8, "the other of order 8": other8} {
		for _, sign := range []byte{0, 0x80} {
			k := bytes.Clone(k)
			k[31] |= sign
			_, err := NewKeyRing(Person{Name: "eve", Key: k})
			require.ErrorContains(t, err, "anybody can sign for", name)
		}
	}
}

func FuzzDecisionIsSignedAsItIs(f *testing.F) {
	f.Add("ann", "fine", digest, int64(1), "ann", "fine", digest, int64(2))
	f.Add("1:a,", "", "", int64(0), "", "1:a,", "", int64(0))
	f.Fuzz(func(t *testing.T, by, reason, dig string, at int64, by2, reason2, dig2 string, at2 int64) {
		a := Decision{Ruling: Approved, By: by, Reason: reason, Digest: "d" + patch.Digest(dig), At: time.Unix(at, 0)}
		b := Decision{Ruling: Approved, By: by2, Reason: reason2, Digest: "d" + patch.Digest(dig2), At: time.Unix(at2, 0)}
		equal := by == by2 && reason == reason2 && dig == dig2 && (at == at2)
		require.Equal(t, equal, bytes.Equal(a.signed(), b.signed()))
	})
}

func TestSettlingIsTheDecisionThatCounted(t *testing.T) {
	r := Request{ID: "q", By: "olga", Digest: "sha256:1", Needs: []Need{{Quorum: 2}}}
	by := func(name string, ruling Ruling) Decision { return Decision{Ruling: ruling, By: name, Digest: r.Digest} }
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct {
		decisions []Decision
		want      string
		ruling    Ruling
	}{
		{nil, "", Pending},
		{[]Decision{by("rita", Approved)}, "", Pending},
		{[]Decision{by("rita", Approved), by("olga", Approved)}, "", Pending},
		{[]Decision{by("rita", Approved), by("hans", Approved), by("eve", Denied)}, "hans", Approved},
		{[]Decision{by("rita", Approved), by("eve", Denied), by("hans", Approved)}, "eve", Denied},
	} {
		d := Settling(r, row.decisions, now)
		require.Equal(t, row.want, d.By)
		require.Equal(t, row.ruling, d.Ruling)
	}
}
