package version_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch/version"
)

// forms are versions of the schemes whose numbers have no bound; %s stands for a number.
var forms = []version.Version{
	{Scheme: version.RPM, Text: "1.%s-1"}, {Scheme: version.RPM, Text: "1-%s"}, {Scheme: version.APK, Text: "%s"}, {Scheme: version.APK, Text: "1.%s_p1"},
	{Scheme: version.APK, Text: "1_rc%s"}, {Scheme: version.APK, Text: "1-r%s"}, {Scheme: version.Arch, Text: "1.%s-1"}, {Scheme: version.Arch, Text: "%s:1-1"},
	{Scheme: version.SemVer, Text: "1.%s.0"}, {Scheme: version.SemVer, Text: "1.0.0-%s"}, {Scheme: version.SemVerLenient, Text: "v%s"},
}

func TestNumbersOfAnyLengthCompareByValue(t *testing.T) {
	lengths := []int{1, 2, 77, 78, 79, 155, 156, 157, 255, 256, 257, 1000, 1001, 5000}
	for _, form := range forms {
		filled := func(number string) version.Version {
			return version.Version{Scheme: form.Scheme, Text: fmt.Sprintf(form.Text, number)}
		}
		for i, n := range lengths {
			for j, m := range lengths {
				got, err := version.Compare(filled(strings.Repeat("9", n)), filled("1"+strings.Repeat("0", m-1)))
				require.NoError(t, err)
				want := sign(i - j)
				if i == j {
					want = 1 // as long, and all nines
				}
				require.Equal(t, want, sign(got), "%v: %d nines against a one with %d zeros", form, n, m-1)
			}
		}
	}
}

func TestSchemesDoNotAllocateIntoABigEnoughBuffer(t *testing.T) {
	buf := make([]byte, 0, 128)
	for _, form := range forms {
		v := version.Version{Scheme: form.Scheme, Text: fmt.Sprintf(form.Text, "120")}
		_, err := v.AppendKey(buf)
		require.NoError(t, err)
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = v.AppendKey(buf) }), v)
	}
}

// The same two texts, by the rules of four managers: rpm and pacman disagree on what letters after a number mean.
func ExampleScheme() {
	for _, s := range []version.Scheme{version.RPM, version.Arch, version.APK, version.SemVerLenient} {
		a, b := version.Version{Scheme: s, Text: "1.0rc1-1"}, version.Version{Scheme: s, Text: "1.0-1"}
		c, err := version.Compare(a, b)
		fmt.Println(s, c, err != nil)
	}
	// Output:
	// rpm 1 false
	// arch -1 false
	// apk 0 true
	// semver-lenient 0 true
}

func ExampleParse_lenient() {
	tag := " v1.2"
	_, err := version.Parse(version.SemVer, tag)
	fmt.Println(err)
	c, err := version.Compare(version.Version{Scheme: version.SemVerLenient, Text: tag}, version.Version{Scheme: version.SemVerLenient, Text: "1.2.0-rc.1"})
	fmt.Println(c, err)
	// Output:
	// version: semver " v1.2": want three numbers, parted by dots: not a version
	// 1 <nil>
}

func BenchmarkSemVerAppendKey(b *testing.B) {
	v := semver("1.25.3-rc.1+build5")
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.AppendKey(buf); err != nil {
			b.Fatal(err)
		}
	}
}
