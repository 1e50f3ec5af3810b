package inventory_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
)

func ref(id string) inventory.Ref {
	return inventory.Ref{Tenant: "acme", Device: inventory.DeviceID(id)}
}

func named(d *inventory.Device, id string) *inventory.Device {
	d.ID = inventory.DeviceID(id)
	return d
}

func fleetOf(c *patch.Catalog, devices ...*inventory.Device) *inventory.Fleet {
	f := inventory.NewFleet(c)
	for _, d := range devices {
		f.Put(d)
	}
	return f
}

func TestFleetAnswersForEveryDevice(t *testing.T) {
	c := catalog(t, fixes("d:1", "openssl 3"), fixes("d:2", "bash 6", "curl 8"))
	f := fleetOf(c, named(bob("openssl 2", "bash 6"), "ada"), named(bob("openssl 2", "bash 5"), "bob"), named(bob("zsh 1"), "cyd"))
	require.Equal(t, 3, f.Len())
	require.Same(t, c, f.Catalog())
	require.Equal(t, []inventory.Ref{ref("ada"), ref("bob"), ref("cyd")}, slices.Collect(f.All()))
	require.Equal(t, []patch.ID{"d:1"}, f.Missing(ref("ada")))
	require.Equal(t, []patch.ID{"d:1", "d:2"}, f.Missing(ref("bob")))
	require.Nil(t, f.Missing(ref("cyd")))
	require.Nil(t, f.Missing(ref("nobody")))
	require.Equal(t, []inventory.Ref{ref("ada"), ref("bob")}, f.Missed("d:1"))
	require.Equal(t, []inventory.Ref{ref("bob")}, f.Missed("d:2"))
	require.Empty(t, f.Missed("d:3"))
	a, found := f.Assess(ref("bob"))
	require.True(t, found)
	require.Equal(t, inventory.Assess(c, named(bob("openssl 2", "bash 5"), "bob")), a)
	_, found = f.Assess(ref("nobody"))
	require.False(t, found)
}

func TestFleetTakesADeviceInAnew(t *testing.T) {
	f := fleetOf(catalog(t, fixes("d:1", "openssl 3"), fixes("d:2", "bash 6"), fixes("d:3", "tool 2")), named(bob("openssl 2", "bash 5"), "bob"))
	f.Put(missing(named(bob("openssl 3", "bash 5"), "bob"), "d:3"))
	require.Equal(t, 1, f.Len())
	require.Equal(t, []patch.ID{"d:2", "d:3"}, f.Missing(ref("bob")))
	require.Empty(t, f.Missed("d:1"))
	require.Equal(t, []inventory.Ref{ref("bob")}, f.Missed("d:3"))
	f.Put(named(bob("openssl 2"), "bob"))
	require.Equal(t, []patch.ID{"d:1"}, f.Missing(ref("bob")))
	require.Empty(t, f.Missed("d:3"), "what it said before")
}

func TestFleetForgetsADevice(t *testing.T) {
	f := fleetOf(catalog(t, fixes("d:1", "openssl 3")), named(bob("openssl 2"), "ada"), named(bob("openssl 2"), "bob"))
	require.True(t, f.Remove(ref("ada")))
	require.False(t, f.Remove(ref("ada")))
	require.Equal(t, []inventory.Ref{ref("bob")}, f.Missed("d:1"))
	require.True(t, f.Remove(ref("bob")))
	require.Zero(t, f.Len())
	require.Empty(t, f.Missed("d:1"))
	f.Put(named(bob("openssl 1"), "cyd"))
	require.Equal(t, []inventory.Ref{ref("cyd")}, f.Missed("d:1"))
}

func TestFleetKeepsNothingOfTheCaller(t *testing.T) {
	d := missing(named(bob("openssl 2"), "bob"), "d:1")
	f := fleetOf(catalog(t, fixes("d:1", "openssl 3"), fixes("d:2", "bash 1")), d)
	want, _ := f.Assess(ref("bob"))
	d.Software[0].Version.Text, d.Coverage[0].Status, d.Missing[0] = "9", inventory.Failed, "d:2"
	got, _ := f.Assess(ref("bob"))
	require.Empty(t, cmp.Diff(want, got))
}

