package signed_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/fetch"
	"github.com/patchflow/patchflow/providers/source/signed"
)

// What was accepted before is remembered by its date. An older InRelease, signed as well, is a replay.
func Example() {
	key := newSeal('k') // a host uses signed.GPGV, or the keyring of signed/openpgp
	judge, err := signed.New(signed.Config{
		Verifier: key,
		Now:      func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var last time.Time
	for _, day := range []string{"Sat, 21 Nov 2026 12:00:00 UTC", "Fri, 20 Nov 2026 12:00:00 UTC"} {
		inRelease := key.clear(release("Date: " + day))
		r, err := judge.Release(context.Background(), opener(inRelease), signed.Want{Codename: "bookworm-security", Last: last})
		if err != nil {
			fmt.Println("nobody knows:", err)
			return
		}
		fmt.Println(r.Verdict, r.Reason)
		if r.Verdict == signed.Fresh {
			last = r.Date
		}
	}
	// Output:
	// fresh <nil>
	// replayed it is of 2026-11-20T12:00:00Z, and one of 2026-11-21T12:00:00Z was accepted before
}

// An archive is fetched from its InRelease down: that is judged before it takes the place of the last good one, and names the
// digest and the place of the index.
func Example_fetch() {
	key := newSeal('k')
	archive := map[string]string{
		"/InRelease": key.clear(release("SHA256:\n " + hash(packages) + fmt.Sprintf(" %d main/binary-amd64/Packages", len(packages)))),
		"/main/binary-amd64/by-hash/SHA256/" + hash(packages): packages,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if archive[r.URL.Path] == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, archive[r.URL.Path])
	}))
	defer server.Close()
	dir, err := os.MkdirTemp("", "feeds")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	fetcher, err := fetch.New(fetch.Config{Folder: dir, UserAgent: "example-rmm/1.0", AllowPrivate: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fetcher.Close()
	judge, err := signed.New(signed.Config{Verifier: key, Now: func() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }})
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	folder := fetch.Folder{Name: "bookworm-security", URLs: []string{server.URL}}
	get := func() (fetch.Copy, signed.Release, error) {
		file, err := folder.File("InRelease")
		if err != nil {
			return fetch.Copy{}, signed.Release{}, err
		}
		var judged signed.Release
		file.Check = func(open source.Opener) error {
			r, err := judge.Release(ctx, open, signed.Want{Codename: "bookworm-security"})
			if err == nil {
				judged, err = r, r.Err()
			}
			return err
		}
		copied, err := fetcher.Get(ctx, file)
		return copied, judged, err
	}
	_, r, err := get()
	if err != nil {
		fmt.Println(err)
		return
	}
	index, _ := r.Packages("main", "amd64")
	file, err := folder.File(index.Location())
	if err != nil {
		fmt.Println(err)
		return
	}
	file.Digest = index.Digest
	copied, err := fetcher.Get(ctx, file)
	fmt.Println(r.Verdict, copied.Digest == index.Digest, err)

	archive["/InRelease"] = release()
	last, _, err := get()
	fmt.Println(patch.FaultOf(last.Stale), last.Open != nil, err)
	// Output:
	// fresh true <nil>
	// untrusted true <nil>
}
