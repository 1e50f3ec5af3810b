package enum_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/enum"
)

func TestNames(t *testing.T) {
	names := enum.Names{"none", "some", "all"}
	t.Run("a value has its name and is read back from it", func(t *testing.T) {
		for v, name := range names {
			require.Equal(t, name, names.String("part", v))
			text, err := names.Text("part", v)
			require.NoError(t, err)
			require.Equal(t, name, string(text))
			got, err := names.Parse("part", text)
			require.NoError(t, err)
			require.Equal(t, v, got)
		}
	})
	t.Run("a value without a name can be printed but not written", func(t *testing.T) {
		for _, v := range []int{-1, 3, 255} {
			require.Regexp(t, `^part\(-?\d+\)$`, names.String("part", v))
			text, err := names.Text("part", v)
			require.ErrorContains(t, err, "has no name")
			require.Nil(t, text)
		}
	})
	t.Run("an unknown word is an error that lists the names, and gives the zero value", func(t *testing.T) {
		for _, word := range []string{"", "Some", "some ", "1"} {
			v, err := names.Parse("part", []byte(word))
			require.ErrorContains(t, err, "is no part: want one of none, some, all")
			require.Zero(t, v)
		}
	})
	t.Run("without names nothing is known", func(t *testing.T) {
		require.Equal(t, "part(0)", enum.Names(nil).String("part", 0))
		_, err := enum.Names(nil).Parse("part", []byte("none"))
		require.Error(t, err)
	})
}
