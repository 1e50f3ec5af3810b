package updateinfo_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

func TestXMLBombsEndSoonAndSmall(t *testing.T) {
	laughs := `<!DOCTYPE updates [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	blank := strings.Repeat(" ", 1<<20)
	for _, row := range []struct {
		name, document, want string
		large                bool
	}{
		{"a document type with entities", laughs + updates(advisory("A-1", "bugfix", "", "")), "a declaration of a document type", false},
		{"an external entity", `<!DOCTYPE updates SYSTEM "file:///etc/passwd">` + updates(), "a declaration of a document type", false},
		{"an entity without a document type", updates(advisory("&b;", "bugfix", "", "")), "invalid character entity &b;", false},
		{"a text without end", updates(strings.Repeat("x", 2<<20)), "a tag or text of more than", true},
		{"blanks without end", updates(blank + blank), "a tag or text of more than", true},
		{"a comment without end", "<!--" + blank + blank + "-->" + updates(), "a tag or text of more than", true},
		{"a tag without end", "<updates>" + "<update " + blank + ">", "a tag or text of more than", true},
		{"an attribute without end", "<updates><update type=\"" + blank + "\"/></updates>", "a tag or text of more than", true},
		{"attributes without end", "<updates><update " + strings.Repeat(`a="" `, 1<<18) + "/></updates>", "a tag or text of more than", true},
		{"a title of many pieces", updates("<update><title>" + strings.Repeat(strings.Repeat("x", 1000)+"<!-- -->", 100) + "</title></update>"), "a text of more than 65536 bytes", true},
		{"elements within each other", "<updates>" + strings.Repeat("<a>", 100000), "more than 32 elements within each other", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := failure(t, newSource(t, row.document))
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, row.want)
			require.ErrorContains(t, err, "updateinfo: base: line ")
			if row.large {
				require.ErrorIs(t, err, source.ErrTooLarge)
			}
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100<<20), "bytes allocated")
		})
	}
}

func TestALongDescriptionIsNoBomb(t *testing.T) {
	p := one(t, updates(advisory("A-1", "bugfix", "", "<description>"+strings.Repeat("long ", 150000)+"</description>")))
	require.Equal(t, "about A-1", p.Title)
}

func TestRecordsAreCounted(t *testing.T) {
	// An advisory with a reference and two packages: four records.
	document := updates(advisory("A-1", "bugfix", "", `<references><reference/></references>`, pkg("a 1 1"), pkg("b 1 1")))
	for most, good := range map[int]bool{3: false, 4: true} {
		s, err := updateinfo.New(updateinfo.Config{Ecosystem: "Test:1", Limits: source.Limits{Records: most}, Repositories: []updateinfo.Repository{
			{Name: "base", Updateinfo: text(document)},
		}})
		require.NoError(t, err)
		if good {
			_, errs := list(t, s)
			require.Empty(t, errs)
			continue
		}
		require.ErrorIs(t, failure(t, s), source.ErrTooLarge)
	}
}

func TestOnlyWholeFilesCount(t *testing.T) {
	whole := twoAdvisories()
	for n := range len(whole) - 1 {
		err := failure(t, newSource(t, whole[:n]))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", n)
	}
	for _, document := range []string{whole + whole, whole + "<a/>", "<metadata/>", whole + "</updates>", strings.Replace(whole, "</id>", "</di>", 1)} {
		require.Error(t, failure(t, newSource(t, document)))
	}
	patches, errs := list(t, newSource(t, "<updates/>"))
	require.Empty(t, patches)
	require.Empty(t, errs, "a repository may have an empty list")
	_, errs = list(t, newSource(t, whole+"<!-- made by hand -->\n"))
	require.Empty(t, errs)
}

// The sum at the end of a compressed file stands behind the end of the XML.
func TestTheSumOfACompressedFileIsVerified(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(twoAdvisories()))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	damaged := b.Bytes()
	damaged[len(damaged)-6] ^= 1
	require.ErrorContains(t, failure(t, newSource(t, string(damaged))), "damaged")
}

func FuzzUpdateinfo(f *testing.F) {
	f.Add(twoAdvisories())
	f.Add(updates(advisory("A-1", "security", "Low", `<issued date="1704153600"/><references><reference type="cve" id="CVE-2026-1111"/></references>`,
		`<module name="m" stream="1"/>`+pkg("a 1 1"))) + "\n")
	f.Add(`<!DOCTYPE a [<!ENTITY b "c">]><updates>&b;</updates>`)
	f.Add(`{"data": [{"id": "A-1", "packages": [{"name": "a", "version": "1", "release": "1", "module": "m:1"}]}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		if len(document) > 4096 {
			t.Skip("longer than need be")
		}
		for _, repository := range []updateinfo.Repository{{Name: "x", Updateinfo: text(document)}, {Name: "x", Errata: text(document)}} {
			s, err := updateinfo.New(updateinfo.Config{Ecosystem: "Test:1", Repositories: []updateinfo.Repository{repository}})
			require.NoError(t, err)
			patches, _ := list(t, s)
			seen := make(map[patch.ID]bool)
			for _, p := range patches {
				require.False(t, seen[p.ID], p.ID)
				seen[p.ID] = true
				for _, x := range p.Packages {
					require.NotEmpty(t, x.Name)
					_, err := x.Fixed.Key()
					require.NoError(t, err)
				}
			}
		}
	})
}
