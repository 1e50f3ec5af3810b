package signed

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

func FuzzSplitClearsigned(f *testing.F) {
	const foot = "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\n- -x\n" + foot))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nx \t\r\n\r\n" + foot))
	f.Add([]byte("-----BEGIN PGP SIGNED MESSAGE-----\n\n" + foot + foot))
	f.Fuzz(func(t *testing.T, file []byte) {
		text, signature, err := splitClearsigned(file)
		if err != nil {
			return
		}
		require.True(t, bytes.HasPrefix(signature, []byte("-----BEGIN PGP SIGNATURE-----")))
		require.True(t, bytes.HasSuffix(file, signature))
		require.Equal(t, 1, bytes.Count(append([]byte("\n"), file...), []byte("\n-----BEGIN PGP SIGNATURE-----")), "one signature")
		// Whoever writes the same text in the ordinary way gets the same.
		again := "-----BEGIN PGP SIGNED MESSAGE-----\n\n" + strings.ReplaceAll("\n"+string(text), "\n-", "\n- -")[1:] + foot
		if !bytes.HasSuffix(text, []byte("\n")) {
			require.Empty(t, text)
		}
		same, _, err := splitClearsigned([]byte(again))
		require.NoError(t, err)
		require.Equal(t, string(text), string(same))
		require.NotContains(t, strings.ReplaceAll(string(signedForm(text)), "\r\n", ""), "\r")
	})
}

func FuzzParseRelease(f *testing.F) {
	f.Add([]byte("Codename: a\nDate: Sat, 21 Nov 2026 12:00:00 UTC\nSHA256:\n " + strings.Repeat("0", 64) + " 5 main/Packages\n"))
	f.Add([]byte("Codename: a\nDate: Sat, 1 Nov 2026 12:00:00 +0000\nValid-Until: x\nAcquire-By-Hash: yes\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRelease(text)
		if err != nil {
			return
		}
		require.False(t, r.Date.IsZero() && r.Date.Year() != 1)
		for _, f := range r.Files() {
			require.GreaterOrEqual(t, f.Size, int64(0))
			require.Len(t, f.Digest, len("sha256:")+64)
			require.NotContains(t, "/"+f.Location()+"/", "/../")
			require.False(t, strings.HasPrefix(f.Location(), "/"))
		}
	})
}

func FuzzParseRepomd(f *testing.F) {
	f.Add([]byte("<repomd><revision>1763726400</revision><data><timestamp>1763726400.5</timestamp></data></repomd>"))
	f.Add([]byte("<repomd><tags><repo>x</repo></tags></repomd>"))
	f.Add([]byte("<a></a>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		date, _, err := parseRepomd(text)
		if err == nil && !date.IsZero() {
			require.GreaterOrEqual(t, date.Year(), 2000)
		}
	})
}

func FuzzReadStatus(f *testing.F) {
	f.Add([]byte("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG 00 x\n[GNUPG:] VALIDSIG ABCD 2026-11-21 1763726400 0 4 0 1 8 01 ABCD\n"), false)
	f.Add([]byte("[GNUPG:] NEWSIG\n[GNUPG:] REVKEYSIG 00 x\n[GNUPG:] VALIDSIG ABCD 2026-11-21 1763726400 0 4 0 1 8 01 ABCD\n"), false)
	f.Add([]byte("[GNUPG:] BADSIG\n[GNUPG:] ERRSIG 1 2 3 4 5 9\n[GNUPG:] NODATA 4\n"), true)
	f.Fuzz(func(t *testing.T, out []byte, failed bool) {
		good, err := readStatus(out, failed)
		require.Equal(t, len(good) > 0, err == nil, "good signatures or an error, never neither")
		if bytes.HasPrefix(out, []byte("[GNUPG:] BADSIG ")) {
			require.ErrorIs(t, err, ErrTampered)
		}
	})
}

func TestWhatIsNotTrustedIsUntrusted(t *testing.T) {
	for v := Unverified; v <= Malformed; v++ {
		r := Result{Verdict: v, Reason: ErrKey}
		switch {
		case v == Fresh:
			require.NoError(t, r.Err())
		case v.Stale():
			require.ErrorIs(t, r.Err(), ErrStale)
			require.Equal(t, patch.Transient, patch.FaultOf(r.Err()), "%s: a newer one may come", v)
		default:
			require.Equal(t, patch.Untrusted, patch.FaultOf(r.Err()), "%s", v)
		}
	}
}
