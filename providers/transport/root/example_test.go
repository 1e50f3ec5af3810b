package root_test

import (
	"context"
	"fmt"

	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/root"
)

// What reaches the machine is printed here instead of run.
func Example() {
	machine := transport.Func(func(_ context.Context, c transport.Command) (transport.Result, error) {
		fmt.Println(c)
		return transport.Result{Ended: true}, nil
	})
	image, err := root.New(root.Config{Dir: "/mnt/image", On: machine})
	if err != nil {
		fmt.Println(err)
		return
	}
	image.Run(context.Background(), transport.Command{Argv: []string{"rpm", "-qa"}})
	_, err = image.Run(context.Background(), transport.Command{Argv: []string{"systemctl", "reboot"}})
	fmt.Println(err)
	// Output:
	// rpm --root /mnt/image -qa
	// root: systemctl reboot: no options are known that make it work on /mnt/image: permanent failure
}
