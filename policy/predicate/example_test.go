package predicate_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/predicate"
)

func Example() {
	urgent := predicate.Compile(predicate.MustParse(
		`severity >= important and age >= 7d and (exploited or label.site in (oslo, "new york")) and not package glob "linux-image-*"`))

	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	x := &patch.Patch{
		ID: "debian:DSA-5999-1", Severity: patch.SeverityCritical, Released: now.AddDate(0, 0, -9),
		Packages: []patch.Package{{Ecosystem: "Debian:12", Name: "openssl"}},
	}
	for _, site := range []string{"oslo", "rome"} {
		d := &inventory.Device{ID: "web-1", Labels: map[string]string{"site": site}}
		fmt.Println(site, urgent.Eval(predicate.Facts{Patch: x, Device: d, Now: now}))
	}
	// Output:
	// oslo yes
	// rome unknown
}

// What lets something happen asks whether a predicate matches; what keeps something from happening asks whether it may.
func ExamplePredicate_MayMatch() {
	p := predicate.Compile(predicate.MustParse(`severity >= important`))
	unrated := predicate.Facts{Patch: &patch.Patch{ID: "vendor:1"}}
	fmt.Println(p.Matches(unrated), p.MayMatch(unrated))
	// Output: false true
}

func ExampleParse() {
	e, err := predicate.Parse(`severity>=important and age>=36h`)
	fmt.Println(e, err)

	_, err = predicate.Parse("severty >= important and\nage >= 7")
	fmt.Println(err)
	// Output:
	// severity >= important and age >= 1d12h <nil>
	// predicate: line 1, column 1: unknown field "severty"; did you mean severity?
	// predicate: line 2, column 8: age: "7" is no age: want for example 36h, 7d or 1d12h
}

func ExampleExpr_Node() {
	out, err := json.Marshal(predicate.MustParse(`exploited and label.site in (oslo, bergen)`).Node())
	fmt.Println(string(out), err)

	var e predicate.Expr
	err = json.Unmarshal([]byte(`{"any": [{"field": "exploited"}, {"field": "cvss", "op": ">=", "values": [9]}]}`), &e)
	fmt.Println(e, err)
	// Output:
	// {"all":[{"field":"exploited"},{"field":"label.site","op":"in","values":["oslo","bergen"]}]} <nil>
	// exploited or cvss >= 9 <nil>
}

func ExampleExpr_Needs() {
	fmt.Printf("%+v\n", predicate.MustParse(`device.os = debian and age > 7d`).Needs())
	// Output: {Patch:true Device:true Finding:false Now:true}
}

func ExampleFields() {
	for _, f := range predicate.Fields() {
		if f.Kind == "level" {
			fmt.Println(f.Name, f.Words, "-", f.Doc)
		}
	}
	// Output:
	// severity [low moderate important critical] - how its publisher rates it
	// worst [low moderate important critical] - the gravest rating of it or of one of its advisories
	// advisory.severity [low moderate important critical] - how its issuer rates it
}

// A patch is decided once for all devices that look alike.
func ExampleGroups() {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	groups := predicate.NewGroups(predicate.NewSet(
		predicate.MustParse(`severity >= important and device.os = debian`),
		predicate.MustParse(`exploited and device.exposure = public`),
	))
	for i := range 1000 {
		d := &inventory.Device{ID: inventory.DeviceID(fmt.Sprint(i)), Exposure: inventory.Internal, Platform: patch.Platform{OS: "debian"}}
		if i%10 == 0 {
			d.Exposure = inventory.Public
		}
		groups.Put(d, now)
	}
	var m predicate.Matches
	groups.Match(&m, &patch.Patch{ID: "vendor:1", Severity: patch.SeverityCritical}, now)
	fmt.Println(groups.Devices(), "devices in", groups.Len(), "groups")
	for i := range 2 {
		yes, unknown := groups.Count(&m, i)
		fmt.Println(yes, "yes,", unknown, "unknown")
	}
	// Output:
	// 1000 devices in 2 groups
	// 1000 yes, 0 unknown
	// 0 yes, 100 unknown
}

func ExampleSet_Signature() {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	set := predicate.NewSet(predicate.MustParse(`device.age.seen > 7d and severity = critical`))
	d := &inventory.Device{ID: "web-1", LastSeen: now.AddDate(0, 0, -2)}
	sig, until := set.Signature(d, now)
	fmt.Println(set.Eval(0, sig, &patch.Patch{Severity: patch.SeverityCritical}, now), "until", until)
	// Output: no until 2026-11-30 12:00:00 +0000 UTC
}
