package flatpakbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An App is a small application: a command that tells its version. Its commits are told apart by Version, which is what the tests call them.
type App struct {
	ID, Version string
	Runtime     string // branch of the runtime that it needs; "" for "1"
	Size        int    // how many bytes it has beside
	Unsigned    bool
}

// Runtime is the runtime of all applications. It has the branches "1" and "2".
const Runtime = "org.test.Platform"

// Branch is that of all applications.
const Branch = "stable"

// A Repo is a signed repository in a folder, with a key of its own. Its methods are not for concurrent use.
type Repo struct {
	Dir  string
	Key  string // a file with the key that devices trust
	Arch string

	gpg     string
	signer  string
	commits map[string]string // versions for flatpak by "ID VERSION"
	next    time.Time         // of the next commit
}

// Programs are what a bed needs.
func Programs() []string { return []string{"flatpak", "ostree", "gpg", "sh"} }

// NewRepo makes a repository in dir, which must not exist, with both branches of the runtime, and a key to sign it with. Close ends the agent that
// keeps the key.
func NewRepo(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{Dir: filepath.Join(dir, "repo"), Key: filepath.Join(dir, "key.asc"), commits: make(map[string]string), next: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	// The socket of the agent lies in the folder, and the names of sockets are short.
	if r.gpg, err = os.MkdirTemp("", "gpg"); err != nil {
		return nil, err
	}
	begin := func() error {
		if r.signer, err = r.NewKey(ctx); err != nil {
			return err
		}
		key, err := r.run(ctx, "gpg", "--homedir", r.gpg, "--batch", "--armor", "--export")
		if err != nil {
			return err
		}
		arch, err := r.run(ctx, "flatpak", "--default-arch")
		if err != nil {
			return err
		}
		r.Arch = strings.TrimSpace(arch)
		for _, branch := range []string{"1", "2"} {
			ref := Runtime + "/" + r.Arch + "/" + branch
			metadata := fmt.Sprintf("[Runtime]\nname=%s\nruntime=%s\nsdk=%s\n", Runtime, ref, ref)
			if err := r.commit(ctx, Runtime, branch, map[string]string{"metadata": metadata, "usr/version": branch + "\n"}, branch, append(r.signed(), "--runtime")...); err != nil {
				return err
			}
		}
		return errors.Join(os.WriteFile(r.Key, []byte(key), 0o644), r.Publish(ctx))
	}
	if err := begin(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// run runs a program of this machine, which knows nothing of the user's installations.
func (r *Repo) run(ctx context.Context, argv ...string) (string, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+r.gpg)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s%s", strings.Join(argv, " "), err, out, said.String())
	}
	return string(out), nil
}

// NewKey makes a key, one for the repository in this folder, and returns what it is called. No device trusts that of a copy. See [Repo.SignWith].
func (r *Repo) NewKey(ctx context.Context) (string, error) {
	name := fmt.Sprintf("%s@example.com", filepath.Base(filepath.Dir(r.Dir)))
	_, err := r.run(ctx, "gpg", "--homedir", r.gpg, "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never")
	if err != nil {
		return "", err
	}
	listed, err := r.run(ctx, "gpg", "--homedir", r.gpg, "--batch", "--with-colons", "--list-keys", name)
	for line := range strings.Lines(listed) {
		if fields := strings.Split(line, ":"); fields[0] == "fpr" {
			return fields[9], err
		}
	}
	return "", errors.Join(err, fmt.Errorf("gpg tells no key of %s", name))
}

// SignWith signs what comes next with another key.
func (r *Repo) SignWith(key string) { r.signer = key }

// Close ends the agent of the keys, and forgets them.
func (r *Repo) Close() error {
	_ = exec.Command("gpgconf", "--homedir", r.gpg, "--kill", "all").Run()
	return os.RemoveAll(r.gpg)
}

// signed returns the options by which something is signed.
func (r *Repo) signed() []string { return []string{"--gpg-sign=" + r.signer, "--gpg-homedir=" + r.gpg} }

// commit makes a commit of files.
func (r *Repo) commit(ctx context.Context, id, label string, files map[string]string, branch string, options ...string) error {
	dir, err := os.MkdirTemp("", "commit")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o755)); err != nil {
			return err
		}
	}
	kind := "app"
	for _, sub := range []string{"files", "export"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if slices.Contains(options, "--runtime") {
		kind = "runtime"
	}
	at := r.next
	r.next = at.Add(time.Hour)
	argv := append([]string{"flatpak", "build-export", "--disable-sandbox", "--timestamp=" + at.Format(time.RFC3339)}, options...)
	if _, err := r.run(ctx, append(argv, r.Dir, dir, branch)...); err != nil {
		return err
	}
	tip, err := r.run(ctx, "ostree", "--repo="+r.Dir, "rev-parse", strings.Join([]string{kind, id, r.Arch, branch}, "/"))
	r.commits[id+" "+label] = at.Format("20060102T150405Z") + "-" + strings.TrimSpace(tip)
	return err
}

