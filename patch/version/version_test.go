package version_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch/version"
)

func TestCompareRefusesWhatItCannotOrder(t *testing.T) {
	_, err := version.Compare(deb("1.0"), version.Version{Scheme: "other", Text: "1.0"})
	require.ErrorIs(t, err, version.ErrIncomparable)
	_, err = version.Compare(version.Version{}, version.Version{})
	require.ErrorIs(t, err, version.ErrIncomparable)
	_, err = version.Compare(deb("1.0"), deb("one"))
	require.ErrorIs(t, err, version.ErrSyntax)
	require.ErrorContains(t, err, `"one"`)
	_, err = version.Compare(deb("one"), deb("1.0"))
	require.ErrorIs(t, err, version.ErrSyntax)
}

func TestParseReturnsNoVersionOnError(t *testing.T) {
	v, err := version.Parse(version.Deb, "1.0_2")
	require.ErrorIs(t, err, version.ErrSyntax)
	require.True(t, v.IsZero())
	_, err = version.Parse("other", "1.0")
	require.ErrorIs(t, err, version.ErrIncomparable)
}

func TestAppendKeyKeepsWhatIsThere(t *testing.T) {
	b, err := deb("1.0-1").AppendKey([]byte("before "))
	require.NoError(t, err)
	key, err := deb("1.0-1").Key()
	require.NoError(t, err)
	require.Equal(t, "before "+string(key), string(b))

	for _, bad := range []string{"", "one", "1.0-", "1.0-1_"} {
		b, err = deb(bad).AppendKey([]byte("before "))
		require.ErrorIs(t, err, version.ErrSyntax)
		require.Equal(t, "before ", string(b), "after %q", bad)
	}
}

func TestAppendKeyDoesNotAllocateIntoABigEnoughBuffer(t *testing.T) {
	v := deb("1:2.36.1-8+deb12u12~bpo11+1")
	buf := make([]byte, 0, 128)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = v.AppendKey(buf) }))
}
