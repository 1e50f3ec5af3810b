package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

func assess(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), args, &out, io.Discard))
	return out.String()
}

func TestAssessesTheMachineThatComesAlong(t *testing.T) {
	golden(t, "table.golden", assess(t))
	golden(t, "json.golden", assess(t, "-json", "-most", "2"))

	var all []result
	require.NoError(t, json.Unmarshal([]byte(assess(t, "-json", "-most", "0")), &all))
	require.Len(t, all, 1)
	require.Zero(t, all[0].More)
	require.Equal(t, patch.Yes, all[0].Missing[0].Exploited, "what is exploited comes first")
}

// A folder of every kind of feed, and an inventory in JSON.
func TestAssessesAFolderOfFeeds(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	write("osv/a.jsonl", `{"id":"ALSA-2026:1","modified":"2026-11-01T00:00:00Z","published":"2026-11-01T00:00:00Z","summary":"Important: openssl security update","related":["CVE-2026-1001"],"affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"openssl"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1:3.0.7-20.el9"}]}]}]}
{"id":"ALSA-2026:2","modified":"2026-11-02T00:00:00Z","summary":"Moderate: bash security update","related":["CVE-2026-1002"],"affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"bash"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.1.8-10.el9"}]}]}]}
`)
	write("kev.json", `{"title":"t","catalogVersion":"1","dateReleased":"2026-11-20T00:00:00Z","count":1,"vulnerabilities":[{"cveID":"CVE-2026-1002","vendorProject":"GNU","product":"bash","vulnerabilityName":"x","dateAdded":"2026-11-19","shortDescription":"x","requiredAction":"x","dueDate":"2026-12-10","knownRansomwareCampaignUse":"Unknown","notes":""}]}`)
	rpm := func(name, text string) inventory.Software {
		return inventory.Software{Manager: "rpm", Ecosystem: "AlmaLinux:9", Name: name, Version: version.Version{Scheme: version.RPM, Text: text}}
	}
	coverage := []inventory.Coverage{{Manager: "rpm", Status: inventory.Complete}}
	devices, err := json.Marshal([]inventory.Device{
		{ID: "web1", Software: []inventory.Software{rpm("openssl", "1:3.0.7-16.el9"), rpm("bash", "5.1.8-9.el9")}, Coverage: coverage},
		{ID: "web2", Software: []inventory.Software{rpm("openssl", "1:3.0.7-20.el9")}, Coverage: coverage},
	})
	require.NoError(t, err)
	write("devices.json", string(devices))

	require.Equal(t, `web1: missing; to be installed: 2

PATCH            KIND      SEVERITY   EXPLOITED   CVES           WHY
osv:ALSA-2026:2  security  moderate   2026-11-19  CVE-2026-1002  bash 5.1.8-9.el9 is below 5.1.8-10.el9
osv:ALSA-2026:1  security  important  unknown     CVE-2026-1001  openssl 1:3.0.7-16.el9 is below 1:3.0.7-20.el9

web2: clean; to be installed: 0
`, assess(t, "-feeds", folder, "-inventory", filepath.Join(folder, "devices.json")))
}

// What was kept stays in force when a feed is broken, and the notes say so.
func TestKeepsWhatWasRead(t *testing.T) {
	folder, kept := t.TempDir(), t.TempDir()
	feed := filepath.Join(folder, "osv", "a.json")
	require.NoError(t, os.Mkdir(filepath.Dir(feed), 0o700))
	require.NoError(t, os.WriteFile(feed, []byte(`{"id":"DSA-6001-1","modified":"2026-11-01T00:00:00Z","affected":[{"package":{"ecosystem":"Debian:12","name":"bash"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"9"}]}]}]}`), 0o600))
	again := func() (notes string, err error) {
		var out bytes.Buffer
		err = run(t.Context(), []string{"-feeds", folder, "-keep", kept}, io.Discard, &out)
		return out.String(), err
	}
	notes, err := again()
	require.NoError(t, err)
	require.Contains(t, notes, "since the last time: 1 new, 0 changed, 0 gone")
	require.NoError(t, os.RemoveAll(filepath.Dir(feed)))
	require.NoError(t, os.WriteFile(filepath.Dir(feed), []byte("no folder"), 0o600))
	notes, err = again()
	require.NoError(t, err)
	require.Contains(t, notes, "stale: osv as it was on ")
	require.Contains(t, notes, "since the last time: 0 new, 0 changed, 0 gone")

	kept = t.TempDir()
	_, err = again()
	require.ErrorContains(t, err, "assess: osv: ")
}

func TestRefusesWhatItCannotUse(t *testing.T) {
	empty := t.TempDir()
	file := filepath.Join(empty, "devices.json")
	for name, c := range map[string]struct {
		devices string
		args    []string
		want    string
	}{
		"an argument":                {"", []string{"now"}, `"now": want flags only`},
		"a folder of no feeds":       {"", []string{"-feeds", empty}, "what is missing cannot be known"},
		"a folder that is none":      {"", []string{"-feeds", filepath.Join(empty, "nowhere")}, "nowhere"},
		"no devices":                 {"[]", []string{"-inventory", file}, "lists no devices"},
		"a damaged inventory":        {"[{", []string{"-inventory", file}, "devices.json: unexpected end of JSON"},
		"an ecosystem of no release": {"", []string{"-inventory", file, "-ecosystem", "Debian"}, "want VENDOR:RELEASE"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, []byte(c.devices), 0o600))
			err := run(t.Context(), c.args, io.Discard, io.Discard)
			require.ErrorContains(t, err, c.want)
			require.True(t, strings.HasPrefix(err.Error(), "assess: "), err)
		})
	}
}
