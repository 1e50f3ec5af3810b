package zypper_test

import (
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/zypper"
	"github.com/patchflow/patchflow/providers/transport"
)

func ExampleClassify() {
	for _, r := range []transport.Result{
		{Ended: true, Code: 7},
		{Ended: true, Code: 102},
		{Ended: true, Code: 107},
		{Ended: true, Code: 4, Stdout: []byte("<stream><message type='error'>Signature verification failed for repomd.xml</message></stream>")},
	} {
		err := zypper.Classify(r)
		if err == nil {
			fmt.Println("it has ended well")
			continue
		}
		fmt.Println(patch.FaultOf(err))
	}
	// Output:
	// busy
	// it has ended well
	// permanent
	// untrusted
}
