package flatpak_test

import (
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/flatpak"
	"github.com/patchflow/patchflow/providers/transport"
)

func ExampleClassify() {
	for _, r := range []transport.Result{
		{Ended: true, Code: 1, Stderr: []byte("Error: Failed to update org.gnome.Maps: Not enough disk space to complete this operation\n")},
		{Ended: true, Code: 1, Stderr: []byte("Error: Failed to update org.gnome.Maps: While pulling app/org.gnome.Maps/x86_64/stable from remote flathub: GPG verification enabled, but no signatures found\n")},
		{Ended: true, Code: 1, Stderr: []byte("error: org.gnome.Maps/x86_64/stable not installed\n")},
	} {
		fmt.Println(patch.FaultOf(flatpak.Classify(r)))
	}
	// Output:
	// disk-full
	// untrusted
	// not-applicable
}
