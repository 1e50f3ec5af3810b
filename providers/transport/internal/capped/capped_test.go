package capped

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuffer(t *testing.T) {
	for name, row := range map[string]struct {
		max    int
		writes []string
		want   string
		cut    int64
	}{
		"nothing":            {5, nil, "", 0},
		"less than fits":     {5, []string{"ab", "c"}, "abc", 0},
		"just what fits":     {5, []string{"ab", "cde"}, "abcde", 0},
		"more, in one write": {5, []string{"abcdefgh"}, "abcde", 3},
		"more, in several":   {5, []string{"abcd", "efgh", "ij"}, "abcde", 5},
		"none is kept":       {0, []string{"ab", "c"}, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := New(row.max)
			for _, w := range row.writes {
				n, err := io.Copy(b, strings.NewReader(w))
				require.NoError(t, err)
				require.EqualValues(t, len(w), n)
			}
			data, cut := b.Bytes()
			require.Equal(t, row.want, string(data))
			require.Equal(t, row.cut, cut)
			if len(data) > 0 {
				data[0] = 'X'
				again, _ := b.Bytes()
				require.Equal(t, row.want, string(again))
			}
		})
	}
}
