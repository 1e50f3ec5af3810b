package patch_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func catalogOf(t testing.TB, patches ...patch.Patch) *patch.Catalog {
	t.Helper()
	c, err := patch.NewCatalog(patches)
	require.NoError(t, err)
	return c
}

func TestDiff(t *testing.T) {
	about := func(id patch.ID, names ...string) patch.Patch {
		p := patch.Patch{ID: id}
		for _, n := range names {
			p.Packages = append(p.Packages, patch.Package{Ecosystem: "E", Name: n})
		}
		return p
	}
	older := catalogOf(t, about("d:1", "curl"), about("d:2", "bash"), about("d:3", "zlib", "bash"))
	newer := catalogOf(t, about("d:1", "curl"), about("d:3", "zsh"),
		patch.Patch{ID: "d:4", Packages: []patch.Package{{Ecosystem: "E", Source: "openssl"}}, Unaffected: []patch.Package{{Ecosystem: "E", Name: "vim"}}})
	want := patch.Changes{Added: []patch.ID{"d:4"}, Changed: []patch.ID{"d:3"}, Removed: []patch.ID{"d:2"}, Names: []patch.Name{
		{"E", "", "openssl"}, {"E", "", "vim"}, {"E", "bash", ""}, {"E", "vim", ""}, {"E", "zlib", ""}, {"E", "zsh", ""},
	}}
	require.Equal(t, want, patch.Diff(older, newer))
	require.Equal(t, patch.Changes{Added: []patch.ID{"d:1", "d:2", "d:3"}, Names: []patch.Name{{"E", "bash", ""}, {"E", "curl", ""}, {"E", "zlib", ""}}},
		patch.Diff(nil, older))
	require.Equal(t, []patch.ID{"d:1", "d:2", "d:3"}, patch.Diff(older, nil).Removed)
	same := patch.Diff(older, catalogOf(t, about("d:1", "curl"), about("d:2", "bash"), about("d:3", "zlib", "bash")))
	require.True(t, same.Empty())
	require.Empty(t, same.Names)
	require.False(t, want.Empty())
}

// Every field counts: a patch of which one field differs, however deep, is a changed one.
func TestDiffNoticesEveryField(t *testing.T) {
	for path, changed := range everyField(t) {
		base, other := patch.Patch{ID: "d:1"}, changed(patch.Patch{ID: "d:1"})
		if path == "ID" {
			continue
		}
		c := patch.Diff(catalogOf(t, base), catalogOf(t, other))
		require.Equal(t, []patch.ID{"d:1"}, c.Changed, path)
		again := patch.Diff(catalogOf(t, other), catalogOf(t, changed(patch.Patch{ID: "d:1"})))
		require.True(t, again.Empty(), path)
	}
}

// everyField returns for each field of a patch, and of what it holds, a function that sets that field alone; inner fields
// are those of the first element of their list, which differs from a patch that has an element with all fields zero.
func everyField(t *testing.T) map[string]func(patch.Patch) patch.Patch {
	t.Helper()
	all := map[string]func(patch.Patch) patch.Patch{}
	var walk func(path string, typ reflect.Type, get func(*patch.Patch) reflect.Value)
	walk = func(path string, typ reflect.Type, get func(*patch.Patch) reflect.Value) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := path + f.Name
			at := func(p *patch.Patch) reflect.Value { return get(p).Field(i) }
			all[name] = func(p patch.Patch) patch.Patch {
				set(t, name, at(&p))
				return p
			}
			inner, isStruct := f.Type, f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]()
			if f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct {
				inner, isStruct = f.Type.Elem(), true
				field := at
				at = func(p *patch.Patch) reflect.Value {
					v := field(p)
					if v.Len() == 0 {
						v.Set(reflect.MakeSlice(v.Type(), 1, 1))
					}
					return v.Index(0)
				}
			}
			if isStruct {
				walk(name+".", inner, at)
			}
		}
	}
	walk("", reflect.TypeFor[patch.Patch](), func(p *patch.Patch) reflect.Value { return reflect.ValueOf(p).Elem() })
	require.Greater(t, len(all), 60)
	return all
}

// set gives v a value that is not zero.
func set(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x:" + path)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(t, path, v.Index(0))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": path}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)))
			return
		}
		set(t, path, v.Field(0))
	default:
		t.Fatalf("%s: a field of kind %s is new: say here how to set it", path, v.Kind())
	}
}

// A newer catalog made by applying the changes to the older one is the newer one.
func TestDiffIsWhatHasToBeDone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func() *patch.Catalog {
		var all []patch.Patch
		for i := range 30 {
			if random.IntN(3) > 0 {
				all = append(all, patch.Patch{ID: patch.ID(fmt.Sprint("d:", i)), Packages: []patch.Package{{Ecosystem: "E",
					Name: fmt.Sprint("p", random.IntN(9)), Fixed: version.Version{Scheme: version.Deb, Text: fmt.Sprint(random.IntN(3))}}}})
			}
		}
		return catalogOf(t, all...)
	}
	for range 100 {
		older, newer := some(), some()
		c := patch.Diff(older, newer)
		var kept []patch.Patch
		gone := map[patch.ID]bool{}
		for _, id := range append(c.Removed, c.Changed...) {
			gone[id] = true
		}
		for p := range older.All() {
			if !gone[p.ID] {
				kept = append(kept, *p)
			}
		}
		for _, id := range append(c.Added, c.Changed...) {
			p, found := newer.Get(id)
			require.True(t, found)
			kept = append(kept, *p)
		}
		left := patch.Diff(catalogOf(t, kept...), newer)
		require.True(t, left.Empty())
		for p := range newer.All() { // what it does not name is the same
			for _, x := range p.Packages {
				if n := (patch.Name{Ecosystem: x.Ecosystem, Name: x.Name}); !contains(c.Names, n) {
					require.Len(t, older.ByPackage("E", x.Name), len(newer.ByPackage("E", x.Name)), "%v", n)
				}
			}
		}
	}
}

func contains(names []patch.Name, n patch.Name) bool {
	for _, x := range names {
		if x == n {
			return true
		}
	}
	return false
}

func ExampleDiff() {
	openssl := patch.Package{Ecosystem: "Debian:12", Name: "openssl", Fixed: version.Version{Scheme: version.Deb, Text: "3.0.17-1"}}
	yesterday, _ := patch.NewCatalog([]patch.Patch{{ID: "dsa:1"}})
	today, _ := patch.NewCatalog([]patch.Patch{{ID: "dsa:1", Severity: patch.SeverityCritical}, {ID: "dsa:2", Packages: []patch.Package{openssl}}})
	c := patch.Diff(yesterday, today)
	fmt.Println("added", c.Added, "changed", c.Changed)
	fmt.Println("to be looked at again:", c.Names[0].Name)
	// Output:
	// added [dsa:2] changed [dsa:1]
	// to be looked at again: openssl
}
