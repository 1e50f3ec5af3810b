package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// Old packages are kept in a folder of the ledger, under the names that apt gives them.

// file is the name of a package's file.
func file(name, version, arch string) string {
	return name + "_" + strings.ReplaceAll(version, ":", "%3a") + "_" + arch + ".deb"
}

func (m *machine) kept() string { return m.Folder() + "/kept" }

const keptScript = `umask 077
mkdir -p "$2" || exit 1
if [ -s "$2/$3" ]; then touch "$2/$3"; echo kept; exit 0; fi
if [ -s "$1/var/cache/apt/archives/$3" ]; then
  cp "$1/var/cache/apt/archives/$3" "$2/$3.new" && mv "$2/$3.new" "$2/$3" && echo kept
  exit
fi
echo none`

// The package is made anew of what it has installed, with its scripts, as dpkg-repack does. Folders that are links here,
// as /lib is, are left out: their files bring them.
const packScript = `umask 022
w=$2/pack.$$
trap 'rm -rf "$w" "$2/$3.new"' EXIT
mkdir -p "$w/DEBIAN" && cat >"$w/DEBIAN/control" || exit 1
i=$1/var/lib/dpkg/info n=$4
if [ -e "$i/$4:$5.list" ]; then n=$4:$5; fi
for f in preinst postinst prerm postrm config templates shlibs symbols triggers conffiles md5sums; do
  if [ -e "$i/$n.$f" ]; then cp -p "$i/$n.$f" "$w/DEBIAN/$f" || exit 1; fi
done
cd "$1/" || exit 1
while IFS= read -r f; do
  if [ "$f" = /. ]; then continue; fi
  if [ ! -e ".$f" ] && [ ! -L ".$f" ]; then echo "$f is missing" >&2; exit 3; fi
  if [ -L ".$f" ] && [ -d ".$f" ] && grep -qF -e "$f/" "$i/$n.list"; then continue; fi
  printf '.%s\n' "$f"
done <"$i/$n.list" >"$w.list" || { rm -f "$w.list"; exit 3; }
tar -c --no-recursion -T "$w.list" -f - | tar -x -p -f - -C "$w"
e=$?
rm -f "$w.list"
[ $e = 0 ] && dpkg-deb -Zgzip -b "$w" "$2/$3.new" >/dev/null && mv "$2/$3.new" "$2/$3"`

// The three that were used last are enough to go back.
const pruneScript = `cd "$1" 2>/dev/null || exit 0
ls -t -- "$2"_*_"$3.deb" 2>/dev/null | tail -n +4 | while IFS= read -r f; do rm -f -- "$f"; done`

// keep keeps the package that c replaces: from the cache of apt, from an archive that still offers it, or made anew.
func (m *machine) keep(ctx context.Context, c change) error {
	if err := c.check(); err != nil {
		return err
	}
	name := file(c.name, c.from, c.arch)
	res, err := m.Script(ctx, keptScript, nil, m.Root, m.kept(), name)
	if err == nil {
		err = Classify(res)
	}
	if err != nil || strings.TrimSpace(string(res.Stdout)) == "kept" {
		return wrap("keep "+name, err)
	}
	old := change{name: c.name, arch: c.arch, to: c.from}
	fetch := m.apt("download", nil, old.arg())
	fetch.Dir = m.kept()
	if _, err = m.run(ctx, fetch); err == nil {
		res, err = m.Script(ctx, keptScript, nil, m.Root, m.kept(), name)
		if err == nil && strings.TrimSpace(string(res.Stdout)) == "kept" {
			return nil
		}
	}
	if c.damaged {
		return fmt.Errorf("apt: keep %s: it is damaged and no archive has it: %w", name, patch.ErrPermanent)
	}
	return wrap("keep "+name, m.pack(ctx, c, name))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("apt: %s: %w", what, err)
}

// pack makes the package that is installed anew.
func (m *machine) pack(ctx context.Context, c change, name string) error {
	who := c.name
	if c.arch != "all" {
		who += ":" + c.arch
	}
	res, err := m.run(ctx, transport.Command{Argv: []string{"dpkg-query", "-s", "--", who}})
	if err != nil {
		return err
	}
	control, err := controlOf(res.Stdout)
	if err != nil {
		return err
	}
	res, err = m.Script(ctx, packScript, control, m.Root, m.kept(), name, c.name, c.arch)
	if err == nil {
		err = Classify(res)
	}
	if err != nil && patch.FaultOf(err) == patch.Transient && !errors.Is(err, transport.ErrUnknownOutcome) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	}
	return err
}

// controlOf leaves out of a stanza of dpkg's database what only the database has.
func controlOf(stanza []byte) ([]byte, error) {
	if _, err := deb822.NewReader(bytes.NewReader(stanza), deb822.Config{Fields: []string{"Package"}}).Next(); err != nil {
		return nil, fmt.Errorf("%w: %w", err, patch.ErrCorrupt)
	}
	var control []byte
	drop := false
	for line := range bytes.Lines(stanza) {
		if line[0] != ' ' && line[0] != '\t' {
			field, _, _ := strings.Cut(string(line), ":")
			drop = field == "Status" || field == "Conffiles" || field == "Config-Version" || len(bytes.TrimSpace(line)) == 0
		}
		if !drop {
			control = append(control, line...)
		}
	}
	return control, nil
}

const noteScript = `umask 077
mkdir -p "$1" && cat >>"$1/undo" && { sync "$1/undo" 2>/dev/null || sync; }`

// note writes down what changes replace, before they do.
func (m *machine) note(ctx context.Context, changes []change) error {
	var lines strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&lines, "%s %s %s %s\n", c.name, c.arch, c.from, c.to)
	}
	return wrap("undo", m.Do(ctx, "write", noteScript, []byte(lines.String()), m.Folder()))
}

// notes returns what was ever noted, oldest first. A line that is torn is none.
func (m *machine) notes(ctx context.Context) ([]change, error) {
	res, err := m.Script(ctx, `if [ -e "$1/undo" ]; then cat "$1/undo"; fi`, nil, m.Folder())
	if err == nil {
		err = Classify(res)
	}
	if err != nil {
		return nil, wrap("undo", err)
	}
	var changes []change
	for line := range strings.Lines(string(res.Stdout)) {
		words := strings.Fields(line)
		if len(words) != 4 || !strings.HasSuffix(line, "\n") {
			continue
		}
		if c := (change{name: words[0], arch: words[1], from: words[2], to: words[3]}); c.check() == nil {
			changes = append(changes, c)
		}
	}
	return changes, nil
}
