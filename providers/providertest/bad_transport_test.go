package providertest

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/providers/transport/local"
)

// The transport to this machine is the one that the suite knows.
func TestKnownTransport(t *testing.T) { Transport(t, transportHarness(nil)) }

type runFunc = func(ctx context.Context, c transport.Command) (transport.Result, error)

// transportHarness gives a transport whose Run is bad, if there is one, made from the good one.
func transportHarness(bad func(good runFunc) runFunc) TransportHarness {
	return TransportHarness{New: func(*testing.T) transport.Transport {
		good := local.New(local.Config{})
		if bad == nil {
			return good
		}
		return transport.Func(bad(good.Run))
	}}
}

func badTransports() []badProvider {
	var all []badProvider
	add := func(name, breaks string, bad func(good runFunc) runFunc) {
		all = append(all, badProvider{"transport that " + name, "Transport", "Run/" + breaks, func(t *testing.T) { Transport(t, transportHarness(bad)) }})
	}
	// changes is a transport that changes the command.
	changes := func(f func(c *transport.Command)) func(runFunc) runFunc {
		return func(good runFunc) runFunc {
			return func(ctx context.Context, c transport.Command) (transport.Result, error) {
				if c.Check() == nil {
					f(&c)
				}
				return good(ctx, c)
			}
		}
	}
	// tells is a transport that changes what it tells.
	tells := func(f func(c transport.Command, r *transport.Result, err *error)) func(runFunc) runFunc {
		return func(good runFunc) runFunc {
			return func(ctx context.Context, c transport.Command) (transport.Result, error) {
				r, err := good(ctx, c)
				f(c, &r, &err)
				return r, err
			}
		}
	}
	add("takes blanks off arguments", "arguments arrive as they are", changes(func(c *transport.Command) {
		c.Argv = slices.Clone(c.Argv)
		for i, arg := range c.Argv {
			if i > 3 {
				c.Argv[i] = strings.TrimSpace(arg)
			}
		}
	}))
	add("gives half of the input", "the input is read to its end", changes(func(c *transport.Command) { c.Stdin = c.Stdin[:len(c.Stdin)/2] }))
	add("fails where nobody reads", "an input that is not read is no failure", tells(func(c transport.Command, _ *transport.Result, err *error) {
		if len(c.Stdin) > 1<<19 {
			*err = errors.New("broken pipe")
		}
	}))
	add("leaves the environment out", "variables are added to the environment", changes(func(c *transport.Command) { c.Env = nil }))
	add("runs everything where it is", "the command begins in its folder", changes(func(c *transport.Command) {
		if !strings.HasSuffix(c.Dir, "/none") {
			c.Dir = ""
		}
	}))
	add("does without the folder", "a folder that is not there is an error", changes(func(c *transport.Command) {
		if strings.HasSuffix(c.Dir, "/none") {
			c.Dir = ""
		}
	}))
	add("joins the outputs", "the outputs are kept apart", tells(func(c transport.Command, r *transport.Result, _ *error) {
		if c.MaxStderr == 0 && r.Code == 0 {
			r.Stdout = append(r.Stdout, r.Stderr...)
		}
	}))
	add("does not count", "an output beyond its bound is counted", tells(func(_ transport.Command, r *transport.Result, _ *error) { r.StdoutCut, r.StderrCut = 0, 0 }))
	add("fails with the command", "an exit code is no error", tells(func(_ transport.Command, r *transport.Result, err *error) {
		if r.Code == 255 {
			*err = errors.New("exit code 255")
		}
	}))
	add("takes a signal for code 0", "a signal is not success", tells(func(_ transport.Command, r *transport.Result, _ *error) {
		if r.Signal != "" {
			r.Code, r.Signal = 0, ""
		}
	}))
	add("has no code for what is not there", "a program that is not there is code 127", tells(func(_ transport.Command, r *transport.Result, _ *error) {
		if r.Code == 127 {
			r.Code = 1
		}
	}))
	add("cleans a command", "a bad command is refused", func(good runFunc) runFunc {
		return func(ctx context.Context, c transport.Command) (transport.Result, error) {
			if c.Dir == "tmp" {
				c.Dir = ""
			}
			return good(ctx, c)
		}
	})
	add("stops nothing", "a command that is cancelled is stopped with its children", func(good runFunc) runFunc {
		return func(ctx context.Context, c transport.Command) (transport.Result, error) {
			if len(c.Argv) < 3 || !strings.HasPrefix(c.Argv[2], "sleep 60") {
				return good(ctx, c)
			}
			// The process of the command is killed, and not what it has started.
			err := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...).Run()
			return transport.Result{}, errors.Join(err, ctx.Err())
		}
	})
	add("begins when all is over", "nothing is run when ctx has ended", func(good runFunc) runFunc {
		return func(ctx context.Context, c transport.Command) (transport.Result, error) {
			if err := ctx.Err(); err != nil {
				_, again := good(context.WithoutCancel(ctx), c)
				return transport.Result{}, errors.Join(err, again)
			}
			return good(ctx, c)
		}
	})
	add("tries again", "a command that fails runs once", func(good runFunc) runFunc {
		return func(ctx context.Context, c transport.Command) (transport.Result, error) {
			r, err := good(ctx, c)
			if r.Code == 75 {
				return good(ctx, c)
			}
			return r, err
		}
	})
	add("mixes calls up", "calls run at once", func(good runFunc) runFunc {
		var mu sync.Mutex
		var last transport.Result
		return func(ctx context.Context, c transport.Command) (transport.Result, error) {
			r, err := good(ctx, c)
			if len(c.Argv) > 2 && strings.HasPrefix(c.Argv[2], `printf "%s" "$1"; exit`) {
				mu.Lock()
				defer mu.Unlock()
				last, r = r, last
			}
			return r, err
		}
	})
	return all
}
