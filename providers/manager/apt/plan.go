package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A move is a line of apt-get -s: "Inst jq [1.6-2] (1.6-3 Debian:12/oldstable [amd64])", "Remv jq [1.6-2]".
type move struct {
	remove   bool
	name     string
	arch     string // "" with Remv
	from, to string
}

// readMoves reads what apt-get -s would do. Lines that are not understood are an error: nothing is done by half a plan.
func readMoves(stdout []byte) ([]move, error) {
	var moves []move
	for line := range strings.Lines(string(stdout)) {
		line = strings.TrimRight(line, "\r\n")
		verb, rest, _ := strings.Cut(line, " ")
		if verb != "Inst" && verb != "Remv" && verb != "Purg" {
			continue
		}
		wrong := fmt.Errorf("apt: plan: %.200q is not understood: %w", line, patch.ErrPermanent)
		m := move{remove: verb != "Inst"}
		m.name, rest, _ = strings.Cut(rest, " ")
		m.name, _, _ = strings.Cut(m.name, ":")
		if old, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(old, "[") {
			m.from, rest = old[1:], strings.TrimPrefix(after, " ")
		}
		if !m.remove {
			// What is in parentheses begins with the version and ends with the architecture.
			inner, _, ok := strings.Cut(rest, ")")
			if !ok || !strings.HasPrefix(inner, "(") || !strings.HasSuffix(inner, "]") {
				return nil, wrong
			}
			words := strings.Fields(inner[1:])
			if len(words) < 2 || !strings.HasPrefix(words[len(words)-1], "[") {
				return nil, wrong
			}
			m.to = words[0]
			m.arch = strings.Trim(words[len(words)-1], "[]")
		}
		if CheckName(m.name) != nil {
			return nil, wrong
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// compare returns an error if moves are not exactly the changes. With additions, packages may be installed beside them that
// were not there.
func compare(changes []change, moves []move, additions bool) error {
	refuse := func(what string) error {
		return fmt.Errorf("apt: refused: apt would %s, which was not asked for: %w", what, patch.ErrPermanent)
	}
	done := make([]bool, len(changes))
	for _, m := range moves {
		if m.remove {
			return refuse("remove " + m.name + " " + m.from)
		}
		// A package of all architectures may become one of one, and the other way round.
		at := slices.IndexFunc(changes, func(c change) bool {
			return c.name == m.name && (c.arch == m.arch || c.arch == "all" || m.arch == "all")
		})
		switch {
		case at < 0 && m.from == "" && additions:
		case at < 0 && m.from == "":
			return refuse("install " + m.name + " " + m.to + " too")
		case at < 0:
			return refuse("change " + m.name + " from " + m.from + " to " + m.to + " too")
		case m.to != changes[at].to:
			return refuse("install " + m.to + " of " + m.name + " instead of " + changes[at].to)
		case done[at]:
			return refuse("install " + m.name + " twice")
		default:
			done[at] = true
		}
	}
	for i, c := range changes {
		if !done[i] && !c.damaged {
			return fmt.Errorf("apt: refused: apt would not install %s %s: %w", c.name, c.to, patch.ErrPermanent)
		}
	}
	return nil
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

func installs(changes []change) (args []string) {
	for _, c := range changes {
		args = append(args, c.arg())
	}
	return args
}

// run runs a command of apt or dpkg and classifies how it has ended.
func (m *machine) run(ctx context.Context, c transport.Command) (transport.Result, error) {
	res, err := m.Run(ctx, c)
	if err == nil {
		err = Classify(res)
	}
	return res, err
}

// planned returns nil if apt would do exactly the changes, with files that the content allows. Where the indices lack a version
// they are fetched again.
func (m *machine) planned(ctx context.Context, changes []change) error {
	err := m.simulate(ctx, installs(changes), changes, m.Additions)
	if errors.Is(err, errNotOffered) {
		if fresh := m.refresh(ctx); fresh != nil {
			return fmt.Errorf("%w (%v)", fresh, err)
		}
		err = m.simulate(ctx, installs(changes), changes, m.Additions)
	}
	if err == nil {
		err = m.sums(ctx, changes)
	}
	return err
}

func (m *machine) simulate(ctx context.Context, args []string, changes []change, additions bool, options ...string) error {
	res, err := m.run(ctx, m.apt("install", append([]string{"-s"}, options...), args...))
	if err != nil {
		return fmt.Errorf("apt: plan: %w", err)
	}
	if res.StdoutCut > 0 {
		return fmt.Errorf("apt: plan: it is too long: %w", patch.ErrPermanent)
	}
	moves, err := readMoves(res.Stdout)
	if err != nil {
		return err
	}
	return compare(changes, moves, additions)
}

// sums compares the hashes that the signed indices have with those that the content allows.
func (m *machine) sums(ctx context.Context, changes []change) error {
	for _, c := range changes {
		if len(c.sums) == 0 {
			continue
		}
		res, err := m.run(ctx, transport.Command{Argv: []string{"apt-cache", "--no-all-versions", "show", "--", c.arg()}})
		if err != nil {
			return fmt.Errorf("apt: hash of %s: %w", c.name, err)
		}
		stanza, err := deb822.NewReader(bytes.NewReader(res.Stdout), deb822.Config{Fields: []string{"SHA256"}}).Next()
		if err != nil {
			return fmt.Errorf("apt: hash of %s: %w: %w", c.name, err, patch.ErrPermanent)
		}
		if sum := stanza.Text(0); !slices.Contains(c.sums, sum) {
			return fmt.Errorf("apt: %s %s: the archive offers the file with SHA-256 %q, wanted is %s: %w", c.name, c.to, sum, strings.Join(c.sums, " or "), patch.ErrUntrusted)
		}
	}
	return nil
}

// refresh fetches the indices. Without --error-on=any apt-get takes what it cannot have for fresh.
func (m *machine) refresh(ctx context.Context) error {
	if _, err := m.run(ctx, m.apt("update", []string{"--error-on=any"})); err != nil {
		return fmt.Errorf("apt: update: %w", err)
	}
	return nil
}

// ready returns nil when nobody else works with apt or dpkg and dpkg was not interrupted.
func (m *machine) ready(ctx context.Context) error {
	_, err := m.run(ctx, m.apt("check", nil))
	return err
}

func (m *machine) download(ctx context.Context, changes []change) error {
	if _, err := m.run(ctx, m.apt("install", []string{"-d", "--no-remove", "-oAPT::Status-Fd=1"}, installs(changes)...)); err != nil {
		return fmt.Errorf("apt: download: %w", err)
	}
	return nil
}

// mark keeps apt's own marks: "hold", "unhold", "auto". apt-mark ends with 0 for packages that it does not know.
func (m *machine) mark(ctx context.Context, how string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	if _, err := m.run(ctx, transport.Command{Argv: append([]string{"apt-mark", how, "--"}, names...)}); err != nil {
		return fmt.Errorf("apt: %s: %w", how, err)
	}
	return nil
}

// automatic returns which of names were installed because others depend on them.
func (m *machine) automatic(ctx context.Context, names []string) ([]string, error) {
	res, err := m.run(ctx, transport.Command{Argv: append([]string{"apt-mark", "showauto", "--"}, names...)})
	if err != nil {
		return nil, fmt.Errorf("apt: %w", err)
	}
	return strings.Fields(string(res.Stdout)), nil
}

// bring fetches what an installation of c would need.
func (m *machine) bring(ctx context.Context, c rollout.Content) error {
	s, err := m.look(ctx)
	if err != nil {
		return err
	}
	changes, err := s.changes(c)
	if patch.FaultOf(err).Done() {
		return nil
	}
	if err == nil {
		err = m.planned(ctx, changes)
	}
	if err != nil {
		return err
	}
	return m.download(ctx, changes)
}
