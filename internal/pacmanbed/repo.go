package pacmanbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Repo is a signed repository in a folder, with a key of its own. Its methods are not for concurrent use.
type Repo struct {
	Dir  string // the packages and the index "test.db"
	Keys string // a folder for gpg in which the key is trusted, to be copied to devices

	gpg      string
	packages []Package
}

// Programs are what a bed needs.
func Programs() []string { return []string{"pacman", "pacman-conf", "gpg", "busybox", "sh"} }

// Missing returns the programs that a bed needs and this machine lacks.
func Missing() []string {
	return slices.DeleteFunc(Programs(), func(name string) bool { _, err := exec.LookPath(name); return err == nil })
}

// NewRepo makes an empty repository in dir, which must not exist, and a key to sign it with. Close ends the agent that keeps the key.
func NewRepo(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(dir, "repo"), Keys: filepath.Join(dir, "keys")}
	var err error
	// The socket of the agent lies in the folder, and the names of sockets are short.
	if r.gpg, err = os.MkdirTemp("", "gpg"); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(r.Dir, 0o755), os.MkdirAll(r.Keys, 0o700)); err != nil {
		return nil, err
	}
	keys := func() error {
		if _, err := run(ctx, "", r.gpg, "--passphrase", "", "--quick-generate-key", "Test <test@example.com>", "ed25519", "sign", "never"); err != nil {
			return err
		}
		key, err := run(ctx, "", r.gpg, "--armor", "--export")
		if err != nil {
			return err
		}
		if _, err := run(ctx, key, r.Keys, "--import"); err != nil {
			return err
		}
		trust, err := run(ctx, "", r.gpg, "--export-ownertrust")
		if err != nil {
			return err
		}
		if _, err = run(ctx, trust, r.Keys, "--import-ownertrust"); err != nil {
			return err
		}
		// pacman keeps its keys in the old form.
		ring, err := run(ctx, "", r.gpg, "--export")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(r.Keys, "pubring.gpg"), []byte(ring), 0o600)
	}
	if err := keys(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func run(ctx context.Context, stdin, home string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "gpg", append([]string{"--homedir", home, "--batch", "--quiet", "--no-tty", "--yes"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("gpg: %w: %s", err, said.String())
	}
	return string(out), nil
}

// Close ends the agents of the keys, and forgets the one that signs.
func (r *Repo) Close() error {
	for _, home := range []string{r.gpg, r.Keys} {
		_ = exec.Command("gpgconf", "--homedir", home, "--kill", "all").Run()
	}
	return os.RemoveAll(r.gpg)
}

// Pool returns where the file of a package is.
func (r *Repo) Pool(p Package) string { return filepath.Join(r.Dir, p.File()) }

// Add puts packages into the repository, signed. Of several versions of a package the index has the one that was added last.
// Publish makes them known.
func (r *Repo) Add(ctx context.Context, packages ...Package) error {
	for _, p := range packages {
		if err := os.WriteFile(r.Pool(p), p.Content(), 0o644); err != nil {
			return err
		}
		if _, err := run(ctx, "", r.gpg, "--detach-sign", "-o", r.Pool(p)+".sig", r.Pool(p)); err != nil {
			return err
		}
		r.Withdraw(p.Name)
		r.packages = append(r.packages, p)
	}
	return nil
}

// Withdraw takes a package out of the index. Publish makes it known.
func (r *Repo) Withdraw(name string) {
	r.packages = slices.DeleteFunc(r.packages, func(p Package) bool { return p.Name == name })
}

// Publish writes the index, and signs it.
func (r *Repo) Publish(ctx context.Context) error {
	files := make(map[string]string)
	for _, p := range r.packages {
		content, err := os.ReadFile(r.Pool(p))
		if err != nil {
			return err
		}
		files[p.Name+"-"+p.Version+"/desc"] = p.entry(content)
	}
	index := filepath.Join(r.Dir, "test.db")
	if err := os.WriteFile(index, []byte(zipped(archive(files)+string(make([]byte, 1024)))), 0o644); err != nil {
		return err
	}
	_, err := run(ctx, "", r.gpg, "--detach-sign", "-o", index+".sig", index)
	return err
}

// Copy copies the repository into dir, which must not exist. The copy is signed with the same key, until r is closed.
func (r *Repo) Copy(dir string) (*Repo, error) {
	if err := os.CopyFS(dir, os.DirFS(r.Dir)); err != nil {
		return nil, err
	}
	return &Repo{Dir: dir, Keys: r.Keys, gpg: r.gpg, packages: slices.Clone(r.packages)}, nil
}
