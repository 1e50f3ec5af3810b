package openpgp_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pgp "github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/signed"
	"github.com/patchflow/patchflow/providers/source/signed/openpgp"
)

// The time at which everything happens. It is in the past of whoever runs the tests, since gpgv has a clock of its own.
func day(n int) time.Time { return time.Date(2025, 1, n, 0, 0, 0, 0, time.UTC) }

func config(now time.Time, lifetime time.Duration) *packet.Config {
	return &packet.Config{Time: func() time.Time { return now }, KeyLifetimeSecs: uint32(lifetime.Seconds()), Algorithm: packet.PubKeyAlgoEdDSA, DefaultHash: crypto.SHA256}
}

func newKey(t testing.TB, name string, lifetime time.Duration) *pgp.Entity {
	t.Helper()
	e, err := pgp.NewEntity(name, "", "", config(day(1), lifetime))
	require.NoError(t, err)
	return e
}

// keyring returns the public keys of entities, binary.
func keyring(t testing.TB, entities ...*pgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, e := range entities {
		require.NoError(t, e.Serialize(&b))
	}
	return b.Bytes()
}

func trust(t testing.TB, keys []byte) *openpgp.Keyring {
	t.Helper()
	k, err := openpgp.New(bytes.NewReader(keys))
	require.NoError(t, err)
	return k
}

// clear signs a text in the clear.
func clear(t testing.TB, text string, made time.Time, by ...*pgp.Entity) string {
	t.Helper()
	var keys []*packet.PrivateKey
	for _, e := range by {
		keys = append(keys, e.PrivateKey)
	}
	var b bytes.Buffer
	w, err := clearsign.EncodeMulti(&b, keys, config(made, 0))
	require.NoError(t, err)
	_, err = io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func detached(t testing.TB, text string, made time.Time, by *pgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, pgp.ArmoredDetachSign(&b, by, strings.NewReader(text), config(made, 0)))
	return b.Bytes()
}

