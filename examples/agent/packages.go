package main

import (
	"context"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/providers/manager/apt"
	"github.com/patchflow/patchflow/providers/transport/local"
	folder "github.com/patchflow/patchflow/providers/transport/root"
	"github.com/patchflow/patchflow/rollout"
)

// openApt returns what apt can do on the system that runs, as root, or for a folder, with the rights that the agent has.
func openApt(root string) (rollout.Deployer, error) {
	device := apt.Device{To: local.New(local.Config{}), Root: root, User: root != ""}
	if root != "" {
		options := folder.Options(root)
		options["sh"] = nil // its scripts are told of the folder
		var err error
		if device.To, err = folder.New(folder.Config{Dir: root, On: device.To, Options: options}); err != nil {
			return nil, err
		}
	}
	return apt.New(apt.Config{Poll: time.Second, Reach: func(context.Context, inventory.Tenant, inventory.DeviceID) (apt.Device, error) {
		return device, nil
	}})
}
