package bookworm_test

import (
	"io"
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/bookworm"
	"github.com/patchflow/patchflow/internal/bounded"
)

func TestUpgradableIsWhatAptListed(t *testing.T) {
	upgrades, err := bookworm.Upgradable()
	require.NoError(t, err)
	require.Len(t, upgrades, 136)
	security := 0
	for _, u := range upgrades {
		require.NotEqual(t, u.From, u.To)
		require.Subset(t, bookworm.Origins(), u.Origins)
		if u.Security() {
			security++
		}
	}
	require.Equal(t, 81, security)
}

// The files hold what the README says and no word that somebody wrote: no mail address, no URL, no description.
func TestFilesHoldFactsOnly(t *testing.T) {
	field := regexp.MustCompile(`(?m)^([A-Z][A-Za-z0-9-]*):`)
	allowed := []string{"Package", "Status", "Architecture", "Multi-Arch", "Source", "Version", "Filename", "Size", "SHA256"}
	files, size := 0, int64(0)
	err := fs.WalkDir(bookworm.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		require.NoError(t, err)
		size += info.Size()
		files++
		f, err := bookworm.FS().Open(name)
		require.NoError(t, err)
		defer f.Close()
		r, err := bounded.NewReader(f, bounded.Limits{})
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err, name)
		require.NotEmpty(t, content, name)
		require.NotContains(t, string(content), "@", name)
		require.NotContains(t, string(content), "://", name)
		for _, m := range field.FindAllSubmatch(content, -1) {
			require.Contains(t, allowed, string(m[1]), name)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 6, files)
	require.Less(t, size, int64(300<<10))
}
