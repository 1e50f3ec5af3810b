package signed_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/providers/source/signed"
)

// A gnupg is the home of somebody who signs.
type gnupg struct {
	t    *testing.T
	home string
}

func newGnuPG(t *testing.T) gnupg {
	t.Helper()
	need.Tool(t, "gpg")
	need.Tool(t, "gpgv")
	home, err := os.MkdirTemp("", "gpg") // the path of the agent's socket must be short, that of t.TempDir is not
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
		_ = os.RemoveAll(home)
	})
	return gnupg{t, home}
}

func (g gnupg) run(input string, args ...string) string {
	g.t.Helper()
	c := exec.CommandContext(g.t.Context(), "gpg", append([]string{"--homedir", g.home, "--batch", "--quiet", "--no-tty", "--passphrase", "", "--pinentry-mode", "loopback"}, args...)...)
	c.Stdin = strings.NewReader(input)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	require.NoError(g.t, err, "%s", errs.String())
	return string(out)
}

// key makes a key and returns its fingerprint.
func (g gnupg) key(name string, more ...string) string {
	g.t.Helper()
	g.run("", append(more, "--quick-gen-key", name, "ed25519", "sign", "1d")...)
	for line := range strings.Lines(g.run("", "--with-colons", "--list-keys", name)) {
		if words := strings.Split(line, ":"); words[0] == "fpr" {
			return words[9]
		}
	}
	g.t.Fatal("no key was made")
	return ""
}

// keyring writes the public keys of names to a file.
func (g gnupg) keyring(names ...string) string {
	g.t.Helper()
	file := filepath.Join(g.t.TempDir(), "keyring.gpg")
	require.NoError(g.t, os.WriteFile(file, []byte(g.run("", append([]string{"--export"}, names...)...)), 0o600))
	return file
}

func TestGPGV(t *testing.T) {
	g := newGnuPG(t)
	ours := g.key("ours")
	g.key("strangers")
	g.key("old", "--faked-system-time", "20200101T000000!")
	lost := g.key("lost")
	text := release()
	sign := func(name string, more ...string) string {
		return g.run(text, append(more, "--local-user", name, "--clearsign")...)
	}
	signedBy := map[string]string{
		"ours": sign("ours"), "strangers": sign("strangers"), "old": sign("old", "--faked-system-time", "20200101T000100!"), "lost": sign("lost"),
		"both": g.run(text, "--local-user", "strangers", "--local-user", "ours", "--clearsign"), "weak": sign("ours", "--digest-algo", "SHA1"),
		"mail": sign("ours", "--comment", "-- x"),
	}
	revocation, err := os.ReadFile(filepath.Join(g.home, "openpgp-revocs.d", lost+".rev"))
	require.NoError(t, err)
	g.run(strings.ReplaceAll(string(revocation), ":-----BEGIN", "-----BEGIN"), "--import")
	trusted := g.keyring("ours", "old", "lost")

	v := signed.GPGV{Keyrings: []string{trusted}}
	for _, row := range []struct {
		name, file string
		want       signed.Verdict
		reason     string
	}{
		{"a trusted key", signedBy["ours"], signed.Fresh, ""},
		{"a trusted key besides another", signedBy["both"], signed.Fresh, ""},
		{"a comment in the armor", signedBy["mail"], signed.Fresh, ""},
		{"another key", signedBy["strangers"], signed.WrongKey, "is not trusted"},
		{"a key that has expired", signedBy["old"], signed.WrongKey, "has expired"},
		{"a key that was revoked", signedBy["lost"], signed.WrongKey, "was revoked"},
		{"a weak hash", signedBy["weak"], signed.WrongKey, ""},
		{"a changed text", strings.Replace(signedBy["ours"], "amd64", "amd65", 1), signed.Tampered, ""},
		{"a changed text with two signatures", strings.Replace(signedBy["both"], "amd64", "amd65", 1), signed.Tampered, ""},
		{"no signature in the armor", armored(text, ""), signed.Unsigned, ""},
		{"an odd signature", armored(text, "aGVsbG8=\n"), signed.Unsigned, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			r, err := judge(t, v, at(22, 0)).Release(t.Context(), opener(row.file), signed.Want{Codename: "bookworm-security"})
			require.NoError(t, err)
			require.Equal(t, row.want, r.Verdict, "%v", r.Reason)
			if row.want == signed.Fresh {
				require.Len(t, r.Signatures, 1)
				require.Equal(t, ours, r.Signatures[0].Key)
				require.WithinDuration(t, time.Now(), r.Signatures[0].Made, time.Hour)
			} else {
				require.ErrorContains(t, r.Err(), row.reason)
			}
		})
	}
	t.Run("a detached signature, armored or not", func(t *testing.T) {
		text := repomd("1763726400")
		for _, more := range [][]string{{"--armor"}, {}} {
			asc := g.run(text, append(more, "--local-user", "ours", "--detach-sign")...)
			r, err := judge(t, v, at(22, 0)).Repomd(t.Context(), opener(text), opener(asc), signed.Want{})
			require.NoError(t, err)
			require.Equal(t, signed.Fresh, r.Verdict, "%v", r.Reason)
			r, err = judge(t, v, at(22, 0)).Repomd(t.Context(), opener(text+" "), opener(asc), signed.Want{})
			require.NoError(t, err)
			require.Equal(t, signed.Tampered, r.Verdict)
		}
	})
	t.Run("what is missing is no verdict", func(t *testing.T) {
		for _, v := range []signed.GPGV{{}, {Keyrings: []string{"no-such-keyring"}}, {Program: "no-such-program", Keyrings: v.Keyrings}} {
			_, err := v.Verify(t.Context(), []byte("x"), []byte("y"), time.Time{})
			require.Error(t, err)
			require.NotEqual(t, patch.Untrusted, patch.FaultOf(err))
			for _, verdict := range []error{signed.ErrKey, signed.ErrTampered, signed.ErrUnsigned} {
				require.NotErrorIs(t, err, verdict)
			}
		}
		_, err := signed.GPGV{Keyrings: v.Keyrings}.Verify(t.Context(), []byte("x"), nil, time.Time{})
		require.ErrorIs(t, err, signed.ErrUnsigned)
	})
}

