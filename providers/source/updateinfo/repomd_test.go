package updateinfo_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source/updateinfo"
)

// data returns an entry of repomd.xml.
func data(kind, file, sumKind, sum string, size int) string {
	return fmt.Sprintf(`<data type=%q><checksum type=%q>%s</checksum><open-checksum type="sha256">00</open-checksum><location href=%q/><size>%d</size></data>`,
		kind, sumKind, sum, file, size)
}

func sha(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func repomd(entries ...string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision>` + strings.Join(entries, "") + "</repomd>\n"
}

// folder returns a repository with the given files.
func folder(index string, files map[string]string) fs.FS {
	fsys := fstest.MapFS{"repodata/repomd.xml": {Data: []byte(index)}}
	for name, content := range files {
		fsys["repodata/"+name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func indexed(t testing.TB, fsys fs.FS, packages bool) *updateinfo.Source {
	t.Helper()
	s, err := updateinfo.New(updateinfo.Config{Ecosystem: "AlmaLinux:9", Repositories: []updateinfo.Repository{
		{Name: "base", Open: updateinfo.Folder(fsys), Packages: packages},
	}})
	require.NoError(t, err)
	return s
}

func twoAdvisories() string {
	return updates(advisory("A-1", "security", "Low", "", pkg("a 1 1")), advisory("A-2", "bugfix", "", "", pkg("b 1 1")))
}

func packed(t testing.TB, content string) map[string]string {
	t.Helper()
	var gz, x, z bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, err := g.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, g.Close())
	w, err := xz.NewWriter(&x)
	require.NoError(t, err)
	_, err = w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	e, err := zstd.NewWriter(&z)
	require.NoError(t, err)
	_, err = e.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, e.Close())
	return map[string]string{"u.xml": content, "u.xml.gz": gz.String(), "u.xml.xz": x.String(), "u.xml.zst": z.String()}
}

func TestRepositoriesAreReadInEveryCompression(t *testing.T) {
	for name, content := range packed(t, twoAdvisories()) {
		index := repomd(data("primary", "repodata/p.xml.gz", "sha256", sha(""), 0), data("updateinfo", "repodata/"+name, "sha256", sha(content), len(content)))
		patches, errs := list(t, indexed(t, folder(index, map[string]string{name: content}), false))
		require.Empty(t, errs, name)
		require.Len(t, patches, 2)
	}
	content := twoAdvisories()
	sum := sha512.Sum512([]byte(content))
	index := repomd(data("updateinfo", "repodata/u.xml", "sha512", hex.EncodeToString(sum[:]), len(content)))
	patches, errs := list(t, indexed(t, folder(index, map[string]string{"u.xml": content}), false))
	require.Empty(t, errs)
	require.Len(t, patches, 2)
	unsized := strings.Replace(index, fmt.Sprintf("<size>%d</size>", len(content)), "", 1)
	_, errs = list(t, indexed(t, folder(unsized, map[string]string{"u.xml": content}), false))
	require.Empty(t, errs, "without a size the checksum is enough")
}

func TestFilesThatAreNotWhatTheIndexSaysGiveNothing(t *testing.T) {
	content := twoAdvisories()
	entry := func(kind, sum string, size int) string {
		return repomd(data("updateinfo", "repodata/u.xml", kind, sum, size))
	}
	for _, row := range []struct {
		name, index, content string
		cause                error
		want                 string
	}{
		{"another file", entry("sha256", sha(content), len(content)), strings.Replace(content, "about A-1", "About A-1", 1), updateinfo.ErrUnverified, "its sha256 is"},
		{"a longer file", entry("sha256", sha(content), len(content)), content + " ", updateinfo.ErrUnverified, "longer than it may be"},
		{"a file with more behind the XML", repomd(strings.Replace(data("updateinfo", "repodata/u.xml", "sha256", sha(content), 0), "<size>0</size>", "", 1)), content + "\n\n", updateinfo.ErrUnverified, "its sha256 is"},
		{"a shorter file", entry("sha256", sha(content), len(content)+1), content, updateinfo.ErrUnverified, fmt.Sprintf("it has %d bytes, not %d", len(content), len(content)+1)},
		{"SHA-1", entry("sha", "0123456789012345678901234567890123456789", len(content)), content, updateinfo.ErrUnverified, `checksum of type "sha"`},
		{"MD5", entry("md5", "01234567890123456789012345678901", len(content)), content, updateinfo.ErrUnverified, `checksum of type "md5"`},
		{"no checksum", repomd(`<data type="updateinfo"><location href="repodata/u.xml"/></data>`), content, updateinfo.ErrUnverified, `checksum of type ""`},
		{"half a checksum", entry("sha256", sha(content)[:32], len(content)), content, updateinfo.ErrUnverified, "the sha256 of updateinfo is"},
		{"two checksums", repomd(strings.Replace(data("updateinfo", "repodata/u.xml", "sha256", sha(content), len(content)), "<open-", `<checksum type="sha256">`+sha("x")+"</checksum><open-", 1)), content, nil, "2 checksums"},
		{"no number", repomd(strings.Replace(data("updateinfo", "repodata/u.xml", "sha256", sha(content), 7), "<size>7<", "<size>seven<", 1)), content, nil, "no number"},
		{"a file elsewhere", repomd(strings.Replace(data("updateinfo", "repodata/u.xml", "sha256", sha(content), len(content)), "<location ", `<location xml:base="http://example.com/" `, 1)), content, nil, "lies elsewhere"},
		{"a file outside", repomd(data("updateinfo", "../u.xml", "sha256", sha(content), len(content))), content, nil, "leaves the repository"},
		{"an absolute path", repomd(data("updateinfo", "/u.xml", "sha256", sha(content), len(content))), content, nil, "leaves the repository"},
		{"a file that is not there", repomd(data("updateinfo", "repodata/v.xml", "sha256", sha(content), len(content))), content, fs.ErrNotExist, "repodata/v.xml"},
		{"no updateinfo", repomd(data("primary", "repodata/u.xml", "sha256", sha(content), len(content))), content, updateinfo.ErrNoAdvisories, "no updateinfo"},
		{"no index", `<html></html>`, content, nil, `element "html", want repomd`},
		{"an index without end", repomd()[:60], content, nil, "unexpected EOF"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := failure(t, indexed(t, folder(row.index, map[string]string{"u.xml": row.content}), false))
			if row.cause != nil {
				require.ErrorIs(t, err, row.cause)
			}
			require.ErrorContains(t, err, "updateinfo: base: repodata/")
			require.ErrorContains(t, err, row.want)
		})
	}
	err := failure(t, indexed(t, fstest.MapFS{}, false))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// A wrong file is told as such even if it is no XML, or damaged: that is what has to be mended.
func TestThatAFileIsAnotherOneIsSaidFirst(t *testing.T) {
	content := twoAdvisories()
	for _, other := range []string{"<html>404</html>" + strings.Repeat(" ", len(content)), "\x1f\x8b" + content} {
		err := failure(t, indexed(t, folder(repomd(data("updateinfo", "repodata/u.xml", "sha256", sha(content), len(content))), map[string]string{"u.xml": other}), false))
		require.ErrorContains(t, err, "repodata/u.xml: ")
	}
}

func primary(packages ...string) string {
	return `<metadata xmlns="http://linux.duke.edu/metadata/common" packages="1">` + strings.Join(packages, "") + `</metadata>`
}

func listed(name, epoch, v, arch, sum, size, href string) string {
	return fmt.Sprintf(`<package type="rpm"><name>%s</name><arch>%s</arch><version epoch=%q ver=%q rel="1"/><checksum type="sha256" pkgid="YES">%s</checksum>`+
		`<summary>x</summary><time file="1" build="1"/><size package=%q installed="1" archive="1"/><location href=%q/><format><name>not this</name></format></package>`, name, arch, epoch, v, sum, size, href)
}

func withPrimary(u, p string) fs.FS {
	return folder(repomd(data("updateinfo", "repodata/u.xml", "sha256", sha(u), len(u)), data("primary", "repodata/p.xml", "sha256", sha(p), len(p))),
		map[string]string{"u.xml": u, "p.xml": p})
}

func TestTheListOfPackagesPinsFiles(t *testing.T) {
	u := updates(advisory("A-1", "security", "Low", "", pkg("a 1 1"), pkg("b 1 1")), advisory("A-2", "bugfix", "", "", pkg("c 1 1")))
	p := primary(listed("a", "0", "1", "x86_64", sha("a"), "10", "Packages/a.rpm"), listed("b", "0", "1", "x86_64", sha("b"), "20", "Packages/b.rpm"),
		listed("b", "0", "1", "i686", sha("c"), "30", "Packages/b.i686.rpm"), listed("c", "0", "2", "x86_64", sha("d"), "40", "Packages/c.rpm"))
	patches, errs := list(t, indexed(t, withPrimary(u, p), true))
	require.Empty(t, errs)
	require.Len(t, patches, 2)
	require.Equal(t, []patch.Artefact{{Name: "Packages/a.rpm", Size: 10, Digest: patch.Digest("sha256:" + sha("a"))}}, patches[0].Packages[0].Artefacts)
	require.Equal(t, int64(30), patches[0].Size)
	require.Empty(t, patches[1].Packages[0].Artefacts, "the repository has another version")
	require.Zero(t, patches[1].Size)

	plain, errs := list(t, indexed(t, withPrimary(u, p), false))
	require.Empty(t, errs)
	require.Empty(t, plain[0].Packages[0].Artefacts, "nobody asked")
}

func TestTheListOfPackagesIsComparedWithTheAdvisory(t *testing.T) {
	in := func(sum string) string {
		return updates(advisory("A-1", "security", "Low", "", `<package name="a" version="1" release="1" arch="noarch"><filename>a.rpm</filename><sum type="sha256">`+sum+`</sum></package>`))
	}
	p := primary(listed("a", "0", "1", "noarch", sha("a"), "10", "Packages/a.rpm"))
	patches, errs := list(t, indexed(t, withPrimary(in(sha("a")), p), true))
	require.Empty(t, errs)
	require.Equal(t, []patch.Artefact{{Name: "Packages/a.rpm", Size: 10, Digest: patch.Digest("sha256:" + sha("a"))}}, patches[0].Packages[0].Artefacts)

	patches, errs = list(t, indexed(t, withPrimary(in(sha("b")), p), true))
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], patch.ErrRecord)
	require.ErrorContains(t, errs[0], "two files with different hashes")
	require.Empty(t, patches[0].Packages[0].Artefacts)

	for want, bad := range map[string]string{
		"leaves the repository": listed("a", "0", "1", "noarch", sha("a"), "10", "../a.rpm"),
		"sha256 is":             listed("a", "0", "1", "noarch", "12", "10", "a.rpm"),
		"invalid syntax":        listed("a", "0", "1", "noarch", sha("a"), "ten", "a.rpm"),
	} {
		patches, errs = list(t, indexed(t, withPrimary(updates(advisory("A-1", "security", "Low", "", `<package name="a" version="1" release="1" arch="noarch"/>`)), primary(bad)), true))
		require.Len(t, errs, 1)
		require.ErrorIs(t, errs[0], patch.ErrRecord)
		require.ErrorContains(t, errs[0], want)
		require.Empty(t, patches[0].Packages[0].Artefacts)
	}
	u := twoAdvisories()
	err := failure(t, indexed(t, folder(repomd(data("updateinfo", "repodata/u.xml", "sha256", sha(u), len(u))), map[string]string{"u.xml": u}), true))
	require.ErrorContains(t, err, "no primary")
}

func TestAListingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	u := twoAdvisories()
	index := repomd(data("updateinfo", "repodata/u.xml", "sha256", sha(u), len(u)))
	fsys := folder(index, map[string]string{"u.xml": u})
	s, err := updateinfo.New(updateinfo.Config{Ecosystem: "Test:1", Repositories: []updateinfo.Repository{{Name: "base", Open: updateinfo.Folder(opening{fsys, cancel})}}})
	require.NoError(t, err)
	var errs []error
	for _, err := range s.Patches(ctx, patch.Query{}) {
		errs = append(errs, err)
	}
	require.Equal(t, []error{context.Canceled}, errs)
}

// opening calls a function when updateinfo is opened.
type opening struct {
	fs.FS
	call func()
}

func (o opening) Open(name string) (fs.File, error) {
	if strings.HasSuffix(name, "u.xml") {
		o.call()
	}
	return o.FS.Open(name)
}

func FuzzRepomd(f *testing.F) {
	u := twoAdvisories()
	f.Add(repomd(data("updateinfo", "repodata/u.xml", "sha256", sha(u), len(u))), primary(listed("a", "0", "1", "x86_64", sha("a"), "10", "Packages/a.rpm")))
	f.Add(repomd(data("primary", "repodata/p.xml", "md5", "00", -1)), primary())
	f.Fuzz(func(t *testing.T, index, p string) {
		if len(index)+len(p) > 4096 {
			t.Skip("longer than need be")
		}
		for _, s := range []patch.Source{
			indexed(t, folder(index, map[string]string{"u.xml": u, "p.xml": p}), false), indexed(t, withPrimary(u, p), true),
		} {
			patches, errs := list(t, s)
			if n := len(errs); n > 0 && !errors.Is(errs[n-1], patch.ErrRecord) {
				require.Empty(t, patches)
				continue
			}
			require.Len(t, patches, 2, "there is one file that the checksum can be of")
		}
	})
}
