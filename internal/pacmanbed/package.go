package pacmanbed

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Package is a small package for pacman. Name and Version, with its release, must be set.
type Package struct {
	Name, Version string
	Depends       string
	Conflicts     string

	// Pre and Post are lines for sh, run in the root folder before and after an upgrade.
	Pre, Post string

	// Backup is the path of a configuration file that the package has, absolute; "" for none.
	Backup string

	// Size is how many bytes the package has beside its file usr/share/NAME/version.
	Size int
}

// File is the name of the package's file.
func (p Package) File() string { return p.Name + "-" + p.Version + "-any.pkg.tar.gz" }

// VersionFile names the file that tells which version of a package is really there.
func VersionFile(name string) string { return "usr/share/" + name + "/version" }

// Content returns the package as a file for pacman.
func (p Package) Content() []byte {
	data := map[string]string{VersionFile(p.Name): p.Name + " " + p.Version + "\n"}
	info := fmt.Sprintf("pkgname = %s\npkgbase = %s\npkgver = %s\npkgdesc = made for tests\nbuilddate = 1700000000\npackager = none\nsize = %d\narch = any\n", p.Name, p.Name, p.Version, 10+p.Size)
	if p.Depends != "" {
		info += "depend = " + p.Depends + "\n"
	}
	if p.Conflicts != "" {
		info += "conflict = " + p.Conflicts + "\n"
	}
	if p.Backup != "" {
		data[strings.TrimPrefix(p.Backup, "/")] = "setting = " + p.Version + "\n"
		info += "backup = " + strings.TrimPrefix(p.Backup, "/") + "\n"
	}
	if p.Size > 0 {
		data["usr/share/"+p.Name+"/blob"] = strings.Repeat("0123456789abcdef", p.Size/16)
	}
	var tree strings.Builder
	tree.WriteString("#mtree\n/set type=file uid=0 gid=0 mode=644\n")
	for _, name := range slices.Sorted(maps.Keys(data)) {
		fmt.Fprintf(&tree, "./%s time=1700000000.0 size=%d md5digest=%x sha256digest=%x\n", name, len(data[name]), md5.Sum([]byte(data[name])), sha256.Sum256([]byte(data[name])))
	}
	meta := map[string]string{".PKGINFO": info, ".MTREE": zipped(tree.String())}
	script := ""
	if p.Pre != "" {
		script += "pre_upgrade() {\n" + p.Pre + "\n}\n"
	}
	if p.Post != "" {
		script += "post_upgrade() {\n" + p.Post + "\n}\n"
	}
	if script != "" {
		meta[".INSTALL"] = script
	}
	return []byte(zipped(archive(meta) + archive(data) + string(make([]byte, 1024))))
}

// entry is what the index of a repository says of the package.
func (p Package) entry(content []byte) string {
	text := fmt.Sprintf("%%FILENAME%%\n%s\n\n%%NAME%%\n%s\n\n%%VERSION%%\n%s\n\n%%CSIZE%%\n%d\n\n%%ISIZE%%\n%d\n\n%%SHA256SUM%%\n%x\n\n%%ARCH%%\nany\n\n%%BUILDDATE%%\n1700000000\n\n",
		p.File(), p.Name, p.Version, len(content), 10+p.Size, sha256.Sum256(content))
	if p.Depends != "" {
		text += "%DEPENDS%\n" + p.Depends + "\n\n"
	}
	if p.Conflicts != "" {
		text += "%CONFLICTS%\n" + p.Conflicts + "\n\n"
	}
	return text
}

// zipped packs text. Writing to memory does not fail.
func zipped(text string) string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return packed.String()
}

// archive returns files, and the folders that they are in, as a tar archive without its end.
func archive(files map[string]string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	folders := map[string]bool{".": true}
	var add func(dir string)
	add = func(dir string) {
		if folders[dir] {
			return
		}
		folders[dir] = true
		add(path.Dir(dir))
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, Format: tar.FormatGNU})
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add(path.Dir(name))
		_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name])), Format: tar.FormatGNU})
		_, _ = w.Write([]byte(files[name]))
	}
	_ = w.Flush()
	return b.String()
}
