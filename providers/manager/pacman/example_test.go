package pacman_test

import (
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/pacman"
	"github.com/patchflow/patchflow/providers/transport"
)

func ExampleClassify() {
	for _, r := range []transport.Result{
		{Ended: true, Code: 1, Stderr: []byte("error: failed to init transaction (unable to lock database)\n")},
		{Ended: true, Code: 1, Stderr: []byte("error: jq: signature from \"A\" is unknown trust\n")},
		{Ended: true, Code: 1, Stderr: []byte("error: failed retrieving file 'core.db' from a : Could not resolve host: a\n")},
	} {
		fmt.Println(patch.FaultOf(pacman.Classify(r)))
	}
	// Output:
	// busy
	// untrusted
	// transient
}
