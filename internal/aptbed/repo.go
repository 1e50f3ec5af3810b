package aptbed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Repo is a signed archive in a folder, with a key of its own. Its methods are not for concurrent use.
type Repo struct {
	Dir string // dists and pool are in it: "file:" and this, or what a web server of this folder is called
	Key string // the file of the public key, for signed-by

	gpg      string
	packages map[string][]Package // by suite
	times    int                  // how often it was published
}

// Programs are what a bed needs. Missing tells which of them are not there.
func Programs() []string {
	return []string{"apt-get", "apt-cache", "apt-mark", "dpkg", "dpkg-query", "dpkg-deb", "gpg", "sh", "tar"}
}

// Missing returns the programs that a bed needs and this machine lacks.
func Missing() []string {
	return slices.DeleteFunc(Programs(), func(name string) bool { _, err := exec.LookPath(name); return err == nil })
}

// NewRepo makes an archive in dir, which must not exist, and a key to sign it with. Close ends the agent that keeps the key.
func NewRepo(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(dir, "repo"), Key: filepath.Join(dir, "key.asc"), packages: make(map[string][]Package)}
	var err error
	// The socket of the agent lies in the folder, and the names of sockets are short.
	if r.gpg, err = os.MkdirTemp("", "gpg"); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := r.run(ctx, nil, "--passphrase", "", "--quick-generate-key", "Test <test@example.com>", "ed25519", "sign", "never"); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	key, err := r.run(ctx, nil, "--armor", "--export")
	if err == nil {
		err = os.WriteFile(r.Key, key, 0o644)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Repo) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "gpg", append([]string{"--homedir", r.gpg, "--batch", "--quiet", "--no-tty"}, args...)...)
	cmd.Stdin = strings.NewReader(string(stdin))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("gpg: %w: %s", err, said.String())
	}
	return out, nil
}

// Close ends the agent of the key, and forgets the key.
func (r *Repo) Close() error {
	_ = exec.Command("gpgconf", "--homedir", r.gpg, "--kill", "gpg-agent").Run()
	return os.RemoveAll(r.gpg)
}

// Add puts packages into a suite: "stable", "stable-security". Publish makes them known.
func (r *Repo) Add(suite string, packages ...Package) error {
	for _, p := range packages {
		dir := filepath.Join(r.Dir, "pool", suite)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, p.file()), p.Deb(), 0o644)); err != nil {
			return err
		}
		r.packages[suite] = append(r.packages[suite], p)
	}
	return nil
}

// Withdraw takes a version of a package out of a suite, and its file away. Publish makes it known; before, the index still
// names what is gone.
func (r *Repo) Withdraw(suite, name, version string) error {
	var gone error
	r.packages[suite] = slices.DeleteFunc(r.packages[suite], func(p Package) bool {
		if p.Name != name || p.Version != version {
			return false
		}
		gone = os.Remove(r.Pool(suite, p))
		return true
	})
	return gone
}

// Pool returns where the file of a package is.
func (r *Repo) Pool(suite string, p Package) string {
	return filepath.Join(r.Dir, "pool", suite, p.file())
}

// Publish writes the index of a suite, which must have been added to, and signs it. until is when it expires; zero for never.
func (r *Repo) Publish(ctx context.Context, suite, arch string, until time.Time) error {
	var index strings.Builder
	for _, p := range r.packages[suite] {
		content, err := os.ReadFile(r.Pool(suite, p))
		if err != nil {
			return err
		}
		fmt.Fprintf(&index, "%sFilename: pool/%s/%s\nSize: %d\nSHA256: %x\n\n", p.control(), suite, p.file(), len(content), sha256.Sum256(content))
	}
	dir := filepath.Join(r.Dir, "dists", suite)
	name := "main/binary-" + arch + "/Packages"
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
		return err
	}
	label := "Test"
	if strings.HasSuffix(suite, "-security") {
		label = "Test-Security"
	}
	const layout = "Mon, 02 Jan 2006 15:04:05 UTC"
	release := fmt.Sprintf("Origin: Test\nLabel: %s\nSuite: %s\nCodename: %s\nDate: %s\n", label, suite, suite, time.Now().UTC().Format(layout))
	if !until.IsZero() {
		release += "Valid-Until: " + until.UTC().Format(layout) + "\n"
	}
	release += fmt.Sprintf("Architectures: %s all\nComponents: main\nSHA256:\n %x %d %s\n", arch, sha256.Sum256([]byte(index.String())), index.Len(), name)
	signed, err := r.run(ctx, []byte(release), "--clearsign", "-o", "-")
	if err != nil {
		return err
	}
	// apt asks for what is newer than what it has, to the second.
	r.times++
	at := time.Now().Add(time.Duration(2*r.times) * time.Second)
	inRelease := filepath.Join(dir, "InRelease")
	return errors.Join(os.WriteFile(filepath.Join(dir, name), []byte(index.String()), 0o644), os.WriteFile(inRelease, signed, 0o644), os.Chtimes(inRelease, at, at))
}

// Copy copies the archive into dir, which must not exist. The copy is signed with the same key, until r is closed.
func (r *Repo) Copy(dir string) (*Repo, error) {
	if err := os.CopyFS(dir, os.DirFS(r.Dir)); err != nil {
		return nil, err
	}
	c := &Repo{Dir: dir, Key: r.Key, gpg: r.gpg, times: r.times, packages: make(map[string][]Package)}
	for suite, packages := range r.packages {
		c.packages[suite] = slices.Clone(packages)
	}
	return c, nil
}
