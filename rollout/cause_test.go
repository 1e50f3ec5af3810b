package rollout

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

func TestWhatManyDevicesSayOfOneCause(t *testing.T) {
	for words, want := range map[string]string{
		"":                             "",
		"apt: no space left on device": "apt: no space left on device",
		"  two\n\tlines ":              "two lines",
		"lock is held by process 4711 (apt-get).":                         "lock is held by process # (apt-get).",
		"lock is held by PID 7, exit code 100":                            "lock is held by PID #, exit code 100",
		"msiexec: exit code 1603":                                         "msiexec: exit code 1603",
		"0x80240016 of KB5025239":                                         "0x80240016 of KB5025239",
		"ada-7.example: connection to 10.0.0.7:22 from port 50412":        "#: connection to 10.0.0.7:22 from port #",
		"ada-7.example2: refused":                                         "ada-7.example2: refused",
		"update f39d68ab-1519-4df8-85c1-d985be7f49c3 failed":              "update # failed",
		"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15": "sha256:#",
		"libssl3 3.0.11-1~deb12u2 is held, cafe, facade":                  "libssl3 3.0.11-1~deb12u2 is held, cafe, facade",
		"at 1700000000: 404 Not Found":                                    "at #: 404 Not Found",
		"bad \xff byte":                                                   "bad ? byte",
	} {
		require.Equal(t, want, causeText(words, "ada-7.example"), "%q", words)
	}
}

func FuzzCauseWords(f *testing.F) {
	f.Add("lock is held by process 4711", "ada")
	f.Add("\xffäöü. -..-", "")
	f.Fuzz(func(t *testing.T, words, device string) {
		text := causeText(words, inventory.DeviceID(device))
		if len(text) > longCause || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
		if again := causeText(text, ""); len(text) < longCause && again != text && again != causeText(again, "") {
			t.Errorf("%q, then %q", text, again)
		}
	})
}