// armored returns a clear-signed text with an armor that holds something else.
func armored(text, armor string) string {
	return "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + text + sealHead + armor + strings.TrimPrefix(sealFoot, "\n")
}

// The captured archive of Debian, by the keys of Debian, down to the packages.
func TestDebiansOwnArchive(t *testing.T) {
	folder := os.DirFS(need.Shared(t, "feeds", "debian-apt-indices"))
	need.Tool(t, "gpgv")
	const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
	if _, err := os.Stat(keyring); err != nil {
		t.Skip("this test needs the Debian package debian-archive-keyring")
	}
	v := signed.GPGV{Keyrings: []string{keyring}}
	j := judge(t, v, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
	for _, row := range []struct {
		codename string
		date     string
		files    int
		expires  bool
	}{
		{"bookworm", "2026-07-11T10:16:37Z", 700, false},
		{"bookworm-updates", "2026-11-21T02:10:46Z", 200, false},
		{"bookworm-security", "2026-11-21T00:53:02Z", 250, true},
	} {
		t.Run(row.codename, func(t *testing.T) {
			r, err := j.Release(t.Context(), source.File(folder, row.codename+"_InRelease"), signed.Want{Codename: row.codename})
			require.NoError(t, err)
			require.Equal(t, signed.Fresh, r.Verdict, "%v", r.Reason)
			require.Equal(t, row.date, r.Date.Format(time.RFC3339))
			require.Equal(t, row.expires, !r.Expires.IsZero())
			require.Greater(t, len(r.Files()), row.files)
			require.NotEmpty(t, r.Signatures)
			f, found := r.Packages("main", "amd64")
			require.True(t, found)
			require.Contains(t, f.Location(), "main/binary-amd64/by-hash/SHA256/")
			t.Logf("%d files, signed by %v", len(r.Files()), r.Signatures)

			// The capture is compressed anew, so it is the plain file whose hash fits; of bookworm itself a word was changed.
			plain, found := r.File("main/binary-amd64/Packages")
			require.True(t, found)
			packed := source.File(folder, row.codename+"_main_binary-amd64_Packages.xz")
			d, err := debian.New(debian.Config{Codename: "bookworm", Version: "12", Indices: []debian.Index{{
				Origin: row.codename, Open: plain.Verified(unpacked(packed)),
			}}})
			require.NoError(t, err)
			var failure error
			for _, err := range d.Patches(t.Context(), patch.Query{}) {
				failure = err
			}
			if row.codename == "bookworm" {
				require.Equal(t, patch.Untrusted, patch.FaultOf(failure))
				return
			}
			require.NoError(t, failure)
		})
	}
}

// unpacked opens what is in a compressed file.
func unpacked(open source.Opener) source.Opener {
	return func() (io.ReadCloser, error) { return source.Limits{}.Open(open) }
}
