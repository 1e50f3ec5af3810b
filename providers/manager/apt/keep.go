package apt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/patchflow/patchflow/internal/deb822"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
)

// The package is made anew of what it has installed, with its scripts, as dpkg-repack does. Folders that are links here,
// as /lib is, are left out: their files bring them.
const packScript = `umask 022
w=$2/pack.$$
trap 'rm -rf "$w" "$2/$3.new"' EXIT
mkdir -p "$w/DEBIAN" && take "$w/DEBIAN/control" || exit 1
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

// Keep implements [manager.Keeper]: from the cache of apt, from an archive that still offers it, or made anew.
func (m *machine) Keep(ctx context.Context, c manager.Change) error {
	name := path.Base(m.Kept(c.Name, c.From, c.Arch))
	kept, err := m.Access.Keep(ctx, c, m.Root()+"/var/cache/apt/archives/"+name)
	if err != nil || kept {
		return err
	}
	fetch := m.apt("download", nil, arg(manager.Change{Name: c.Name, Arch: c.Arch, To: c.From}))
	fetch.Dir = m.Folder()
	if _, err = m.run(ctx, fetch); err == nil {
		if kept, err := m.Access.Keep(ctx, c); err == nil && kept {
			return nil
		}
	}
	if c.Damaged {
		return fmt.Errorf("it is damaged and no archive has it: %w", patch.ErrPermanent)
	}
	return m.pack(ctx, c, name)
}

// pack makes the package that is installed anew.
func (m *machine) pack(ctx context.Context, c manager.Change, name string) error {
	who := c.Name
	if c.Arch != "all" {
		who += ":" + c.Arch
	}
	res, err := m.run(ctx, transport.Command{Argv: []string{"dpkg-query", "-s", "--", who}})
	if err != nil {
		return err
	}
	control, err := controlOf(res.Stdout)
	if err != nil {
		return err
	}
	res, err = m.Script(ctx, packScript, control, m.Root(), m.Folder(), name, c.Name, c.Arch)
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
