package nearest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/nearest"
)

func TestWord(t *testing.T) {
	known := []string{"maxActive", "maxFailed", "severity", "os", "id"}
	for word, want := range map[string]string{
		"severty": "severity", "max-active": "maxActive", "MAX_FAILED": "maxFailed", "maxActiv": "maxActive", "severities": "",
		"so": "", "osx": "", "": "", "something else": "",
	} {
		require.Equal(t, want, nearest.Word(word, known), word)
	}
	require.Empty(t, nearest.Word("severity", nil))
}