func TestFleetUpdateLooksAtWhatChanged(t *testing.T) {
	before := catalog(t, fixes("d:1", "openssl 3"), fixes("d:2", "bash 6"))
	f := fleetOf(before, named(bob("openssl 2"), "ada"), named(bob("bash 5"), "bob"), missing(named(bob("zsh 1"), "cyd"), "d:9"))
	after := catalog(t, fixes("d:1", "openssl 3"), fixes("d:2", "bash 5"), fixes("d:3", "openssl 4", "zsh 1"), fixes("d:9", "tool 1"))
	touched := f.Update(after, patch.Diff(before, after))
	require.Equal(t, []inventory.Ref{ref("ada"), ref("bob"), ref("cyd")}, touched)
	require.Same(t, after, f.Catalog())
	require.Equal(t, []patch.ID{"d:1", "d:3"}, f.Missing(ref("ada")))
	require.Nil(t, f.Missing(ref("bob")))
	require.Equal(t, []patch.ID{"d:9"}, f.Missing(ref("cyd")))
	require.Empty(t, f.Update(after, patch.Diff(after, after)), "nothing is left to do")

	last := catalog(t, fixes("d:1", "openssl 3"), fixes("d:2", "bash 5"), fixes("d:3", "openssl 4", "zsh 1"), withdrawn(fixes("d:9", "tool 1")))
	require.Equal(t, []inventory.Ref{ref("cyd")}, f.Update(last, patch.Diff(after, last)))
	require.Nil(t, f.Missing(ref("cyd")))
}

// Whatever happens to a fleet and its catalog, its answers are those of Assess.
func TestFleetAgreesWithAssess(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			patches := map[int]patch.Patch{}
			edit := func(n int) {
				for range n {
					k := random.IntN(40)
					if random.IntN(5) == 0 {
						delete(patches, k)
					} else {
						patches[k] = randomPatch(random, k)
					}
				}
			}
			current := func() *patch.Catalog {
				var all []patch.Patch
				for k := range 40 {
					if p, found := patches[k]; found {
						all = append(all, p)
					}
				}
				return catalog(t, all...)
			}
			edit(30)
			c := current()
			f := inventory.NewFleet(c)
			devices := map[inventory.Ref]*inventory.Device{}
			for range 60 {
				switch random.IntN(6) {
				case 0:
					before := answers(f)
					edit(1 + random.IntN(3))
					next := current()
					touched := f.Update(next, patch.Diff(c, next))
					c = next
					for r, ids := range answers(f) {
						if !slices.Equal(ids, before[r]) {
							require.Contains(t, touched, r, "its answer changed")
						}
					}
				case 1:
					r := ref(fmt.Sprint("d", random.IntN(8)))
					require.Equal(t, devices[r] != nil, f.Remove(r))
					delete(devices, r)
				default:
					d := randomDevice(random, fmt.Sprint("d", random.IntN(8)))
					devices[ref(string(d.ID))] = d
					f.Put(d)
				}
				require.Equal(t, len(devices), f.Len())
				for r, d := range devices {
					want := inventory.Assess(c, d)
					got, found := f.Assess(r)
					require.True(t, found)
					require.Empty(t, cmp.Diff(want, got), "%v", d.Software)
					var ids []patch.ID
					for _, x := range want.Findings {
						ids = append(ids, x.Patch)
						require.Contains(t, f.Missed(x.Patch), r)
					}
					require.Equal(t, ids, f.Missing(r))
				}
			}
		})
	}
}

func answers(f *inventory.Fleet) map[inventory.Ref][]patch.ID {
	all := map[inventory.Ref][]patch.ID{}
	for r := range f.All() {
		all[r] = f.Missing(r)
	}
	return all
}

