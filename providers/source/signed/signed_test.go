package signed_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/signed"
)

// A seal signs and verifies with one key of Ed25519, in the armor of OpenPGP but in no form of it.
type seal struct{ key ed25519.PrivateKey }

func newSeal(name byte) seal {
	return seal{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{name}, ed25519.SeedSize))}
}

const sealHead, sealFoot = "-----BEGIN PGP SIGNATURE-----\n\n", "\n-----END PGP SIGNATURE-----\n"

func (s seal) name() string {
	return strings.ToUpper(hex.EncodeToString(s.key.Public().(ed25519.PublicKey)[:20]))
}

func (s seal) sign(data string) string {
	return sealHead + s.name() + hex.EncodeToString(ed25519.Sign(s.key, []byte(data))) + sealFoot
}

// clear returns a clear-signed text.
func (s seal) clear(text string) string {
	escaped := strings.ReplaceAll("\n"+text, "\n-", "\n- -")[1:]
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + escaped + s.sign(strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\r\n"))
}

// foreign gives the text of a file the line ends of another system.
func foreign(file string) string {
	text, signature, _ := strings.Cut(file, sealHead)
	return strings.ReplaceAll(text, "\n", " \t\r\n") + sealHead + signature
}

func (s seal) Verify(_ context.Context, data, signature []byte, at time.Time) ([]signed.Signature, error) {
	text := strings.TrimSpace(string(signature))
	if text == "" {
		return nil, signed.ErrUnsigned
	}
	sum, found := strings.CutPrefix(strings.TrimSuffix(strings.TrimPrefix(text, sealHead), strings.TrimSpace(sealFoot)), s.name())
	if !found {
		return nil, signed.ErrKey
	}
	raw, err := hex.DecodeString(strings.TrimSpace(sum))
	if err != nil || !ed25519.Verify(s.key.Public().(ed25519.PublicKey), data, raw) {
		return nil, signed.ErrTampered
	}
	return []signed.Signature{{Key: s.name(), Made: at}}, nil
}

func at(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }

const packages = "Package: a\nVersion: 1\nArchitecture: amd64\n\n"

// release returns a Release file of the 21st at noon, valid for a week, with lines changed: "Field: value", or "-Field".
func release(change ...string) string {
	lines := []string{
		"Origin: Debian", "Label: Debian-Security", "Suite: oldstable-security", "Version: 12", "Codename: bookworm-security",
		"Date: Sat, 21 Nov 2026 12:00:00 UTC", "Valid-Until: Sat, 28 Nov 2026 12:00:00 UTC", "Acquire-By-Hash: yes",
		"Architectures: amd64 arm64", "Components: main contrib", "MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 main/binary-amd64/Packages",
		fmt.Sprintf("SHA256:\n %s %d main/binary-amd64/Packages\n %s 5 main/binary-amd64/Packages.gz\n %s 7 main/binary-amd64/Packages.xz",
			hash(packages), len(packages), hash("gz"), hash("xz")),
	}
	for _, c := range change {
		name, _, _ := strings.Cut(strings.TrimPrefix(c, "-"), ":")
		for i, line := range lines {
			if strings.HasPrefix(line, name+":") {
				lines[i] = c
			}
		}
	}
	var kept []string
	for _, line := range lines {
		if !strings.HasPrefix(line, "-") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n") + "\n"
}

func opener(text string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func judge(t *testing.T, v signed.Verifier, now time.Time, change ...func(*signed.Config)) *signed.Judge {
	t.Helper()
	config := signed.Config{Verifier: v, Now: func() time.Time { return now }}
	for _, f := range change {
		f(&config)
	}
	j, err := signed.New(config)
	require.NoError(t, err)
	return j
}

func TestVerdictsOnAnInRelease(t *testing.T) {
	trusted, stranger := newSeal('t'), newSeal('s')
	good := trusted.clear(release())
	year := func(c *signed.Config) { c.MaxAge = 24 * time.Hour }
	for _, row := range []struct {
		name   string
		file   string
		now    time.Time
		last   time.Time
		change func(*signed.Config)
		want   signed.Verdict
		reason string
	}{
		{"the newest there is", good, at(22, 0), time.Time{}, nil, signed.Fresh, ""},
		{"the same as before", good, at(22, 0), at(21, 12), nil, signed.Fresh, ""},
		{"newer than before", good, at(22, 0), at(20, 12), nil, signed.Fresh, ""},
		{"what was true once", good, at(22, 0), at(21, 13), nil, signed.Replayed, "it is of 2026-11-21T12:00:00Z, and one of 2026-11-21T13:00:00Z was accepted before"},
		{"what is over", good, at(28, 13), time.Time{}, nil, signed.Expired, "it was good until 2026-11-28T12:00:00Z"},
		{"what is over by less than clocks differ", good, at(28, 12).Add(299 * time.Second), time.Time{}, nil, signed.Fresh, ""},
		{"and by just as much", good, at(28, 12).Add(300 * time.Second), time.Time{}, nil, signed.Expired, "it was good until"},
		{"what was true once and is over", good, at(29, 0), at(22, 0), nil, signed.Replayed, "accepted before"},
		{"what is to come", good, at(21, 11), time.Time{}, nil, signed.Early, "and now is 2026-11-21T11:00:00Z"},
		{"what is to come by less than clocks differ", good, at(21, 12).Add(-5 * time.Minute), time.Time{}, nil, signed.Fresh, ""},
		{"without an end", trusted.clear(release("-Valid-Until")), at(21, 12).AddDate(3, 0, 0), time.Time{}, nil, signed.Fresh, ""},
		{"without an end, but too old", trusted.clear(release("-Valid-Until")), at(22, 13), time.Time{}, year, signed.Expired, "it was good until 2026-11-22T12:00:00Z"},
		{"its own end counts, if it has one", good, at(25, 0), time.Time{}, year, signed.Fresh, ""},
		{"an end in another zone of the same offset", trusted.clear(release("Valid-Until: Sat, 28 Nov 2026 12:00:00 +0000")), at(28, 13), time.Time{}, nil, signed.Expired, "good until 2026-11-28T12:00:00Z"},

		{"a file without a signature", release(), at(22, 0), time.Time{}, nil, signed.Unsigned, "not signed"},
		{"nothing", "", at(22, 0), time.Time{}, nil, signed.Unsigned, "not signed"},
		{"a login page", "<html>please log in</html>", at(22, 0), time.Time{}, nil, signed.Unsigned, "not signed"},
		{"the signature of a stranger", stranger.clear(release()), at(22, 0), time.Time{}, nil, signed.WrongKey, "no trusted key"},
		{"a changed hash", strings.Replace(good, hash("gz"), hash("evil"), 1), at(22, 0), time.Time{}, nil, signed.Tampered, "not that of this text"},
		{"a changed date", strings.Replace(good, "21 Nov", "22 Nov", 1), at(22, 0), time.Time{}, nil, signed.Tampered, "not that of this text"},
		{"a line more", strings.Replace(good, "Origin:", "X: y\nOrigin:", 1), at(22, 0), time.Time{}, nil, signed.Tampered, "not that of this text"},
		{"another release", trusted.clear(release("Codename: trixie-security")), at(22, 0), time.Time{}, nil, signed.Other, `it is of "trixie-security", not of "bookworm-security"`},
		{"no release", trusted.clear(release("-Codename")), at(22, 0), time.Time{}, nil, signed.Other, `it is of "", not`},

		{"something before the text", "SHA256:\n" + good, at(22, 0), time.Time{}, nil, signed.Unsigned, "not signed"},
		{"something after the signature", good + "SHA256:\n", at(22, 0), time.Time{}, nil, signed.Malformed, "something follows its signature"},
		{"two signed texts", good + good, at(22, 0), time.Time{}, nil, signed.Malformed, "something follows its signature"},
		{"a head that says more", strings.Replace(good, "Hash: SHA256\n", "Hash: SHA256\nCodename: x\n", 1), at(22, 0), time.Time{}, nil, signed.Malformed, "its head holds something else"},
		{"a line that could be a new block", strings.Replace(good, "Origin:", "-----BEGIN PGP SIGNED MESSAGE-----\nOrigin:", 1), at(22, 0), time.Time{}, nil, signed.Malformed, "begins with a dash"},
		{"a carriage return within a line", strings.Replace(good, "Origin: ", "Origin: \r ", 1), at(22, 0), time.Time{}, nil, signed.Malformed, "a carriage return"},
		{"a file that ends in its head", good[:40], at(22, 0), time.Time{}, nil, signed.Malformed, "it ends in its head"},
		{"a file that ends in its text", good[:200], at(22, 0), time.Time{}, nil, signed.Malformed, "it ends in its text"},
		{"a file that ends in its signature", strings.TrimSuffix(good, sealFoot), at(22, 0), time.Time{}, nil, signed.Malformed, "it ends in its signature"},
		{"line ends and blanks of another system", foreign(good), at(22, 0), time.Time{}, nil, signed.Fresh, ""},

		{"no date", trusted.clear(release("-Date")), at(22, 0), time.Time{}, nil, signed.Malformed, "field Date"},
		{"a date in local time", trusted.clear(release("Date: Sat, 21 Nov 2026 12:00:00 CET")), at(22, 0), time.Time{}, nil, signed.Malformed, "no date in UTC"},
		{"a date in another zone", trusted.clear(release("Date: Sat, 21 Nov 2026 12:00:00 +0100")), at(22, 0), time.Time{}, nil, signed.Malformed, "no date in UTC"},
		{"an end that is none", trusted.clear(release("Valid-Until: never")), at(22, 0), time.Time{}, nil, signed.Malformed, "field Valid-Until"},
		{"no hashes but broken ones", trusted.clear(release("-SHA256")), at(22, 0), time.Time{}, nil, signed.Malformed, "no file is listed"},
		{"a path that leaves the archive", trusted.clear(release("SHA256:\n " + hash("") + " 0 ../../etc/passwd")), at(22, 0), time.Time{}, nil, signed.Malformed, "leaves the archive"},
		{"a size below zero", trusted.clear(release("SHA256:\n " + hash("") + " -1 a")), at(22, 0), time.Time{}, nil, signed.Malformed, "is no size"},
		{"a hash that is too short", trusted.clear(release("SHA256:\n abcd 1 a")), at(22, 0), time.Time{}, nil, signed.Malformed, "is no hash"},
		{"two hashes of one file", trusted.clear(release("SHA256:\n " + hash("a") + " 1 a\n " + hash("b") + " 1 a")), at(22, 0), time.Time{}, nil, signed.Malformed, "stands twice"},
		{"two words of three", trusted.clear(release("SHA256:\n " + hash("a") + " a")), at(22, 0), time.Time{}, nil, signed.Malformed, "no hash, size and path"},
		{"two stanzas", trusted.clear(release() + "\n" + release()), at(22, 0), time.Time{}, nil, signed.Malformed, "more than one stanza"},
		{"what is no stanza", trusted.clear("hello\n"), at(22, 0), time.Time{}, nil, signed.Malformed, "cannot be read"},
		{"an empty text", trusted.clear("\n"), at(22, 0), time.Time{}, nil, signed.Malformed, "cannot be read"},
	} {
		t.Run(row.name, func(t *testing.T) {
			change := row.change
			if change == nil {
				change = func(*signed.Config) {}
			}
			j := judge(t, trusted, row.now, change)
			r, err := j.Release(t.Context(), opener(row.file), signed.Want{Codename: "bookworm-security", Last: row.last})
			require.NoError(t, err)
			require.Equal(t, row.want, r.Verdict, "%v", r.Reason)
			_, listed := r.File("main/binary-amd64/Packages")
			if row.want == signed.Fresh {
				require.NoError(t, r.Err())
				require.NoError(t, r.Reason)
			} else {
				require.ErrorContains(t, r.Err(), row.reason)
				require.ErrorContains(t, r.Err(), "signed: "+row.want.String()+": ")
				require.Equal(t, r.Verdict.Stale(), errors.Is(r.Err(), signed.ErrStale))
				require.Equal(t, !r.Verdict.Stale(), patch.FaultOf(r.Err()) == patch.Untrusted)
			}
			believed := row.want == signed.Fresh || row.want.Stale()
			require.Equal(t, believed, listed, "hashes are for those who may believe them")
			require.Equal(t, believed, !r.Date.IsZero())
			require.Equal(t, believed, r.Open != nil)
			require.Equal(t, believed, len(r.Files()) > 0)
		})
	}
}

func TestAReleaseTellsWhatItIs(t *testing.T) {
	trusted := newSeal('t')
	r, err := judge(t, trusted, at(22, 0)).Release(t.Context(), opener(trusted.clear(release())), signed.Want{Codename: "bookworm-security"})
	require.NoError(t, err)
	require.Equal(t, []string{"Debian", "Debian-Security", "oldstable-security", "12", "bookworm-security"}, []string{r.Origin, r.Label, r.Suite, r.Version, r.Codename})
	require.Equal(t, []string{"amd64", "arm64"}, r.Architectures)
	require.Equal(t, []string{"main", "contrib"}, r.Components)
	require.Equal(t, at(21, 12), r.Date)
	require.Equal(t, at(28, 12), r.Expires)
	require.Equal(t, []signed.Signature{{Key: trusted.name(), Made: at(22, 0)}}, r.Signatures)
	in, err := r.Open()
	require.NoError(t, err)
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	require.Equal(t, release(), string(text))

	best, found := r.Packages("main", "amd64")
	require.True(t, found)
	require.Equal(t, "main/binary-amd64/Packages.xz", best.Path)
	require.Equal(t, "main/binary-amd64/by-hash/SHA256/"+hash("xz"), best.Location())
	_, found = r.Packages("main", "arm64")
	require.False(t, found)

	r, err = judge(t, trusted, at(22, 0)).Release(t.Context(), opener(trusted.clear(release("-Acquire-By-Hash"))), signed.Want{Codename: "bookworm-security"})
	require.NoError(t, err)
	best, _ = r.Packages("main", "amd64")
	require.Equal(t, "main/binary-amd64/Packages.xz", best.Location())
}

func TestFilesAreVerifiedAsTheyAreRead(t *testing.T) {
	trusted := newSeal('t')
	r, err := judge(t, trusted, at(22, 0)).Release(t.Context(), opener(trusted.clear(release())), signed.Want{Codename: "bookworm-security"})
	require.NoError(t, err)
	f, found := r.File("main/binary-amd64/Packages")
	require.True(t, found)
	for text, want := range map[string]string{
		packages:                           "",
		packages + "x":                     "more than 43 bytes",
		packages[:42]:                      "42 bytes, want 43",
		"":                                 "0 bytes, want 43",
		strings.ToUpper(packages):          "it is not the file with the hash sha256:",
		strings.Repeat("0", 1<<20):         "more than 43 bytes",
		strings.Repeat("0", len(packages)): "it is not the file",
	} {
		in, err := f.Verified(opener(text))()
		require.NoError(t, err)
		got, err := io.ReadAll(iotest.OneByteReader(in))
		require.NoError(t, in.Close())
		require.LessOrEqual(t, len(got), len(packages))
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, text, string(got))
			continue
		}
		require.ErrorContains(t, err, want)
		require.Equal(t, patch.Untrusted, patch.FaultOf(err))
		_, again := in.Read(make([]byte, 1))
		require.Equal(t, err, again, "an error stays")
	}
	_, err = f.Verified(source.File(fstest.MapFS{}, "none"))()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// An unreliable verifier fails, or says yes without a signature.
type unreliable struct{ err error }

func (u unreliable) Verify(context.Context, []byte, []byte, time.Time) ([]signed.Signature, error) {
	return nil, u.err
}

func TestFailuresSayNothingAboutTheMetadata(t *testing.T) {
	broken := errors.New("out of order")
	good := newSeal('t').clear(release())
	want := signed.Want{Codename: "bookworm-security"}
	_, err := judge(t, unreliable{broken}, at(22, 0)).Release(t.Context(), opener(good), want)
	require.ErrorIs(t, err, broken)
	_, err = judge(t, unreliable{broken}, at(22, 0)).Repomd(t.Context(), opener("x"), opener("y"), signed.Want{})
	require.ErrorIs(t, err, broken)
	r, err := judge(t, unreliable{}, at(22, 0)).Release(t.Context(), opener(good), want)
	require.NoError(t, err)
	require.Equal(t, signed.WrongKey, r.Verdict)

	j := judge(t, newSeal('t'), at(22, 0), func(c *signed.Config) { c.MaxBytes = 100 })
	_, err = j.Release(t.Context(), opener(good), want)
	require.ErrorIs(t, err, source.ErrTooLarge)
	_, err = j.Release(t.Context(), source.File(fstest.MapFS{}, "none"), want)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = j.Release(t.Context(), func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }, want)
	require.ErrorIs(t, err, broken)
	_, err = j.Release(t.Context(), opener(good), signed.Want{})
	require.ErrorContains(t, err, "no Codename")

	_, err = signed.New(signed.Config{})
	require.ErrorContains(t, err, "no Verifier")
	_, err = signed.New(signed.Config{Verifier: newSeal('t'), Skew: -1})
	require.Error(t, err)
	require.ErrorContains(t, (&signed.Result{}).Err(), "signed: unverified: untrusted", "a result that nobody has made")
	require.Equal(t, patch.Untrusted, patch.FaultOf((&signed.Result{}).Err()))
}

func repomd(revision string, timestamps ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\n")
	if revision != "" {
		fmt.Fprintf(&b, " <revision>%s</revision>\n", revision)
	}
	b.WriteString(" <tags><distro cpeid=\"cpe:/o:x\">Example 9</distro></tags>\n")
	for _, s := range timestamps {
		fmt.Fprintf(&b, " <data type=\"primary\"><checksum type=\"sha256\">00</checksum><timestamp>%s</timestamp></data>\n", s)
	}
	return b.String() + "</repomd>\n"
}

func TestVerdictsOnARepomd(t *testing.T) {
	trusted, stranger := newSeal('t'), newSeal('s')
	unix := func(at time.Time) string { return fmt.Sprint(at.Unix()) }
	day := func(c *signed.Config) { c.MaxAge = 24 * time.Hour }
	noon := repomd(unix(at(20, 12)), unix(at(21, 11)), unix(at(21, 12))+".25")
	for _, row := range []struct {
		name      string
		text      string
		signature string
		want      signed.Want
		change    func(*signed.Config)
		verdict   signed.Verdict
		date      time.Time
	}{
		{"by the time of its files", noon, trusted.sign(noon), signed.Want{Last: at(21, 12)}, day, signed.Fresh, at(21, 12)},
		{"by its revision", repomd(unix(at(21, 12))), trusted.sign(repomd(unix(at(21, 12)))), signed.Want{}, day, signed.Fresh, at(21, 12)},
		{"by its tag", noon, trusted.sign(noon), signed.Want{Codename: "Example 9"}, nil, signed.Fresh, at(21, 12)},
		{"another tag", noon, trusted.sign(noon), signed.Want{Codename: "Example 8"}, nil, signed.Other, time.Time{}},
		{"what was true once", noon, trusted.sign(noon), signed.Want{Last: at(21, 13)}, nil, signed.Replayed, at(21, 12)},
		{"too old", repomd("", unix(at(20, 23))), trusted.sign(repomd("", unix(at(20, 23)))), signed.Want{}, day, signed.Expired, at(20, 23)},
		{"to come", repomd("", unix(at(23, 0))), trusted.sign(repomd("", unix(at(23, 0)))), signed.Want{}, nil, signed.Early, at(23, 0)},
		{"no date, and none that is asked for", repomd("17"), trusted.sign(repomd("17")), signed.Want{}, nil, signed.Fresh, time.Time{}},
		{"no date, and something was accepted before", repomd("17"), trusted.sign(repomd("17")), signed.Want{Last: at(1, 0)}, nil, signed.Undated, time.Time{}},
		{"no date, and it is to be young", repomd(""), trusted.sign(repomd("")), signed.Want{}, day, signed.Undated, time.Time{}},
		{"no signature", noon, "", signed.Want{}, nil, signed.Unsigned, time.Time{}},
		{"the signature of a stranger", noon, stranger.sign(noon), signed.Want{}, nil, signed.WrongKey, time.Time{}},
		{"a changed text", noon + " ", trusted.sign(noon), signed.Want{}, nil, signed.Tampered, time.Time{}},
		{"no repomd", "<html></html>", trusted.sign("<html></html>"), signed.Want{}, nil, signed.Malformed, time.Time{}},
		{"nothing in it", " ", trusted.sign(" "), signed.Want{}, nil, signed.Malformed, time.Time{}},
		{"a repomd that is cut short", noon[:150], trusted.sign(noon[:150]), signed.Want{}, nil, signed.Malformed, time.Time{}},
		{"a bomb", "<!DOCTYPE x>" + noon, trusted.sign("<!DOCTYPE x>" + noon), signed.Want{}, nil, signed.Malformed, time.Time{}},
		{"elements without end", "<repomd>" + strings.Repeat("<a>", 20), trusted.sign("<repomd>" + strings.Repeat("<a>", 20)), signed.Want{}, nil, signed.Malformed, time.Time{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			change := row.change
			if change == nil {
				change = func(*signed.Config) {}
			}
			r, err := judge(t, trusted, at(22, 0), change).Repomd(t.Context(), opener(row.text), opener(row.signature), row.want)
			require.NoError(t, err)
			require.Equal(t, row.verdict, r.Verdict, "%v", r.Reason)
			require.Equal(t, row.date, r.Date)
			if row.verdict == signed.Fresh || row.verdict.Stale() {
				in, err := r.Open()
				require.NoError(t, err)
				text, err := io.ReadAll(in)
				require.NoError(t, err)
				require.Equal(t, row.text, string(text))
			} else {
				require.Nil(t, r.Open)
			}
		})
	}
	r, err := judge(t, trusted, at(22, 0)).Repomd(t.Context(), opener(noon), source.File(fstest.MapFS{}, "repomd.xml.asc"), signed.Want{})
	require.NoError(t, err)
	require.Equal(t, signed.Unsigned, r.Verdict)
	_, err = judge(t, trusted, at(22, 0)).Repomd(t.Context(), source.File(fstest.MapFS{}, "repomd.xml"), opener(""), signed.Want{})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestVerdictsHaveNames(t *testing.T) {
	require.Equal(t, "unverified", signed.Verdict(0).String())
	require.Equal(t, "malformed", signed.Malformed.String())
	require.Equal(t, "verdict(99)", signed.Verdict(99).String())
}
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
