package patchflow_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
)

// block returns the text of the first fenced block after a marker.
func block(t *testing.T, text, marker, fence string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, marker)
	require.True(t, found, "README.md has no %q", marker)
	_, rest, found = strings.Cut(rest, fence+"\n")
	require.True(t, found)
	body, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	return body
}

func TestReadmeShowsAPolicyThatCanBeRead(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	p, err := policy.Decode(strings.NewReader(block(t, string(readme), "a misspelt field", "```yaml")), "README.md")
	require.NoError(t, err)
	require.Len(t, p.Rings, 3)
}

// What README.md shows as output is what the program prints, line by line; dots stand for what is left out.
func TestReadmeShowsWhatTheQuickstartPrints(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	golden, err := os.ReadFile("examples/quickstart/testdata/quickstart.golden")
	require.NoError(t, err)
	shown := block(t, string(readme), "as the first of these prints it", "```")
	rest := strings.ReplaceAll(string(golden), "\r\n", "\n")
	for part := range strings.SplitSeq(shown, "...\n") {
		part = strings.Trim(part, "\n")
		_, after, found := strings.Cut(rest, part+"\n")
		require.True(t, found, "the program does not print, after what is shown before it:\n%s", part)
		rest = after
	}
}
