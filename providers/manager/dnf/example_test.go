package dnf_test

import (
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/dnf"
	"github.com/patchflow/patchflow/providers/transport"
)

func ExampleClassify() {
	for _, r := range []transport.Result{
		{Ended: true, Code: 200, Stderr: []byte("RPMDB already locked by 4711\n")},
		{Ended: true, Code: 1, Stderr: []byte("Error: GPG check FAILED\n")},
		{Ended: true, Code: 1, Stderr: []byte("Curl error (7): Couldn't connect to server\n")},
	} {
		fmt.Println(patch.FaultOf(dnf.Classify(r)))
	}
	// Output:
	// busy
	// untrusted
	// transient
}
