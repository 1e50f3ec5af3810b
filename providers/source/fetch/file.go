package fetch

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// A File is what is to be fetched.
type File struct {
	Name string // what the copy is kept under, and errors call it: "bookworm-security/InRelease"

	// URLs are where it is, by http or https: mirrors, in the order in which they are asked. They may hold a user and a
	// password, which go to that host alone and stand in no error.
	URLs []string

	Digest   patch.Digest // the sha256 that it must have: "sha256:..."; "" if nobody says
	MaxBytes int64        // instead of [Config.MaxBytes]

	// Check accepts or refuses what was brought, before it takes the place of the last good copy; nil accepts all. It is not
	// called again for a copy that a server confirms. Its error ends up in [Copy.Stale].
	Check func(source.Opener) error
}

// A Copy is a good copy of a file, and how fresh it is.
type Copy struct {
	// Open opens the copy. It fails with an error that wraps [io/fs.ErrNotExist] once newer copies have taken its place twice.
	// Reading to the end of a copy that has been damaged since is an error that wraps [patch.ErrCorrupt].
	Open source.Opener

	Digest patch.Digest
	Size   int64
	URL    string // where the content is from, without password

	Fetched  time.Time // when it arrived
	Checked  time.Time // when a server last said that this is the file, by the clock of this machine
	Served   time.Time // the same by the clock of the server, which may be a cache; zero if it did not say
	Modified time.Time // when the server says that the file has changed; zero if it did not say

	Changed bool  // this call brought it: the copy before, if any, was another
	Stale   error // why this is only the last good copy; nil for one that this call has fetched or confirmed
}

// prepare checks a file and returns where it is.
func (f *Fetcher) prepare(file *File) ([]*url.URL, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("fetch: %s: "+format+": %w", append(append([]any{file.Name}, args...), patch.ErrPermanent)...)
	}
	if file.Name == "" || len(file.Name) > 1024 {
		return nil, bad("a name of %d bytes", len(file.Name))
	}
	if file.Digest != "" {
		sum, found := strings.CutPrefix(string(file.Digest), "sha256:")
		if raw, err := hex.DecodeString(sum); !found || err != nil || len(raw) != 32 || strings.ToLower(sum) != sum {
			return nil, bad("the digest is %q, want sha256 in lower case", file.Digest)
		}
	}
	if file.MaxBytes <= 0 {
		file.MaxBytes = f.config.MaxBytes
	}
	file.URLs = slices.Clone(file.URLs)
	var mirrors []*url.URL
	for i, text := range file.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil: // its text may hold a password
			return nil, bad("URLs[%d] is no address", i)
		case u.Scheme != "http" && u.Scheme != "https":
			return nil, bad("%s: want http or https", u.Redacted())
		case u.Hostname() == "":
			return nil, bad("%s: no host", u.Redacted())
		}
		u.Fragment = ""
		mirrors = append(mirrors, u)
	}
	if len(mirrors) == 0 {
		return nil, bad("no URLs")
	}
	return mirrors, nil
}

// Get fetches a file, or has the servers confirm the copy that is there. If all fail it returns the last good copy, stale, and
// an error only if there is none, if file is wrong, or if ctx is done. A copy with the pinned digest is returned without
// asking anybody.
//
// Calls for one file at once are one download, unless they have a Check: then, as when their files differ, they take
// turns. It ends when the last of them gives up.
//
// [patch.FaultOf] of errors, stale ones too: untrusted for a wrong digest, a certificate that cannot be verified, a redirect
// from https to http; permanent for refused addresses, files that are too large and answers like 404; disk full; else
// transient. A mirror that may yet answer makes the whole transient, unless another was untrusted. An error wraps
// [patch.RetryAfterError] if a server asks for more patience than [Config.MaxWait].
func (f *Fetcher) Get(ctx context.Context, file File) (Copy, error) {
	if _, err := f.prepare(&file); err != nil {
		return Copy{}, err
	}
	return f.fly(ctx, file)
}

// Kept returns the last good copy under a name without asking any server. The error wraps [io/fs.ErrNotExist] if there is
// none, and [patch.ErrCorrupt] if it is damaged.
func (f *Fetcher) Kept(name string) (Copy, error) {
	r, err := f.store.load(name)
	if err != nil {
		return Copy{}, fmt.Errorf("fetch: %s: %w", name, err)
	}
	return f.copyOf(r, errors.New("fetch: "+name+": no server was asked")), nil
}

func (f *Fetcher) copyOf(r *record, stale error) Copy {
	return Copy{
		Open: f.store.opener(r.Data, r.sum()), Digest: r.Digest, Size: r.Size, URL: r.URL,
		Fetched: r.Fetched, Checked: r.Checked, Served: r.Served, Modified: r.Modified, Stale: stale,
	}
}

// get is what a flight does.
func (f *Fetcher) get(ctx context.Context, file *File) (Copy, error) {
	mirrors, err := f.prepare(file)
	if err != nil {
		return Copy{}, err
	}
	kept, damage := f.store.load(file.Name)
	if kept != nil && kept.Digest == file.Digest {
		return f.copyOf(kept, nil), nil
	}
	got, err := f.ask(ctx, file, mirrors, kept)
	switch {
	case err == nil:
		c := f.copyOf(got, nil)
		c.Changed = kept == nil || kept.Digest != got.Digest
		return c, nil
	case ctx.Err() != nil:
		return Copy{}, ctx.Err()
	case kept == nil && errors.Is(damage, patch.ErrCorrupt):
		return Copy{}, fmt.Errorf("%w; the copy that was kept is of no use: %v", err, damage)
	case kept == nil, file.Digest != "": // what is kept is then another file than was asked for
		return Copy{}, err
	}
	return f.copyOf(kept, err), nil
}

// ask asks the mirrors in turn, and all of them again after a wait, until one has answered.
func (f *Fetcher) ask(ctx context.Context, file *File, mirrors []*url.URL, kept *record) (*record, error) {
	failures := make([]error, len(mirrors))
	for try := 0; ; try++ {
		for i, u := range mirrors {
			if failures[i] != nil && !again(failures[i]) {
				continue
			}
			r, err := f.mirror(ctx, file, u, kept)
			if err == nil {
				return r, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			failures[i] = fmt.Errorf("%s: %w", u.Redacted(), err)
		}
		pause, worth := f.pause(try, failures)
		if !worth {
			return nil, joined(file.Name, failures)
		}
		if err := f.config.Wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// mirror asks one mirror. A download that was interrupted is resumed at once while it gets on.
func (f *Fetcher) mirror(ctx context.Context, file *File, u *url.URL, kept *record) (*record, error) {
	for n := 0; ; n++ {
		if err := f.held(u); err != nil {
			return nil, err
		}
		r, err := f.attempt(ctx, file, u, kept)
		if err == nil {
			return r, nil
		}
		f.hold(u, err)
		var cut *interruption
		if !errors.As(err, &cut) || !cut.further || n >= f.config.Tries || ctx.Err() != nil {
			return nil, err
		}
	}
}