func opener(text string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func release(date, until string) string {
	if until != "" {
		until = "Valid-Until: " + until + "\n"
	}
	return "Origin: Test\nCodename: test\nDate: " + date + "\n" + until + "SHA256:\n " + strings.Repeat("0", 64) + " 5 main/binary-amd64/Packages\n"
}

func TestVerdictsOnRealSignatures(t *testing.T) {
	ours, stranger, old, lost := newKey(t, "ours", 0), newKey(t, "stranger", 0), newKey(t, "old", 5*24*time.Hour), newKey(t, "lost", 0)
	text := release("Thu, 02 Jan 2025 00:00:00 UTC", "Thu, 09 Jan 2025 00:00:00 UTC")
	endless := release("Thu, 02 Jan 2025 00:00:00 UTC", "")
	byOld, byLost := clear(t, text, day(2), old), clear(t, text, day(2), lost)
	require.NoError(t, lost.RevokeKey(packet.KeyCompromised, "lost", config(day(3), 0)))
	keys := keyring(t, ours, old, lost)
	goKeys := trust(t, keys)

	file := filepath.Join(t.TempDir(), "keyring.gpg")
	require.NoError(t, os.WriteFile(file, keys, 0o600))
	gpgv := signed.GPGV{Keyrings: []string{file}}

	for _, row := range []struct {
		name   string
		file   string
		now    time.Time
		last   time.Time
		want   signed.Verdict
		reason string
		clocks bool // the verdict depends on what time it is, which gpgv does not take from the test
	}{
		{"a trusted key", clear(t, text, day(2), ours), day(4), time.Time{}, signed.Fresh, "", false},
		{"a trusted key beside another", clear(t, text, day(2), stranger, ours), day(4), time.Time{}, signed.Fresh, "", false},
		{"no end of validity", clear(t, endless, day(2), ours), day(30), time.Time{}, signed.Fresh, "", false},
		{"too old", clear(t, text, day(2), ours), day(10), time.Time{}, signed.Expired, "good until 2025-01-09", false},
		{"replayed", clear(t, text, day(2), ours), day(4), day(3), signed.Replayed, "accepted before", false},
		{"from the future", clear(t, text, day(1), ours), day(1), time.Time{}, signed.Early, "and now is", false},
		{"another key", clear(t, text, day(2), stranger), day(4), time.Time{}, signed.WrongKey, "is not trusted", false},
		{"a key that has expired", byOld, day(8), time.Time{}, signed.WrongKey, "has expired", false},
		{"the same key before that", byOld, day(4), time.Time{}, signed.Fresh, "", true},
		{"a key that was revoked", byLost, day(4), time.Time{}, signed.WrongKey, "", false},
		{"a changed text", strings.Replace(clear(t, text, day(2), ours), "Origin: Test", "Origin: Evil", 1), day(4), time.Time{}, signed.Tampered, "", false},
		{"a changed text that two have signed", strings.Replace(clear(t, text, day(2), stranger, ours), "Origin: Test", "Origin: Evil", 1), day(4), time.Time{}, signed.Tampered, "", false},
		{"the signature of another text", swap(clear(t, text, day(2), ours), clear(t, endless, day(2), ours)), day(4), time.Time{}, signed.Tampered, "", false},
		{"a signature from the future", clear(t, text, day(20), ours), day(4), time.Time{}, signed.WrongKey, "", true},
		{"an empty armor", swap(clear(t, text, day(2), ours), "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"), day(4), time.Time{}, signed.Unsigned, "", false},
		{"plain text", text, day(4), time.Time{}, signed.Unsigned, "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			judged := func(t *testing.T, v signed.Verifier) {
				t.Helper()
				j, err := signed.New(signed.Config{Verifier: v, Now: func() time.Time { return row.now }})
				require.NoError(t, err)
				r, err := j.Release(t.Context(), opener(row.file), signed.Want{Codename: "test", Last: row.last})
				require.NoError(t, err)
				require.Equal(t, row.want, r.Verdict, "%v", r.Reason)
				if row.want != signed.Fresh {
					require.ErrorContains(t, r.Err(), row.reason)
					return
				}
				require.Len(t, r.Signatures, 1)
				require.Contains(t, []string{fmt.Sprintf("%X", ours.PrimaryKey.Fingerprint), fmt.Sprintf("%X", old.PrimaryKey.Fingerprint)}, r.Signatures[0].Key)
				require.Equal(t, day(2), r.Signatures[0].Made)
			}
			judged(t, goKeys)
			t.Run("as gpgv says", func(t *testing.T) {
				need.Tool(t, "gpgv")
				if !row.clocks {
					judged(t, gpgv)
				}
			})
		})
	}
}

// swap gives a clear-signed text the signature of another.
func swap(file, other string) string {
	const head = "-----BEGIN PGP SIGNATURE-----"
	text, _, _ := strings.Cut(file, head)
	_, signature, _ := strings.Cut(other, head)
	return text + head + signature
}

func TestDetachedSignatures(t *testing.T) {
	ours := newKey(t, "ours", 0)
	k := trust(t, keyring(t, ours))
	const text = "<repomd>\n<revision>1735776000</revision></repomd>\n"
	asc := detached(t, text, day(2), ours)
	block, err := armor.Decode(bytes.NewReader(asc))
	require.NoError(t, err)
	raw, err := io.ReadAll(block.Body)
	require.NoError(t, err)
	for name, signature := range map[string][]byte{"armored": asc, "binary": raw} {
		good, err := k.Verify(t.Context(), []byte(text), signature, day(4))
		require.NoError(t, err, name)
		require.Equal(t, []signed.Signature{{Key: fmt.Sprintf("%X", ours.PrimaryKey.Fingerprint), Made: day(2)}}, good)
		_, err = k.Verify(t.Context(), []byte(text+" "), signature, day(4))
		require.ErrorIs(t, err, signed.ErrTampered, name)
	}
	many, err := k.Verify(t.Context(), []byte(text), bytes.Repeat(raw, 64), day(4))
	require.NoError(t, err)
	require.Len(t, many, 64)
	_, err = k.Verify(t.Context(), []byte(text), bytes.Repeat(raw, 65), day(4))
	require.ErrorIs(t, err, signed.ErrKey)

	var key bytes.Buffer
	w, err := armor.Encode(&key, pgp.PublicKeyType, nil)
	require.NoError(t, err)
	require.NoError(t, ours.Serialize(w))
	require.NoError(t, w.Close())
	_, err = k.Verify(t.Context(), []byte(text), key.Bytes(), day(4))
	require.ErrorIs(t, err, signed.ErrUnsigned, "a key is no signature")
	armored, err := openpgp.New(&key)
	require.NoError(t, err)
	_, err = armored.Verify(t.Context(), []byte(text), asc, day(4))
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = k.Verify(ctx, []byte(text), asc, day(4))
	require.ErrorIs(t, err, context.Canceled)
}

