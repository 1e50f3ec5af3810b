package apt

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
)

// readMoves reads what apt-get -s would do: "Inst jq [1.6-2] (1.6-3 Debian:12/oldstable [amd64])", "Remv jq [1.6-2]". Lines that are not understood are an error: nothing is done by half a plan.
func readMoves(stdout []byte) ([]manager.Move, error) {
	var moves []manager.Move
	for line := range strings.Lines(string(stdout)) {
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		if verb != "Inst" && verb != "Remv" && verb != "Purg" {
			continue
		}
		wrong := fmt.Errorf("apt: plan: %.200q is not understood: %w", line, patch.ErrPermanent)
		m := manager.Move{Remove: verb != "Inst"}
		m.Name, rest, _ = strings.Cut(rest, " ")
		m.Name, _, _ = strings.Cut(m.Name, ":")
		if old, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(old, "[") {
			m.From, rest = old[1:], strings.TrimPrefix(after, " ")
		}
		if !m.Remove {
			// What is in parentheses begins with the version and ends with the architecture.
			inner, _, ok := strings.Cut(rest, ")")
			if !ok || !strings.HasPrefix(inner, "(") || !strings.HasSuffix(inner, "]") {
				return nil, wrong
			}
			words := strings.Fields(inner[1:])
			if len(words) < 2 || !strings.HasPrefix(words[len(words)-1], "[") {
				return nil, wrong
			}
			m.To = words[0]
			m.Arch = strings.Trim(words[len(words)-1], "[]")
		}
		if CheckName(m.Name) != nil {
			return nil, wrong
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// apt returns the command line of apt-get with options that keep it from asking: configuration files that somebody has changed
// stay as they are.
func (m *machine) apt(verb string, options []string, args ...string) transport.Command {
	argv := []string{"apt-get", "-y", "-q", "-oDpkg::Use-Pty=0",
		"-oDpkg::Options::=--force-confdef", "-oDpkg::Options::=--force-confold",
		"-oDPkg::Lock::Timeout=" + fmt.Sprint(max(int(m.Lock.Seconds()), 0))}
	argv = append(argv, options...)
	argv = append(argv, verb)
	if len(args) > 0 {
		argv = append(append(argv, "--"), args...)
	}
	return transport.Command{Argv: argv, MaxStdout: 8 << 20, MaxStderr: 1 << 20}
}

// arg is a change as apt-get takes it.
func arg(c manager.Change) string {
	if c.Arch == "all" || c.Arch == "" {
		return c.Name + "=" + c.To
	}
	return c.Name + ":" + c.Arch + "=" + c.To
}

// install returns the options and arguments of apt-get install for j.
func (m *machine) install(j manager.Job) (options, args []string) {
	options = []string{"--no-remove", "-oAPT::Status-Fd=1"}
	if j.Back {
		options = append(options, "--allow-downgrades")
	}
	for _, c := range j.Changes {
		if j.Back {
			args = append(args, m.Kept(c.Name, c.To, c.Arch))
		} else {
			args = append(args, arg(c))
		}
	}
	return options, args
}

func names(changes []manager.Change) (names []string) {
	for _, c := range changes {
		name := c.Name
		if c.Arch != "all" && c.Arch != "" {
			name += ":" + c.Arch
		}
		names = append(names, name)
	}
	return names
}

// run runs a command of apt or dpkg and classifies how it has ended.
func (m *machine) run(ctx context.Context, c transport.Command) (transport.Result, error) {
	res, err := m.Run(ctx, c)
	if err == nil {
		err = Classify(res)
	}
	return res, err
}

// Plan implements [manager.Tool].
func (m *machine) Plan(ctx context.Context, j manager.Job) ([]manager.Move, error) {
	options := []string{"-s"}
	wish, args := m.install(j)
	if j.Back {
		options = append(options, wish...)
	}
	res, err := m.run(ctx, m.apt("install", options, args...))
	if err != nil {
		return nil, err
	}
	if res.StdoutCut > 0 {
		return nil, fmt.Errorf("it is too long: %w", patch.ErrPermanent)
	}
	return readMoves(res.Stdout)
}

// Carry implements [manager.Tool]. Packages that were installed for others are marked so again, which apt forgets when it is told to
// install them. That it cannot changes no version.
func (m *machine) Carry(ctx context.Context, j manager.Job) error {
	automatic, err := m.automatic(ctx, names(j.Changes))
	if err != nil {
		return err
	}
	options, args := m.install(j)
	_, err = m.run(ctx, m.apt("install", options, args...))
	_ = m.mark(ctx, "auto", automatic)
	return err
}

// Sum implements [manager.Fetcher] by what the signed indices say.
func (m *machine) Sum(ctx context.Context, c manager.Change) (string, error) {
	res, err := m.run(ctx, transport.Command{Argv: []string{"apt-cache", "--no-all-versions", "show", "--", arg(c)}})
	if err != nil {
		return "", err
	}
	stanza, err := deb822.NewReader(bytes.NewReader(res.Stdout), deb822.Config{Fields: []string{"SHA256"}}).Next()
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	}
	return stanza.Text(0), nil
}

// Refresh implements [manager.Fetcher]. Without --error-on=any apt-get takes what it cannot have for fresh.
func (m *machine) Refresh(ctx context.Context) error {
	_, err := m.run(ctx, m.apt("update", []string{"--error-on=any"}))
	return err
}

// Ready implements [manager.Tool].
func (m *machine) Ready(ctx context.Context) error {
	_, err := m.run(ctx, m.apt("check", nil))
	return err
}

// Download implements [manager.Fetcher].
func (m *machine) Download(ctx context.Context, changes []manager.Change) error {
	options, args := m.install(manager.Job{Changes: changes})
	_, err := m.run(ctx, m.apt("install", append([]string{"-d"}, options...), args...))
	return err
}

// Hold implements [manager.Holder].
func (m *machine) Hold(ctx context.Context, held bool, names []string) error {
	if held {
		return m.mark(ctx, "hold", names)
	}
	return m.mark(ctx, "unhold", names)
}

// mark keeps apt's own marks: "hold", "unhold", "auto". apt-mark ends with 0 for packages that it does not know.
func (m *machine) mark(ctx context.Context, how string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	_, err := m.run(ctx, transport.Command{Argv: append([]string{"apt-mark", how, "--"}, names...)})
	return err
}

// automatic returns which of names were installed because others depend on them.
func (m *machine) automatic(ctx context.Context, names []string) ([]string, error) {
	res, err := m.run(ctx, transport.Command{Argv: append([]string{"apt-mark", "showauto", "--"}, names...)})
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(res.Stdout)), nil
}
