package ssh_test

import (
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport/ssh"
)

// A device behind a jump host. Nothing is dialled yet.
func Example() {
	bastion, err := ssh.New(ssh.Config{
		Addr: "bastion.example.com", User: "patch", KeyFiles: []string{"id_ed25519"},
		HostKeys: []string{"SHA256:jgf6yLgOGLxKQJHLXBCkwBMWnDqSPTcbgqvfjXCBBVQ"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bastion.Close()
	device := ssh.Config{Addr: "10.0.0.7", User: "patch", KeyFiles: []string{"id_ed25519"}, Dial: bastion.DialContext}
	_, err = ssh.New(device)
	fmt.Println(err)
	fmt.Println(patch.FaultOf(err))
	device.KnownHosts = []string{"known_hosts"}
	d, err := ssh.New(device)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	fmt.Println(d.Addr)
	// Output:
	// ssh: config: there is neither a file of known hosts nor a host key: permanent failure
	// permanent
	// 10.0.0.7:22
}