// Add makes commits, in their order. Publish makes them known.
func (r *Repo) Add(ctx context.Context, apps ...App) error {
	for _, a := range apps {
		branch := a.Runtime
		if branch == "" {
			branch = "1"
		}
		platform := Runtime + "/" + r.Arch + "/" + branch
		files := map[string]string{
			"metadata":        fmt.Sprintf("[Application]\nname=%s\nruntime=%s\nsdk=%s/%s/1\ncommand=hello\n", a.ID, platform, Runtime, r.Arch),
			"files/bin/hello": "#!/bin/sh\ncat /app/version\n",
			"files/version":   a.ID + " " + a.Version + "\n",
		}
		if a.Size > 0 {
			// Random digits that are the same each time: they are packed, and are to need room all the same.
			var noise strings.Builder
			for x := uint64(1); noise.Len() < a.Size; x = x*6364136223846793005 + 1442695040888963407 {
				fmt.Fprintf(&noise, "%016x", x)
			}
			files["files/noise"] = noise.String()
		}
		options := r.signed()
		if a.Unsigned {
			options = nil
		}
		if err := r.commit(ctx, a.ID, a.Version, files, Branch, options...); err != nil {
			return err
		}
	}
	return nil
}

// Version returns what flatpak's packages call a version of an application, and of the runtime a branch.
func (r *Repo) Version(id, label string) string { return r.commits[id+" "+label] }

// label says which version of an application a commit is, or returns the commit.
func (r *Repo) label(id, commit string) string {
	for key, v := range r.commits {
		if label, ok := strings.CutPrefix(key, id+" "); ok && strings.HasSuffix(v, "-"+commit) {
			return label
		}
	}
	return commit
}

// Object returns the file of a commit.
func (r *Repo) Object(id, label string) string {
	_, commit, _ := strings.Cut(r.Version(id, label), "-")
	return filepath.Join(r.Dir, "objects", commit[:2], commit[2:]+".commit")
}

// Publish writes the index, and signs it.
func (r *Repo) Publish(ctx context.Context) error {
	_, err := r.run(ctx, append(append([]string{"flatpak", "build-update-repo"}, r.signed()...), r.Dir)...)
	return err
}

// Copy copies the repository into dir, which must not exist. The copy is signed with the same key, until r is closed.
func (r *Repo) Copy(dir string) (*Repo, error) {
	if err := os.CopyFS(dir, os.DirFS(r.Dir)); err != nil {
		return nil, err
	}
	c := *r
	c.Dir, c.commits = dir, make(map[string]string)
	for key, v := range r.commits {
		c.commits[key] = v
	}
	return &c, nil
}

// Rename calls a commit of an application one of another.
func (r *Repo) Rename(id, label, other, another string) {
	r.commits[other+" "+another] = r.Version(id, label)
}
