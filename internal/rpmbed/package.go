package rpmbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Package is a small package for rpm. Name and Version must be set.
type Package struct {
	Name, Version string
	Release       string // "" means "1"
	Requires      string
	Conflicts     string

	// Pre and Post are lines for sh. Scripts run in the root folder.
	Pre, Post string

	// Config is the path of a configuration file that the package has, absolute; "" for none.
	Config string

	// Size is how many bytes the package has beside its file usr/share/NAME/version.
	Size int

	shell string // a program to pack as bin/sh
}

func (p Package) release() string {
	if p.Release == "" {
		return "1"
	}
	return p.Release
}

// File is the name of the package's file.
func (p Package) File() string {
	return p.Name + "-" + p.Version + "-" + p.release() + ".noarch.rpm"
}

// VersionFile names the file that tells which version of a package is really there.
func VersionFile(name string) string { return "usr/share/" + name + "/version" }

func (p Package) spec() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Name: %s\nVersion: %s\nRelease: %s\nSummary: made for tests\nLicense: none\nBuildArch: noarch\nAutoReqProv: no\n", p.Name, p.Version, p.release())
	if p.Requires != "" {
		fmt.Fprintf(&b, "Requires: %s\n", p.Requires)
	}
	if p.Conflicts != "" {
		fmt.Fprintf(&b, "Conflicts: %s\n", p.Conflicts)
	}
	b.WriteString("%global __strip /bin/true\n%description\nmade for tests\n%install\n")
	file := VersionFile(p.Name)
	fmt.Fprintf(&b, "mkdir -p %%{buildroot}/usr/share/%s\necho '%s %s' >%%{buildroot}/%s\n", p.Name, p.Name, p.Version, file)
	files := "/" + file + "\n"
	if p.Config != "" {
		fmt.Fprintf(&b, "mkdir -p %%{buildroot}/%s\necho 'setting = %s' >%%{buildroot}%s\n", filepath.Dir(p.Config), p.Version, p.Config)
		files += "%config(noreplace) " + p.Config + "\n"
	}
	if p.Size > 0 {
		fmt.Fprintf(&b, "head -c %d /dev/urandom >%%{buildroot}/usr/share/%s/blob\n", p.Size, p.Name)
		files += "/usr/share/" + p.Name + "/blob\n"
	}
	if p.shell != "" {
		fmt.Fprintf(&b, "mkdir -p %%{buildroot}/bin\ncp %s %%{buildroot}/bin/busybox\n", p.shell)
		for _, name := range []string{"sh", "mkdir", "echo", "sleep", "cat", "touch", "kill"} {
			fmt.Fprintf(&b, "ln -s busybox %%{buildroot}/bin/%s\n", name)
		}
		files += "/bin/*\n"
	}
	b.WriteString("%files\n" + files)
	if p.Pre != "" {
		b.WriteString("%pre\n" + p.Pre + "\n")
	}
	if p.Post != "" {
		b.WriteString("%post\n" + p.Post + "\n")
	}
	return b.String()
}

// build makes packages with rpmbuild, below dir.
func build(ctx context.Context, dir string, packages []Package) error {
	for _, sub := range []string{"SPECS", "BUILD", "RPMS", "SRPMS", "SOURCES"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	args := []string{"--quiet", "-bb", "--nodeps", "--define", "_topdir " + dir, "--define", "_build_id_links none", "--define", "_binaries_in_noarch_packages_terminate_build 0"}
	for _, p := range packages {
		name := filepath.Join(dir, "SPECS", p.Name+"-"+p.Version+".spec")
		if err := os.WriteFile(name, []byte(p.spec()), 0o644); err != nil {
			return err
		}
		args = append(args, name)
	}
	out, err := exec.CommandContext(ctx, "rpmbuild", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("rpmbuild: %w: %s", err, out)
	}
	var missing error
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(dir, "RPMS", "noarch", p.File())); err != nil {
			missing = errors.Join(missing, err)
		}
	}
	return missing
}
