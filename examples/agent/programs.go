package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// Programs keeps programs of one file each up to date: a folder with the programs, and in it a folder "kept" with what they were before.
// Everything is done by renaming, so that a crash leaves an old program or a new one.
type programs struct {
	dir   *os.Root
	path  string
	fetch func(ctx context.Context, d patch.Digest) (io.ReadCloser, error)
}

var (
	_ rollout.Deployer   = (*programs)(nil)
	_ rollout.Verifier   = (*programs)(nil)
	_ rollout.Rollbacker = (*programs)(nil)
)

func openPrograms(path string, fetch func(context.Context, patch.Digest) (io.ReadCloser, error)) (*programs, error) {
	if err := os.MkdirAll(filepath.Join(path, "kept"), 0o755); err != nil {
		return nil, err
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &programs{dir, path, fetch}, nil
}

// name is what a program may be called: no path, no option, nothing hidden.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)

// A file is a program that a task is about.
type file struct {
	name   string
	digest patch.Digest
	size   int64
}

// files returns what t is about. A task that cannot be carried out as it is pinned is not carried out at all.
func files(t rollout.Task) ([]file, error) {
	var all []file
	for i := range t.Content.Patches {
		for _, p := range t.Content.Patches[i].Packages {
			if !name.MatchString(p.Name) || p.Name == "kept" {
				return nil, fmt.Errorf("%q is no name of a program: %w", p.Name, patch.ErrUntrusted)
			}
			if len(p.Artefacts) != 1 || p.Artefacts[0].Digest == "" || p.Artefacts[0].Size <= 0 {
				return nil, fmt.Errorf("%s: no file is pinned by size and hash: %w", p.Name, patch.ErrUntrusted)
			}
			all = append(all, file{p.Name, p.Artefacts[0].Digest, p.Artefacts[0].Size})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the task names no program: %w", patch.ErrPermanent)
	}
	return all, nil
}

// Deploy implements [rollout.Deployer]. All files are fetched and checked before the first takes its place.
func (p *programs) Deploy(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	all, err := files(t)
	if err != nil {
		return rollout.Report{}, err
	}
	missing := 0
	for _, f := range all {
		has, err := p.digest(f.name)
		if err != nil {
			return rollout.Report{}, err
		}
		if has == f.digest {
			continue
		}
		missing++
		if err := p.download(ctx, f); err != nil {
			return rollout.Report{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if missing == 0 {
		return rollout.Report{Phase: rollout.PhaseFailed, Fault: patch.AlreadyInstalled}, nil
	}
	for _, f := range all {
		if err := p.install(t.ID, f); err != nil {
			return rollout.Report{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded, Reboot: patch.No}, nil
}

// Status implements [rollout.Deployer]. What a crash has interrupted was installed if every file is there, as pinned.
func (p *programs) Status(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	if t.Op != rollout.OpInstall {
		return rollout.Report{}, nil
	}
	return p.Verify(ctx, rollout.Task{Content: t.Content})
}

// Verify implements [rollout.Verifier], by the hashes of the files that are there.
func (p *programs) Verify(_ context.Context, t rollout.Task) (rollout.Report, error) {
	all, err := files(t)
	if err != nil {
		return rollout.Report{}, err
	}
	for _, f := range all {
		has, err := p.digest(f.name)
		if err != nil {
			return rollout.Report{}, err
		}
		if (has == f.digest) == t.Absent {
			return rollout.Report{Phase: rollout.PhaseFailed, Message: fmt.Sprintf("%s is %s", f.name, has)}, nil
		}
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}, nil
}

// Rollback implements [rollout.Rollbacker].
func (p *programs) Rollback(_ context.Context, t rollout.Task) (rollout.Report, error) {
	all, err := files(t)
	if err != nil {
		return rollout.Report{}, err
	}
	for _, f := range all {
		has, err := p.digest(f.name)
		if err != nil {
			return rollout.Report{}, err
		}
		if has != f.digest {
			continue // it is not there
		}
		if err := p.dir.Rename(filepath.Join("kept", f.name), f.name); err != nil {
			return rollout.Report{}, fmt.Errorf("%s: what it was before is not kept: %w: %w", f.name, err, patch.ErrPermanent)
		}
	}
	return rollout.Report{Phase: rollout.PhaseSucceeded}, nil
}

// digest returns the hash of a program, "" if it is not there.
func (p *programs) digest(name string) (patch.Digest, error) {
	f, err := p.dir.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sum(f)
}

func sum(r io.Reader) (patch.Digest, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return patch.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), nil
}

// download fetches a file beside the one that it is to replace. Whatever is not what was pinned is thrown away.
func (p *programs) download(ctx context.Context, f file) error {
	body, err := p.fetch(ctx, f.digest)
	if err != nil {
		return err
	}
	defer body.Close()
	to := "." + f.name + ".new"
	out, err := p.dir.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), io.LimitReader(body, f.size+1))
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	got := patch.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
	if n == f.size && got == f.digest {
		return nil
	}
	_ = p.dir.Remove(to)
	if n < f.size {
		return fmt.Errorf("%d bytes of %d came", n, f.size) // the line was cut: that may pass
	}
	return fmt.Errorf("the file is %s, %s was pinned: %w", got, f.digest, patch.ErrUntrusted)
}

// install puts a file that was downloaded in its place, and keeps the one before.
func (p *programs) install(id rollout.TaskID, f file) error {
	from := "." + f.name + ".new"
	if _, err := p.dir.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // it was there
	}
	kept := filepath.Join("kept", f.name)
	if err := p.dir.Remove(kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.dir.Link(f.name, kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.dir.Rename(from, f.name); err != nil {
		return err
	}
	note, err := json.Marshal(id)
	if err != nil {
		return err
	}
	return p.note(string(note) + "\n")
}

// note adds a line to the list of all installations.
func (p *programs) note(line string) error {
	f, err := p.dir.OpenFile("installations", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Sync(), f.Close())
}