func randomPatch(random *rand.Rand, k int) patch.Patch {
	p := patch.Patch{ID: patch.ID(fmt.Sprint("d:", k))}
	for range 1 + random.IntN(3) {
		x := pkg(fmt.Sprintf("p%d %d", random.IntN(8), 1+random.IntN(9)))
		switch random.IntN(8) {
		case 0:
			x.Source, x.Name = fmt.Sprint("s", random.IntN(4)), ""
		case 1:
			x.Introduced = debVersion(fmt.Sprint(random.IntN(5)))
		case 2:
			x.Last, x.Fixed = x.Fixed, x.Last
		case 3:
			x.Fixed.Text = "?"
		case 4:
			x.Arch = []string{"i386", "amd64", "all"}[random.IntN(3)]
		}
		p.Packages = append(p.Packages, x)
	}
	switch random.IntN(8) {
	case 0:
		p = withdrawn(p)
	case 1:
		p = free(p.ID, []string{fmt.Sprint("p", random.IntN(8)), fmt.Sprint("s", random.IntN(4))}, fmt.Sprint("CVE-", random.IntN(3)))
	case 2:
		p = on(p, patch.Platform{OS: "debian", Version: fmt.Sprint(11 + random.IntN(2))})
	case 3, 4:
		p = about(p, fmt.Sprint("CVE-", random.IntN(3)))
	}
	return p
}

func randomDevice(random *rand.Rand, id string) *inventory.Device {
	d := named(bob(), id)
	for range random.IntN(6) {
		x := pkg(fmt.Sprintf("p%d %d", random.IntN(8), 1+random.IntN(9)))
		s := deb(x.Name, x.Fixed.Text)
		s.Held = random.IntN(10) == 0
		switch random.IntN(6) {
		case 0:
			s.Source = fmt.Sprint("s", random.IntN(4))
		case 1:
			s.Source, s.SourceVersion = fmt.Sprint("s", random.IntN(4)), debVersion(fmt.Sprint(random.IntN(9)))
		case 2:
			s.Running = true
		case 3:
			s.Arch = "i386"
		}
		d.Software = append(d.Software, s)
	}
	if random.IntN(3) == 0 {
		d.Platform.Version = "11"
	}
	for range random.IntN(3) {
		d.Missing = append(d.Missing, patch.ID(fmt.Sprint("d:", random.IntN(45))))
	}
	return d
}

// What many devices have alike is kept once.
func TestFleetIsSmall(t *testing.T) {
	var patches []patch.Patch
	var software []string
	for i := range 1000 {
		software = append(software, fmt.Sprintf("package-with-a-long-name-%d 1.%d.0-2ubuntu3", i, i))
		patches = append(patches, fixes(patch.ID(fmt.Sprint("d:", i)), fmt.Sprintf("package-with-a-long-name-%d 1.%d.0-3", i, i)))
	}
	f := inventory.NewFleet(catalog(t, patches...))
	f.Put(named(bob(software...), "first"))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const devices = 500
	for i := range devices {
		f.Put(named(bob(software...), fmt.Sprint("device-", i)))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / devices
	require.Less(t, each, int64(16*1000), "bytes for a device of 1,000 packages")
	require.Len(t, f.Missed("d:7"), devices+1)
}

func ExampleFleet() {
	c, _ := patch.NewCatalog([]patch.Patch{fixes("dsa:1", "openssl 3.0.17-1")})
	f := inventory.NewFleet(c)
	f.Put(named(bob("openssl 3.0.16-1"), "ada"))
	f.Put(named(bob("openssl 3.0.17-1"), "bob"))
	fmt.Println(f.Missed("dsa:1"))

	newer, _ := c.With([]patch.Patch{fixes("dsa:2", "openssl 3.0.18-1")})
	fmt.Println(f.Update(newer, patch.Diff(c, newer)))
	fmt.Println(f.Missing(ref("bob")))
	// Output:
	// [acme/ada]
	// [acme/ada acme/bob]
	// [dsa:2]
}
