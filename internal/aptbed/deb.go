package aptbed

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// A Package is a small package for dpkg. Name and Version must be set.
type Package struct {
	Name, Version string
	Arch          string // "" means "all"
	Depends       string
	Conflicts     string

	// Postinst and Prerm are lines for sh. Scripts run outside of the root folder, whose name is in $DPKG_ROOT.
	Postinst, Prerm string

	// Conffile is the path of a configuration file that the package has, absolute; "" for none.
	Conffile string

	// Time is that of its files; the zero one is 1970. Files of two packages may have one time, as of builds that can be repeated.
	Time time.Time

	// Size is how many bytes the package has beside its file usr/share/NAME/version.
	Size int
}

func (p Package) arch() string {
	if p.Arch == "" {
		return "all"
	}
	return p.Arch
}

// file is the name of the package's file in a pool.
func (p Package) file() string {
	return fmt.Sprintf("%s_%s_%s.deb", p.Name, strings.ReplaceAll(p.Version, ":", "%3a"), p.arch())
}

// control is the description of the package, without an empty line at its end.
func (p Package) control() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: A Test <test@example.com>\nSection: utils\nPriority: optional\nInstalled-Size: %d\n",
		p.Name, p.Version, p.arch(), 1+p.Size/1024)
	if p.Depends != "" {
		fmt.Fprintf(&b, "Depends: %s\n", p.Depends)
	}
	if p.Conflicts != "" {
		fmt.Fprintf(&b, "Conflicts: %s\n", p.Conflicts)
	}
	fmt.Fprintf(&b, "Description: %s, made for tests\n", p.Name)
	return b.String()
}

// VersionFile names the file that tells which version of a package is really there.
func VersionFile(name string) string { return "usr/share/" + name + "/version" }

// Deb returns the package as a file for dpkg (deb(5)): an ar archive of two tar archives.
func (p Package) Deb() []byte {
	data := map[string]string{VersionFile(p.Name): p.Name + " " + p.Version + "\n"}
	if p.Conffile != "" {
		data[strings.TrimPrefix(p.Conffile, "/")] = "setting = " + p.Version + "\n"
	}
	if p.Size > 0 {
		data["usr/share/"+p.Name+"/blob"] = noise(p.Size)
	}
	control := map[string]string{"control": p.control()}
	var sums strings.Builder
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if "/"+name != p.Conffile {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum([]byte(data[name])), name)
		}
	}
	control["md5sums"] = sums.String()
	for script, lines := range map[string]string{"postinst": p.Postinst, "prerm": p.Prerm} {
		if lines != "" {
			control[script] = "#!/bin/sh\n" + lines + "\n"
		}
	}
	if p.Conffile != "" {
		control["conffiles"] = p.Conffile + "\n"
	}
	var ar bytes.Buffer
	ar.WriteString("!<arch>\n")
	for _, m := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", archive(control, 0o755, p.Time)}, {"data.tar.gz", archive(data, 0o644, p.Time)}} {
		fmt.Fprintf(&ar, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", m.name, 0, 0, 0, 0o100644, len(m.content))
		ar.Write(m.content)
		if len(m.content)%2 == 1 {
			ar.WriteByte('\n')
		}
	}
	return ar.Bytes()
}

// noise returns n bytes that do not compress well and are the same each time.
func noise(n int) string {
	text := make([]byte, n)
	x := uint64(0x9e3779b97f4a7c15)
	for i := range text {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		text[i] = byte(x)
	}
	return string(text)
}

// archive returns files, and the folders that they are in, as tar.gz. Writing to memory does not fail.
func archive(files map[string]string, mode int64, at time.Time) []byte {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	w := tar.NewWriter(zip)
	folders := map[string]bool{}
	var add func(dir string)
	add = func(dir string) {
		if folders[dir] {
			return
		}
		folders[dir] = true
		if dir != "." {
			add(path.Dir(dir))
		}
		name := "./" + dir + "/"
		if dir == "." {
			name = "./"
		}
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: at, Format: tar.FormatGNU})
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add(path.Dir(name))
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "./" + name, Mode: mode, Size: int64(len(files[name])), ModTime: at, Format: tar.FormatGNU})
		_, _ = w.Write([]byte(files[name]))
	}
	_ = w.Close()
	_ = zip.Close()
	return packed.Bytes()
}
