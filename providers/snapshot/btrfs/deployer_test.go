package btrfs

import (
	"path/filepath"
	"testing"

	"github.com/patchflow/patchflow/internal/snapshottest"
	"github.com/patchflow/patchflow/providers/transport/local"
)

func TestADeviceIsTakenBackToItsSnapshot(t *testing.T) {
	top, _ := bed(t)
	snapshottest.TakenBack(t, filepath.Join(top, "@"), states(t, top, local.New(local.Config{})))
}
