package rpmbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// A Repo is a signed repository in a folder, with a key of its own. Its methods are not for concurrent use.
type Repo struct {
	Dir string // the packages and the folder repodata
	Key string // the file of the public key

	dir string // where packages are made
	gpg string
}

// Programs are what a bed needs beside the package manager.
func Programs() []string {
	return []string{"rpm", "rpmbuild", "rpmsign", "createrepo_c", "gpg", "busybox", "sh"}
}

// Missing returns the programs that a bed needs and this machine lacks.
func Missing(more ...string) []string {
	return slices.DeleteFunc(append(Programs(), more...), func(name string) bool { _, err := exec.LookPath(name); return err == nil })
}

// NewRepo makes an empty repository in dir, which must not exist, and a key to sign it with. Close ends the agent that keeps the key.
func NewRepo(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(dir, "repo"), Key: filepath.Join(dir, "key.asc"), dir: filepath.Join(dir, "build")}
	var err error
	// The socket of the agent lies in the folder, and the names of sockets are short.
	if r.gpg, err = os.MkdirTemp("", "gpg"); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, err
	}
	_, err = r.sign(ctx, "--passphrase", "", "--quick-generate-key", "Test <test@example.com>", "rsa2048", "sign", "never")
	if err == nil {
		var key []byte
		if key, err = r.sign(ctx, "--armor", "--export"); err == nil {
			err = os.WriteFile(r.Key, key, 0o644)
		}
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Repo) sign(ctx context.Context, args ...string) ([]byte, error) {
	out, err := exec.CommandContext(ctx, "gpg", append([]string{"--homedir", r.gpg, "--batch", "--quiet", "--no-tty", "--yes"}, args...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("gpg: %w", err)
	}
	return out, nil
}

// Close ends the agent of the key, and forgets the key.
func (r *Repo) Close() error {
	_ = exec.Command("gpgconf", "--homedir", r.gpg, "--kill", "gpg-agent").Run()
	return os.RemoveAll(r.gpg)
}

// Add makes packages and puts them into the repository, signed. Publish makes them known.
func (r *Repo) Add(ctx context.Context, packages ...Package) error {
	if err := build(ctx, r.dir, packages); err != nil {
		return err
	}
	gpg, err := exec.LookPath("gpg")
	if err != nil {
		return err
	}
	args := []string{"--define", "_gpg_name test@example.com", "--define", "_gpg_path " + r.gpg, "--define", "__gpg_sign_cmd " + gpg + " gpg --homedir " + r.gpg +
		" --batch --no-verbose --no-armor --digest-algo sha256 -u test@example.com -sbo %{__signature_filename} %{__plaintext_filename}", "--addsign"}
	for _, p := range packages {
		args = append(args, filepath.Join(r.dir, "RPMS", "noarch", p.File()))
	}
	if out, err := exec.CommandContext(ctx, "rpmsign", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("rpmsign: %w: %s", err, out)
	}
	for _, p := range packages {
		if err := os.Rename(filepath.Join(r.dir, "RPMS", "noarch", p.File()), r.Pool(p)); err != nil {
			return err
		}
	}
	return nil
}

// Pool returns where the file of a package is.
func (r *Repo) Pool(p Package) string { return filepath.Join(r.Dir, p.File()) }

// Publish writes the index of what is in the repository, and signs it.
func (r *Repo) Publish(ctx context.Context) error {
	if out, err := exec.CommandContext(ctx, "createrepo_c", "-q", r.Dir).CombinedOutput(); err != nil {
		return fmt.Errorf("createrepo_c: %w: %s", err, out)
	}
	index := filepath.Join(r.Dir, "repodata", "repomd.xml")
	_, err := r.sign(ctx, "--armor", "--detach-sign", "-o", index+".asc", index)
	return err
}

// Copy copies the repository into dir, which must not exist. The copy is signed with the same key, until r is closed.
func (r *Repo) Copy(dir string) (*Repo, error) {
	if err := os.CopyFS(dir, os.DirFS(r.Dir)); err != nil {
		return nil, err
	}
	return &Repo{Dir: dir, Key: r.Key, dir: r.dir, gpg: r.gpg}, nil
}
