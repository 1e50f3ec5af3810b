package archive_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source/archive"
	"github.com/patchflow/patchflow/providers/source/feeds"
	"github.com/patchflow/patchflow/providers/source/fetch"
	"github.com/patchflow/patchflow/providers/source/signed"
)

// A seal signs and verifies with one key of Ed25519, in the armor of OpenPGP but in no form of it.
type seal struct{ key ed25519.PrivateKey }

func newSeal(name byte) seal {
	return seal{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{name}, ed25519.SeedSize))}
}

const head, foot = "-----BEGIN PGP SIGNATURE-----\n\n", "\n-----END PGP SIGNATURE-----\n"

func (s seal) name() string { return hex.EncodeToString(s.key.Public().(ed25519.PublicKey)[:20]) }

func (s seal) sign(data string) string {
	return head + s.name() + hex.EncodeToString(ed25519.Sign(s.key, []byte(data))) + foot
}

func (s seal) clear(text string) string {
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + text + s.sign(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\r\n"))
}

// Verify implements [signed.Verifier].
func (s seal) Verify(_ context.Context, data, signature []byte, at time.Time) ([]signed.Signature, error) {
	text := strings.TrimSpace(string(signature))
	if text == "" {
		return nil, signed.ErrUnsigned
	}
	sum, found := strings.CutPrefix(strings.TrimSuffix(strings.TrimPrefix(text, head), strings.TrimSpace(foot)), s.name())
	if !found {
		return nil, signed.ErrKey
	}
	raw, err := hex.DecodeString(strings.TrimSpace(sum))
	if err != nil || !ed25519.Verify(s.key.Public().(ed25519.PublicKey), data, raw) {
		return nil, signed.ErrTampered
	}
	return []signed.Signature{{Key: s.name(), Made: at}}, nil
}

// A site is a server whose files the test changes.
type site struct {
	mu    sync.Mutex
	files map[string]string
	asked []string
	down  bool
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	content, found := s.files[r.URL.Path]
	if !found || s.down {
		http.NotFound(w, r)
		return
	}
	tag := `"` + hash(content)[:16] + `"`
	w.Header().Set("ETag", tag)
	http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, strings.NewReader(content))
}