func TestNewRefusesWhatHoldsNoKeys(t *testing.T) {
	for name, files := range map[string][]io.Reader{
		"no files": nil, "an empty one": {strings.NewReader("")}, "text": {strings.NewReader("hello")},
		"an armor of nothing": {strings.NewReader("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----\n")},
		"too much":            {io.LimitReader(zeros{}, 17<<20)},
	} {
		_, err := openpgp.New(files...)
		require.Error(t, err, name)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The captured archive of Debian, by the keys of Debian.
func TestDebiansOwnArchive(t *testing.T) {
	folder := os.DirFS(need.Shared(t, "feeds", "debian-apt-indices"))
	keys, err := os.Open("/usr/share/keyrings/debian-archive-keyring.gpg")
	if err != nil {
		t.Skip("this test needs the Debian package debian-archive-keyring")
	}
	defer keys.Close()
	k, err := openpgp.New(keys)
	require.NoError(t, err)
	j, err := signed.New(signed.Config{Verifier: k, Now: func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }})
	require.NoError(t, err)
	for codename, signatures := range map[string]int{"bookworm": 3, "bookworm-updates": 2, "bookworm-security": 2} {
		r, err := j.Release(t.Context(), source.File(folder, codename+"_InRelease"), signed.Want{Codename: codename})
		require.NoError(t, err)
		require.Equal(t, signed.Fresh, r.Verdict, "%s: %v", codename, r.Reason)
		require.LessOrEqual(t, len(r.Signatures), signatures)
		require.NotEmpty(t, r.Signatures)
		t.Logf("%s: %v", codename, r.Signatures)
	}
}

func FuzzVerify(f *testing.F) {
	ours := newKey(f, "ours", 0)
	k := trust(f, keyring(f, ours))
	f.Add(detached(f, "text", day(2), ours))
	f.Add([]byte("-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"))
	f.Fuzz(func(t *testing.T, signature []byte) {
		good, err := k.Verify(t.Context(), []byte("another text"), signature, day(4))
		require.Error(t, err)
		require.Empty(t, good)
	})
}

func Example() {
	// A host opens a file of keys that it trusts: /usr/share/keyrings/debian-archive-keyring.gpg.
	entity, err := pgp.NewEntity("archive", "", "", config(day(1), 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	var file, signature bytes.Buffer
	if err := entity.Serialize(&file); err != nil {
		fmt.Println(err)
		return
	}
	keys, err := openpgp.New(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := pgp.DetachSign(&signature, entity, strings.NewReader("facts"), config(day(2), 0)); err != nil {
		fmt.Println(err)
		return
	}
	good, err := keys.Verify(context.Background(), []byte("facts"), signature.Bytes(), day(3))
	fmt.Println(len(good), good[0].Made.Format(time.DateOnly), err)
	_, err = keys.Verify(context.Background(), []byte("lies"), signature.Bytes(), day(3))
	fmt.Println(err != nil)
	// Output:
	// 1 2025-01-02 <nil>
	// true
}
