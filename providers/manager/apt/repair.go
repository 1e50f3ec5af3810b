package apt

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
)

// Repair implements [manager.Repairer]: it ends what dpkg was interrupted in. What cannot be mended is seen by whoever looks afterwards.
func (m *machine) Repair(ctx context.Context) error {
	res, err := m.Run(ctx, transport.Command{Argv: []string{"dpkg", "--force-confdef", "--force-confold", "--status-fd", "1", "--configure", "-a"}})
	if err == nil {
		if said := Classify(res); patch.FaultOf(said) == patch.Busy || patch.FaultOf(said) == patch.DiskFull {
			err = said
		}
	}
	var s *manager.Sight
	if err == nil {
		s, err = m.Look(ctx)
	}
	if err == nil && m.again(ctx, s) {
		s, err = m.Look(ctx)
	}
	if err == nil && (s.Wrong != nil || m.Ready(ctx) != nil) {
		err = m.complete(ctx)
		// Where a script does not come to its end, what dpkg has written beside its database is still taken into that.
		if _, folded := m.Run(ctx, transport.Command{Argv: []string{"dpkg", "--set-selections"}}); err == nil {
			err = folded
		}
	}
	return err
}

// Clean implements [manager.Cleaner]: the archives that apt has fetched go.
func (m *machine) Clean(ctx context.Context) error {
	_, err := m.run(ctx, m.apt("clean", nil))
	return err
}

// again unpacks packages again that dpkg was interrupted in unpacking, which apt does not, in the version that dpkg has written
// down. It says whether there were any. Those whose file is nowhere stay as they are.
func (m *machine) again(ctx context.Context, s *manager.Sight) bool {
	var files []string
	for _, d := range damaged(s.Wrong) {
		unpack := strings.HasSuffix(d.State, "half-installed") || strings.HasPrefix(d.State, "reinst-required")
		c := manager.Change{Name: d.Name, Arch: d.Arch, From: d.Version, To: d.Version, Damaged: true}
		if unpack && m.Check(c) == nil && m.Keep(ctx, c) == nil {
			files = append(files, m.Kept(d.Name, d.Version, d.Arch))
		}
	}
	if len(files) == 0 {
		return false
	}
	_, err := m.run(ctx, transport.Command{Argv: append([]string{"dpkg", "--force-confdef", "--force-confold", "--status-fd", "1", "--install", "--"}, files...)})
	return err == nil || !unseen(err)
}

// complete installs what is missing of what others depend on. What is there is not to go.
func (m *machine) complete(ctx context.Context) error {
	fix := []string{"-f", "--no-remove", "-oAPT::Status-Fd=1"}
	res, err := m.Run(ctx, m.apt("install", append([]string{"-s"}, fix...)))
	if err != nil || !res.OK() {
		return err
	}
	if moves, err := readMoves(res.Stdout); err != nil || slices.ContainsFunc(moves, func(v manager.Move) bool { return v.Remove }) {
		return err
	}
	_, err = m.Run(ctx, m.apt("install", fix))
	return err
}

// unseen says whether err leaves open what became of a command.
func unseen(err error) bool {
	return errors.Is(err, transport.ErrUnknownOutcome) || patch.FaultOf(err) == patch.Unreachable
}

// Altered implements [manager.Prover]: a file of packages that has another sum than it was installed with, or is not there. dpkg ends with 0 for it.
// Files that many systems leave out on purpose, and those for configuration, are not looked at.
func (m *machine) Altered(ctx context.Context, changes []manager.Change) (string, error) {
	res, err := m.run(ctx, transport.Command{Argv: append([]string{"dpkg", "--verify", "--"}, names(changes)...)})
	if err != nil && len(res.Stdout) == 0 {
		return "", err
	}
	for line := range strings.Lines(string(res.Stdout)) {
		line = strings.TrimRight(line, "\n")
		what, path, ok := strings.Cut(line, " /")
		if !ok || strings.HasSuffix(strings.TrimSpace(what), " c") {
			continue
		}
		if strings.HasPrefix(what, "??5") {
			return "/" + path + " was altered", nil
		}
		spare := slices.ContainsFunc([]string{"usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/"}, func(p string) bool {
			return strings.HasPrefix(path, p)
		})
		if strings.HasPrefix(what, "missing") && !spare {
			return "/" + path + " is missing", nil
		}
	}
	return "", nil
}