func (s *site) set(files map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files = files
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// A bed is a site, and all that stands between it and a keeper.
type bed struct {
	site   *site
	url    string
	folder string
	now    time.Time
	key    seal
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{site: &site{}, folder: t.TempDir(), now: day(22), key: newSeal('k')}
	server := httptest.NewServer(b.site)
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func day(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }

// config begins a new process on the same folder.
func (b *bed) config(t *testing.T) archive.Config {
	t.Helper()
	now := func() time.Time { return b.now }
	fetcher, err := fetch.New(fetch.Config{Folder: b.folder, UserAgent: "test/1", AllowPrivate: true, Tries: 1, Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fetcher.Close()) })
	judge, err := signed.New(signed.Config{Verifier: b.key, Now: now})
	require.NoError(t, err)
	return archive.Config{Fetcher: fetcher, Judge: judge}
}

func (b *bed) keeper(t *testing.T, feed feeds.Feed, err error) *feeds.Keeper {
	t.Helper()
	require.NoError(t, err)
	k, err := feeds.New(feeds.Config{Feeds: []feeds.Feed{feed}, Now: func() time.Time { return b.now }, MaxAge: -1, MaxLoss: 1})
	require.NoError(t, err)
	return k
}

// bash returns a Packages file with one version of bash.
func bash(version string) string {
	return "Package: bash\nVersion: " + version + "\nArchitecture: amd64\nFilename: pool/b/bash.deb\nSize: 5\nSHA256: " + strings.Repeat("a", 64) + "\n\n"
}

// release returns the files of an archive of a day, whose metadata is good for a week.
func (b *bed) release(made time.Time, key seal, packages string) map[string]string {
	const form = "Mon, 02 Jan 2006 15:04:05 UTC"
	text := "Origin: Debian\nSuite: stable-security\nCodename: bookworm-security\nDate: " + made.Format(form) + "\nValid-Until: " +
		made.AddDate(0, 0, 7).Format(form) + "\nAcquire-By-Hash: yes\nArchitectures: amd64\nComponents: main\nSHA256:\n " + hash(packages) +
		fmt.Sprintf(" %d main/binary-amd64/Packages\n", len(packages))
	return map[string]string{"/deb/InRelease": key.clear(text), "/deb/main/binary-amd64/by-hash/SHA256/" + hash(packages): packages}
}

func (b *bed) debian(t *testing.T) *feeds.Keeper {
	t.Helper()
	feed, err := archive.Debian(b.config(t), archive.Release{
		Codename: "bookworm", Version: "12", Suites: []archive.Suite{{Codename: "bookworm-security", URLs: []string{b.url + "/deb"}, Security: true}},
	})
	return b.keeper(t, feed, err)
}

func refresh(t *testing.T, k *feeds.Keeper) *feeds.View {
	t.Helper()
	v, err := k.Refresh(t.Context())
	require.NoError(t, err)
	return v
}

func ids(v *feeds.View) (all []string) {
	for p := range v.Catalog.All() {
		all = append(all, string(p.ID))
	}
	return all
}

// Each row is what the server says after bash 2 was accepted. Whatever that is, bash 2 stays in force and is stale.
func TestWhatIsNotFreshNeverComesIntoForce(t *testing.T) {
	for _, row := range []struct {
		name  string
		files func(*bed) map[string]string
		now   time.Time
		why   error
		text  string
	}{
		{"an older release is replayed", func(b *bed) map[string]string { return b.release(day(20), b.key, bash("1")) }, day(22), signed.ErrStale, "was accepted before"},
		{"another key has signed", func(b *bed) map[string]string { return b.release(day(22), newSeal('x'), bash("3")) }, day(22), patch.ErrUntrusted, ""},
		{"nobody has signed", func(b *bed) map[string]string {
			files := b.release(day(22), b.key, bash("3"))
			text := files["/deb/InRelease"]
			files["/deb/InRelease"] = text[strings.Index(text, "Origin"):strings.Index(text, head)]
			return files
		}, day(22), patch.ErrUntrusted, ""},
		{"a byte was changed", func(b *bed) map[string]string {
			files := b.release(day(22), b.key, bash("3"))
			files["/deb/InRelease"] = strings.Replace(files["/deb/InRelease"], "Origin: Debian", "Origin: Debien", 1)
			return files
		}, day(22), patch.ErrUntrusted, ""},
		{"the index is not the one that is named", func(b *bed) map[string]string {
			files := b.release(day(22), b.key, bash("3"))
			for name := range files {
				if name != "/deb/InRelease" {
					files[name] = strings.Replace(files[name], "bash", "dash", 1)
				}
			}
			return files
		}, day(22), patch.ErrUntrusted, "Packages"},
		{"the index is gone", func(b *bed) map[string]string {
			return map[string]string{"/deb/InRelease": b.release(day(22), b.key, bash("3"))["/deb/InRelease"]}
		}, day(22), patch.ErrPermanent, "Packages"},
		{"the server has nothing", func(*bed) map[string]string { return nil }, day(22), patch.ErrPermanent, "InRelease"},
		{"the same, and its time is over", func(b *bed) map[string]string { return b.release(day(21), b.key, bash("2")) }, day(29), signed.ErrStale, "good until"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBed(t)
			b.site.set(b.release(day(21), b.key, bash("2")))
			k := b.debian(t)
			v := refresh(t, k)
			require.NoError(t, v.Stale())
			require.Equal(t, []string{"debian:bookworm/bash=2"}, ids(v))

			b.site.set(row.files(b))
			b.now = row.now
			for _, k := range []*feeds.Keeper{k, b.debian(t)} { // the same process, and one that begins now
				v = refresh(t, k)
				require.Equal(t, []string{"debian:bookworm/bash=2"}, ids(v))
				require.ErrorIs(t, v.Stale(), row.why)
				require.ErrorContains(t, v.Stale(), row.text)
			}
			b.now = day(30)
			b.site.set(b.release(day(30), b.key, bash("4")))
			v = refresh(t, k)
			require.NoError(t, v.Stale())
			require.Equal(t, []string{"debian:bookworm/bash=4"}, ids(v), "it has come back")
			require.Equal(t, day(30), v.Feeds[0].Read)
		})
	}
}

// What was never fresh is not in force at all.
func TestTheFirstReleaseMustBeFresh(t *testing.T) {
	b := newBed(t)
	b.site.set(b.release(day(1), b.key, bash("1")))
	v := refresh(t, b.debian(t))
	require.ErrorIs(t, v.Stale(), signed.ErrStale)
	require.Zero(t, v.Feeds[0].Read)
	require.Empty(t, ids(v))
}

func TestAnIndexThatIsThereIsNotFetchedAgain(t *testing.T) {
	b := newBed(t)
	b.site.set(b.release(day(21), b.key, bash("2")))
	k := b.debian(t)
	refresh(t, k)
	b.site.set(b.release(day(22), b.key, bash("2")))
	b.site.asked = nil
	require.NoError(t, refresh(t, k).Stale())
	require.Equal(t, []string{"/deb/InRelease"}, b.site.asked)
}

// repository returns the files of an RPM repository of a day.
func (b *bed) repository(made time.Time, key seal, fixed string) map[string]string {
	info := `<?xml version="1.0"?><updates><update from="x" status="final" type="security" version="1"><id>A-1</id><title>t</title><issued date="2026-11-01 00:00:00"/>` +
		`<pkglist><collection><package name="bash" version="` + fixed + `" release="1" epoch="0" arch="x86_64"/></collection></pkglist></update></updates>`
	name := "repodata/" + hash(info) + "-updateinfo.xml"
	index := fmt.Sprintf(`<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>%d</revision><data type="updateinfo"><checksum type="sha256">%s</checksum>`+
		`<location href="%s"/><timestamp>%d</timestamp><size>%d</size></data></repomd>`, made.Unix(), hash(info), name, made.Unix(), len(info))
	return map[string]string{"/rpm/repodata/repomd.xml": index, "/rpm/repodata/repomd.xml.asc": key.sign(index), "/rpm/" + name: info}
}

