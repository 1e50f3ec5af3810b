// Agent shows the channel between a product and its devices when the devices call in: laptops behind a firewall, machines that
// wake up once a week. It has both ends. The console is the product's side: a server that hands out tasks and takes reports in, in front
// of a runner. The agent is the program on a device: it asks for work, writes down what it begins before it begins it, carries it
// out, and tells what became of it, across crashes and restarts.
//
//	go run ./examples/agent                    # a console and four agents on this machine
//	go run ./examples/agent -config agent.json # one agent, as it would run on a device
//
// Who may say what: an agent shows a certificate that names its device (mutual TLS), and a token that the console knows the hash of. Both
// must be those of one device, which then gets its own tasks and no others. What is installed is fetched by the hash that the plan has
// pinned, and checked before it takes the place of anything.
//
// console.go is what a vendor writes on the server, agent.go, restart.go and state.go what goes onto devices. What an agent can do there is a
// [rollout.Deployer]. Its file names one of two: "apt" is that of package apt, for the system that runs or one in a folder, and "programs"
// that of programs.go, which keeps programs that consist of one file. Any other serves as well. Restarts are the agent's own: it
// runs the command of its file, and when it comes back it tells by the boot whether the device was restarted.
//
// This is an agent for a Debian device with systemd, as the tests run it there:
//
//	{"console": "https://console.example:8443", "authority": "authority.pem", "certificate": "cert.pem", "key": "key.pem", "token": "...",
//	 "manager": "apt", "restart": ["systemctl", "reboot"], "state": "state.json", "every": "1m"}
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "agent:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	config := flags.String("config", "", "be the agent of this file, and not the demonstration")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *config == "" {
		return demonstrate(ctx, out)
	}
	a, err := newAgent(*config, out)
	if err != nil {
		return err
	}
	if err = a.run(ctx); errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.close())
}
