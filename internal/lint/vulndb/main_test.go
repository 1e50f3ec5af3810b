package main

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, entries string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "entries.jsonl.gz")
	f, err := os.Create(name)
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(entries))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	return name
}

func TestBuild(t *testing.T) {
	const older = `{"id":"GO-2027-0002","modified":"2027-01-02T00:00:00Z","aliases":["CVE-2027-2"],"affected":[` +
		`{"package":{"name":"example.com/b"}},{"package":{"name":"example.com/a"}},{"package":{"name":"example.com/b"}}],"more":[1]}`
	const newer = `{"id":"GO-2027-0003","modified":"2027-02-03T00:00:00Z","affected":[{"package":{"name":"example.com/a"}}]}`
	dir := filepath.Join(t.TempDir(), "db")
	n, err := build(write(t, older+"\n"+newer+"\n"), dir)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for name, want := range map[string]string{
		"index/db.json": `{"modified":"2027-02-03T00:00:00Z"}`,
		"index/modules.json": `[
			{"path":"example.com/a","vulns":[{"id":"GO-2027-0002","modified":"2027-01-02T00:00:00Z"},{"id":"GO-2027-0003","modified":"2027-02-03T00:00:00Z"}]},
			{"path":"example.com/b","vulns":[{"id":"GO-2027-0002","modified":"2027-01-02T00:00:00Z"}]}]`,
		"index/vulns.json": `[
			{"id":"GO-2027-0002","modified":"2027-01-02T00:00:00Z","aliases":["CVE-2027-2"]},
			{"id":"GO-2027-0003","modified":"2027-02-03T00:00:00Z"}]`,
		"ID/GO-2027-0002.json": older,
		"ID/GO-2027-0003.json": newer,
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.JSONEq(t, want, string(got), name)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, row := range map[string]struct{ entries, want string }{
		"nothing":            {"", "no entries"},
		"a cut entry":        {`{"id":"GO-2027-0002"}` + "\n{", "entry 2: unexpected EOF"},
		"a path for an ID":   {`{"id":"../GO-2027-0002"}`, "entry 1: \"../GO-2027-0002\" is no ID"},
		"text for a number":  {`{"id":7}`, "entry 1: json"},
		"another database's": {`{"id":"GHSA-6vm3-jj99-7229"}`, "is no ID of the Go"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := build(write(t, row.entries), t.TempDir())
			require.ErrorContains(t, err, row.want)
		})
	}
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, []byte("entries that are not compressed"), 0o600))
	_, err := build(plain, t.TempDir())
	require.ErrorContains(t, err, "invalid header")
	_, err = build(plain+".missing", t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
}