func (b *bed) rpm(t *testing.T, unsigned bool) *feeds.Keeper {
	t.Helper()
	feed, err := archive.RPM(b.config(t), archive.Repositories{
		Ecosystem: "AlmaLinux:9", All: []archive.Repository{{Name: "baseos", URLs: []string{b.url + "/rpm"}, Unsigned: unsigned}},
	})
	return b.keeper(t, feed, err)
}

func fixed(t *testing.T, v *feeds.View) string {
	t.Helper()
	p, found := v.Catalog.Get("updateinfo:AlmaLinux:9/A-1")
	require.True(t, found)
	return p.Packages[0].Fixed.Text
}

func TestRepositoriesAreJudgedByTheirSignature(t *testing.T) {
	for _, row := range []struct {
		name  string
		files func(*bed) map[string]string
		why   error
	}{
		{"an older index is replayed", func(b *bed) map[string]string { return b.repository(day(20), b.key, "1") }, signed.ErrStale},
		{"another key has signed", func(b *bed) map[string]string { return b.repository(day(22), newSeal('x'), "3") }, patch.ErrUntrusted},
		{"the signature is gone", func(b *bed) map[string]string {
			files := b.repository(day(22), b.key, "3")
			delete(files, "/rpm/repodata/repomd.xml.asc")
			return files
		}, patch.ErrUntrusted},
		{"the signature is that of the index before", func(b *bed) map[string]string {
			files := b.repository(day(22), b.key, "3")
			files["/rpm/repodata/repomd.xml.asc"] = b.repository(day(21), b.key, "2")["/rpm/repodata/repomd.xml.asc"]
			return files
		}, patch.ErrUntrusted},
		{"the server has nothing", func(*bed) map[string]string { return nil }, patch.ErrPermanent},
		{"the list of advisories is another", func(b *bed) map[string]string {
			files := b.repository(day(22), b.key, "3")
			for name := range files {
				files[name] = strings.Replace(files[name], "<id>A-1</id>", "<id>A-2</id>", 1)
			}
			return files
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBed(t)
			b.site.set(b.repository(day(21), b.key, "2"))
			k := b.rpm(t, false)
			v := refresh(t, k)
			require.NoError(t, v.Stale())
			require.Equal(t, "2-1", fixed(t, v))

			b.site.set(row.files(b))
			v = refresh(t, k)
			require.Equal(t, "2-1", fixed(t, v))
			require.Error(t, v.Stale())
			if row.why != nil {
				require.ErrorIs(t, v.Stale(), row.why)
				v = refresh(t, b.rpm(t, false)) // a process that begins now reads the last good copies
				require.Equal(t, "2-1", fixed(t, v))
				require.ErrorIs(t, v.Stale(), row.why)
			}
			b.site.set(b.repository(day(22), b.key, "4"))
			v = refresh(t, k)
			require.NoError(t, v.Stale())
			require.Equal(t, "4-1", fixed(t, v))
		})
	}
}

func TestUnsignedRepositoriesMustBeAllowed(t *testing.T) {
	b := newBed(t)
	files := b.repository(day(21), b.key, "2")
	delete(files, "/rpm/repodata/repomd.xml.asc")
	b.site.set(files)
	v := refresh(t, b.rpm(t, false))
	require.ErrorIs(t, v.Stale(), patch.ErrUntrusted)
	require.Zero(t, v.Catalog.Len())
	v = refresh(t, b.rpm(t, true))
	require.NoError(t, v.Stale())
	require.Equal(t, "2-1", fixed(t, v))
}

func TestConfig(t *testing.T) {
	b := newBed(t)
	good := b.config(t)
	_, err := archive.Debian(archive.Config{}, archive.Release{Suites: []archive.Suite{{}}})
	require.ErrorContains(t, err, "Fetcher and Judge are required")
	require.ErrorContains(t, err, "Codename and Version are required")
	require.ErrorContains(t, err, "Suites[0] (): Codename and URLs are required")
	_, err = archive.Debian(good, archive.Release{Codename: "a", Version: "1"})
	require.ErrorContains(t, err, "no Suites")
	_, err = archive.RPM(archive.Config{}, archive.Repositories{All: []archive.Repository{{Name: "x"}}})
	require.ErrorContains(t, err, "Fetcher and Judge are required")
	require.ErrorContains(t, err, "Ecosystem is required")
	require.ErrorContains(t, err, "All[0] (x): Name and URLs are required")
	_, err = archive.RPM(good, archive.Repositories{Ecosystem: "a"})
	require.ErrorContains(t, err, "there are none")
}
