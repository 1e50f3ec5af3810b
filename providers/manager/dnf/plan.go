package dnf

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
)

// readMoves reads the table of what dnf would do. Each section has a title, "Upgrading:", and rows of name, architecture, version,
// repository and size, which may go on in the next line; obsoleted packages stand below as "replacing jq.noarch 1.0-1". What is not
// understood is an error: nothing is done by half a plan.
func readMoves(stdout []byte) ([]manager.Move, error) {
	_, table, found := strings.Cut(string(stdout), "\nDependencies resolved.\n")
	if !found {
		if table, found = strings.CutPrefix(string(stdout), "Dependencies resolved.\n"); !found {
			return nil, nil
		}
	}
	table, _, found = strings.Cut(table, "\nTransaction Summary\n")
	if !found {
		return nil, nil // there is nothing to do
	}
	var moves []manager.Move
	var words []string
	remove, skip, section := false, false, ""
	take := func() error {
		for len(words) > 0 {
			if words[0] == "replacing" {
				name, _, ok := cutLast(at(words, 1), ".")
				if !ok || len(words) < 3 {
					return fmt.Errorf("%.200q is not understood: %w", strings.Join(words, " "), patch.ErrPermanent)
				}
				moves = append(moves, manager.Move{Remove: true, Name: name, From: words[2]})
				words = words[3:]
				continue
			}
			m := manager.Move{Name: at(words, 0), Arch: at(words, 1), To: at(words, 2), Remove: remove}
			g := grammar.RPM("dnf")
			if len(words) < 6 || g.CheckName(m.Name) != nil || g.CheckArch(m.Arch) != nil || g.CheckVersion(m.To) != nil {
				return fmt.Errorf("%.200q is not understood: %w", strings.Join(words, " "), patch.ErrPermanent)
			}
			if remove {
				m.From, m.To = m.To, ""
			}
			if !skip {
				moves = append(moves, m)
			}
			words = words[6:] // the size has two: "6.0 k"
		}
		return nil
	}
	for line := range strings.Lines(table) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" || strings.HasPrefix(line, "==="), strings.HasPrefix(line, " Package "):
		case strings.HasPrefix(line, " ") && section != "":
			words = append(words, strings.Fields(line)...)
		case !strings.HasPrefix(line, " "):
			if err := take(); err != nil {
				return nil, err
			}
			section, remove, skip = line, false, false
			switch {
			case strings.HasPrefix(line, "Removing"):
				remove = true
			case strings.HasPrefix(line, "Skipping"):
				skip = true
			case strings.HasPrefix(line, "Installing"), strings.HasPrefix(line, "Upgrading"), strings.HasPrefix(line, "Downgrading"), strings.HasPrefix(line, "Reinstalling"):
			default:
				return nil, fmt.Errorf("%.200q is not understood: %w", line, patch.ErrPermanent)
			}
		default:
			return nil, fmt.Errorf("%.200q is not understood: %w", line, patch.ErrPermanent)
		}
	}
	if err := take(); err != nil {
		return nil, err
	}
	return moves, nil
}

func at(words []string, i int) string {
	if i < len(words) {
		return words[i]
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
