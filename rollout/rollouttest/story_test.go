package rollouttest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout/rollouttest"
)

func TestStories(t *testing.T) {
	paths, err := filepath.Glob("testdata/stories/*.story")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".story"), func(t *testing.T) {
			rollouttest.RunStory(t, path, flag.Lookup("update").Value.String() == "true")
		})
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the indented lines of the stories")
	flag.String("record", "", "write the journals of this version into this new folder of testdata/journals")
	flag.Parse()
	code := m.Run()
	fmt.Println(all.points)
	if missed := pointsMissed(all.crashes); code == 0 && missed != "" {
		fmt.Println(missed)
		code = 1
	}
	os.Exit(code)
}
