package apk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
)

// world is the list of what is wished for. remembered holds the wishes that are to stand there again, while an installation runs.
const (
	world      = "etc/apk/world"
	remembered = "var/lib/patchflow/world"
)

// nameOf returns the package that a wish is for: "lamp" of "lamp=1.6-r0", "lamp@edge" and "lamp~1".
func nameOf(wish string) string {
	if i := strings.IndexAny(wish, "=<>~@"); i > 0 {
		return wish[:i]
	}
	return wish
}

// wishes returns the wishes by the packages that they are for.
func wishes(text []byte) map[string]string {
	all := make(map[string]string)
	for _, wish := range strings.Fields(string(text)) {
		all[nameOf(wish)] = wish
	}
	return all
}

const rememberScript = `umask 077
mkdir -p "$1/var/lib/patchflow" || exit 1
f=$1/var/lib/patchflow/world
take "$f.new" && { sync "$f.new" 2>/dev/null || sync; } && mv "$f.new" "$f"`

// remember writes down what stands of changes in the list of wishes: "lamp" and the wish, or the name alone where there is none.
func (m *machine) remember(ctx context.Context, changes []manager.Change) error {
	files, err := m.Files(ctx, world)
	if err != nil {
		return err
	}
	now := wishes(files[world])
	var lines strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&lines, "%s %s\n", c.Name, now[c.Name])
	}
	res, err := m.Script(ctx, rememberScript, []byte(lines.String()), m.Root())
	if err == nil {
		err = desk.Failed(res)
	}
	return err
}

const restoreScript = `f=$1/etc/apk/world
if [ -e "$f" ]; then
  take "$f.patchflow" && chmod 644 "$f.patchflow" && { sync "$f.patchflow" 2>/dev/null || sync; } && mv "$f.patchflow" "$f" || exit 1
fi
rm -f "$1/var/lib/patchflow/world"`

// restore makes wishes stand as they were remembered, and leaves all others. Second calls change nothing.
func (m *machine) restore(ctx context.Context) error {
	files, err := m.Files(ctx, remembered, world)
	if err != nil || len(files[remembered]) == 0 {
		return err
	}
	list := strings.Fields(string(files[world]))
	for line := range strings.Lines(string(files[remembered])) {
		words := strings.Fields(line)
		if len(words) == 0 || len(words) > 2 || !strings.HasSuffix(line, "\n") {
			return fmt.Errorf("apk: %s: the line %.100q is not understood: %w", remembered, line, patch.ErrCorrupt)
		}
		list = slices.DeleteFunc(list, func(wish string) bool { return nameOf(wish) == words[0] })
		list = append(list, words[1:]...)
	}
	slices.Sort(list)
	res, err := m.Script(ctx, restoreScript, []byte(strings.Join(list, "\n")+"\n"), m.Root())
	if err == nil {
		err = desk.Failed(res)
	}
	return err
}
