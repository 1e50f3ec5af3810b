package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/fetch"
)

// A clock stands still but for waits, which it takes at once and notes.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}

func (c *clock) advance(d time.Duration) { _ = c.Wait(context.Background(), d) }

// fetcher returns a fetcher that may talk to servers of this machine.
func fetcher(t *testing.T, change ...func(*fetch.Config)) (*fetch.Fetcher, *clock) {
	t.Helper()
	c := newClock()
	config := fetch.Config{Folder: t.TempDir(), UserAgent: "patchflow-test/1", AllowPrivate: true, Now: c.Now, Wait: c.Wait}
	for _, f := range change {
		f(&config)
	}
	f, err := fetch.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f, c
}

func server(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func file(urls ...string) fetch.File { return fetch.File{Name: "feed.json", URLs: urls} }

func text(t *testing.T, c fetch.Copy) string {
	t.Helper()
	require.NotNil(t, c.Open)
	r, err := c.Open()
	require.NoError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.EqualValues(t, len(data), c.Size)
	require.Equal(t, digest(string(data)), c.Digest)
	return string(data)
}

func digest(text string) patch.Digest {
	sum := sha256.Sum256([]byte(text))
	return patch.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// A feed is a file on a server, with its requests.
type feed struct {
	mu       sync.Mutex
	text     string
	etag     string
	modified time.Time
	broken   int // answered instead, if not 0
	requests []*http.Request
}

func (f *feed) set(text, etag string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text, f.etag = text, etag
}

func (f *feed) fail(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = status
}

func (f *feed) last() *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}

func (f *feed) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	if f.broken != 0 {
		w.WriteHeader(f.broken)
		return
	}
	if f.etag != "" {
		w.Header().Set("ETag", f.etag)
	}
	http.ServeContent(w, r, "", f.modified, strings.NewReader(f.text))
}

func TestNewNamesEveryFieldThatIsWrong(t *testing.T) {
	_, err := fetch.New(fetch.Config{UserAgent: "a\nb"})
	require.ErrorContains(t, err, "no Folder")
	require.ErrorContains(t, err, `UserAgent is "a\nb"`)
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	_, err = fetch.New(fetch.Config{UserAgent: "x", Folder: name})
	require.Error(t, err)
}

func TestGetRefusesWhatIsNoFile(t *testing.T) {
	f, _ := fetcher(t)
	for _, row := range []struct {
		file fetch.File
		want string
	}{
		{fetch.File{URLs: []string{"http://a/"}}, "a name of 0 bytes"},
		{fetch.File{Name: "x"}, "no URLs"},
		{fetch.File{Name: "x", URLs: []string{"ftp://u:secret@a/"}}, "ftp://u:xxxxx@a/: want http or https"},
		{fetch.File{Name: "x", URLs: []string{"http://u:secret@[a/"}}, "URLs[0] is no address"},
		{fetch.File{Name: "x", URLs: []string{"http:///a"}}, "no host"},
		{fetch.File{Name: "x", URLs: []string{"http://a/"}, Digest: "md5:00"}, "want sha256"},
	} {
		_, err := f.Get(t.Context(), row.file)
		require.ErrorContains(t, err, row.want)
		require.NotContains(t, err.Error(), "secret")
		require.Equal(t, patch.Permanent, patch.FaultOf(err))
	}
}

func TestGetConfirmsWhatHasNotChanged(t *testing.T) {
	modified := time.Date(2026, 11, 20, 1, 2, 3, 0, time.UTC)
	for _, row := range []struct{ name, etag, header, value string }{
		{"by its ETag", `"v1"`, "If-None-Match", `"v1"`},
		{"by its day", "", "If-Modified-Since", modified.Format(http.TimeFormat)},
	} {
		t.Run(row.name, func(t *testing.T) {
			remote := &feed{text: "one", etag: row.etag, modified: modified}
			s := server(t, remote.ServeHTTP)
			f, clock := fetcher(t)
			first, err := f.Get(t.Context(), file(s.URL+"/a"))
			require.NoError(t, err)
			require.Equal(t, "one", text(t, first))
			require.True(t, first.Changed)
			require.NoError(t, first.Stale)
			require.Equal(t, modified, first.Modified)
			require.Equal(t, s.URL+"/a", first.URL)
			require.Equal(t, clock.Now(), first.Fetched)
			require.Equal(t, "patchflow-test/1", remote.last().UserAgent())
			require.Equal(t, "identity", remote.last().Header.Get("Accept-Encoding"))
			require.Empty(t, remote.last().Header.Get(row.header))

			clock.advance(time.Hour)
			again, err := f.Get(t.Context(), file(s.URL+"/a"))
			require.NoError(t, err)
			require.Equal(t, row.value, remote.last().Header.Get(row.header))
			require.Equal(t, "one", text(t, again))
			require.False(t, again.Changed)
			require.Equal(t, first.Fetched, again.Fetched)
			require.Equal(t, first.Fetched.Add(time.Hour), again.Checked)
			require.False(t, again.Served.IsZero(), "the server's own clock")

			remote.set("two", `"v2"`)
			remote.modified = modified.Add(time.Hour)
			clock.advance(time.Hour)
			changed, err := f.Get(t.Context(), file(s.URL+"/a"))
			require.NoError(t, err)
			require.True(t, changed.Changed)
			require.Equal(t, "two", text(t, changed))
			require.Equal(t, "one", text(t, first), "a copy that is in use outlives one that takes its place")
			require.Equal(t, clock.Now(), changed.Fetched)
		})
	}
}

func TestTheLastGoodCopyStaysInForce(t *testing.T) {
	for status, want := range map[int]patch.Fault{404: patch.Permanent, 410: patch.Permanent, 403: patch.Permanent, 503: patch.Transient,
		429: patch.Transient, 408: patch.Transient, 304: patch.Transient, 500: patch.Transient} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			remote := &feed{text: "one"} // without a validator: a 304 is no answer
			s := server(t, remote.ServeHTTP)
			f, clock := fetcher(t)
			remote.fail(status)
			_, err := f.Get(t.Context(), file(s.URL))
			require.Equal(t, want, patch.FaultOf(err), "%v", err)
			if want == patch.Permanent {
				require.Equal(t, 1, remote.count(), "asked once")
			} else {
				require.Equal(t, 3, remote.count(), "asked three times")
			}

			remote.fail(0)
			first, err := f.Get(t.Context(), file(s.URL))
			require.NoError(t, err)
			remote.fail(status)
			clock.advance(time.Hour)
			stale, err := f.Get(t.Context(), file(s.URL))
			require.NoError(t, err)
			require.Equal(t, "one", text(t, stale))
			require.Equal(t, want, patch.FaultOf(stale.Stale), "%v", stale.Stale)
			require.ErrorContains(t, stale.Stale, fmt.Sprint(status))
			require.Equal(t, first.Checked, stale.Checked, "nobody has confirmed it since")
			require.False(t, stale.Changed)
		})
	}
}

func TestKeptAsksNobody(t *testing.T) {
	remote := &feed{text: "one"}
	s := server(t, remote.ServeHTTP)
	folder := t.TempDir()
	f, _ := fetcher(t, func(c *fetch.Config) { c.Folder = folder })
	_, err := f.Kept("feed.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = f.Get(t.Context(), file(s.URL))
	require.NoError(t, err)
	later, _ := fetcher(t, func(c *fetch.Config) { c.Folder = folder })
	c, err := later.Kept("feed.json")
	require.NoError(t, err)
	require.Equal(t, "one", text(t, c))
	require.Error(t, c.Stale)
	require.Equal(t, 1, remote.count())
}

func TestADamagedCopyIsFetchedAnew(t *testing.T) {
	for name, damage := range map[string]func(name string, data []byte) []byte{
		"a flipped bit in the copy":  func(name string, data []byte) []byte { return flip(name, ".data", data) },
		"a copy that is cut short":   func(name string, data []byte) []byte { return cut(name, ".data", data) },
		"a record that is cut short": func(name string, data []byte) []byte { return cut(name, ".json", data) },
		"a record of something else": func(name string, data []byte) []byte {
			return bytes.ReplaceAll(data, []byte("feed.json"), []byte("deed.json"))
		},
		"an empty record": func(name string, data []byte) []byte { return only(name, ".json", data, nil) },
		"a record with no digest": func(name string, data []byte) []byte {
			return only(name, ".json", data, []byte(`{"name":"feed.json"}`))
		},
		"a record that leads outside": func(name string, data []byte) []byte {
			return bytes.ReplaceAll(data, []byte(`"data": "`), []byte(`"data": "../`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			remote := &feed{text: "one and some more", etag: `"v1"`}
			s := server(t, remote.ServeHTTP)
			folder := t.TempDir()
			f, _ := fetcher(t, func(c *fetch.Config) { c.Folder = folder })
			first, err := f.Get(t.Context(), file(s.URL))
			require.NoError(t, err)
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			require.Len(t, entries, 2)
			changed := false
			for _, e := range entries {
				path := filepath.Join(folder, e.Name())
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				damaged := damage(e.Name(), bytes.Clone(data))
				changed = changed || !bytes.Equal(data, damaged)
				require.NoError(t, os.WriteFile(path, damaged, 0o600))
			}
			require.True(t, changed)
			_, err = f.Kept("feed.json")
			require.ErrorIs(t, err, patch.ErrCorrupt)
			if strings.HasSuffix(name, "the copy") {
				r, err := first.Open()
				require.NoError(t, err)
				_, err = io.ReadAll(r)
				require.ErrorIs(t, err, patch.ErrCorrupt, "who reads it is told")
				require.NoError(t, r.Close())
			}
			again, err := f.Get(t.Context(), file(s.URL))
			require.NoError(t, err)
			require.Empty(t, remote.last().Header.Get("If-None-Match"))
			require.Equal(t, "one and some more", text(t, again))
		})
	}
}

func only(name, suffix string, data, instead []byte) []byte {
	if strings.HasSuffix(name, suffix) {
		return instead
	}
	return data
}

func flip(name, suffix string, data []byte) []byte {
	flipped := bytes.Clone(data)
	flipped[len(data)/2] ^= 1
	return only(name, suffix, data, flipped)
}

func cut(name, suffix string, data []byte) []byte {
	return only(name, suffix, data, data[:len(data)/2])
}

func TestMirrorsAreAskedInTurn(t *testing.T) {
	gone, busy, good := &feed{broken: 404}, &feed{broken: 503}, &feed{text: "one", etag: `"x"`}
	a, b, c := server(t, gone.ServeHTTP), server(t, busy.ServeHTTP), server(t, good.ServeHTTP)
	f, clock := fetcher(t)
	got, err := f.Get(t.Context(), file(a.URL, b.URL, c.URL))
	require.NoError(t, err)
	require.Equal(t, "one", text(t, got))
	require.Equal(t, c.URL, got.URL)
	require.Empty(t, clock.waits)

	good.fail(503)
	got, err = f.Get(t.Context(), file(a.URL, b.URL, c.URL))
	require.NoError(t, err)
	require.Equal(t, patch.Transient, patch.FaultOf(got.Stale), "one that may yet answer counts more than one that will not")
	for _, want := range []string{a.URL + ": the server answers \"404", b.URL + ": the server answers \"503", c.URL + ": the server answers \"503"} {
		require.ErrorContains(t, got.Stale, want)
	}
	require.Equal(t, 2, gone.count(), "404 is not asked again in the same call")
	require.Equal(t, 1+3, busy.count())
	require.Len(t, clock.waits, 2)
	require.LessOrEqual(t, clock.waits[0], 2*time.Second)
	require.GreaterOrEqual(t, clock.waits[0], time.Second)
	require.LessOrEqual(t, clock.waits[1], 4*time.Second)
	require.GreaterOrEqual(t, clock.waits[1], 2*time.Second)

	// Each mirror is asked by its own names for the content.
	good.fail(0)
	gone.fail(0)
	gone.set("one", `"y"`)
	for range 2 {
		got, err = f.Get(t.Context(), file(a.URL, b.URL, c.URL))
		require.NoError(t, err)
		require.False(t, got.Changed)
	}
	require.Equal(t, `"y"`, gone.last().Header.Get("If-None-Match"))
	gone.fail(404)
	_, err = f.Get(t.Context(), file(a.URL, c.URL))
	require.NoError(t, err)
	require.Equal(t, `"x"`, good.last().Header.Get("If-None-Match"))
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var asked atomic.Int32
	after := "7"
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, "one")
	})
	f, clock := fetcher(t)
	got, err := f.Get(t.Context(), file(s.URL))
	require.NoError(t, err)
	require.Equal(t, "one", text(t, got))
	require.Equal(t, []time.Duration{7 * time.Second}, clock.waits)

	// More patience than a call has: the caller is told, and the server is left alone until then.
	for name, value := range map[string]string{"seconds": "3600", "a date": newClock().now.Add(time.Hour).Format(http.TimeFormat)} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			after = value
			f, clock := fetcher(t)
			for range 2 {
				_, err := f.Get(t.Context(), file(s.URL))
				var patience *patch.RetryAfterError
				require.ErrorAs(t, err, &patience)
				require.Equal(t, time.Hour, patience.After)
				require.EqualValues(t, 1, asked.Load())
			}
			require.Empty(t, clock.waits)
			clock.advance(time.Hour)
			_, err := f.Get(t.Context(), file(s.URL))
			require.NoError(t, err)
		})
	}
}

func TestADigestIsPinned(t *testing.T) {
	right, wrong := &feed{text: "one", etag: `"a"`}, &feed{text: "two", etag: `"a"`}
	a, b := server(t, wrong.ServeHTTP), server(t, right.ServeHTTP)
	f, _ := fetcher(t)
	pinned := file(a.URL, b.URL)
	pinned.Digest = digest("one")
	got, err := f.Get(t.Context(), pinned)
	require.NoError(t, err)
	require.Equal(t, "one", text(t, got))
	require.Equal(t, 1, wrong.count())

	_, err = f.Get(t.Context(), pinned)
	require.NoError(t, err)
	require.Equal(t, 1, wrong.count()+right.count()-1, "what is pinned and there needs no server")

	pinned.Digest = digest("three")
	_, err = f.Get(t.Context(), pinned)
	require.Equal(t, patch.Untrusted, patch.FaultOf(err), "%v", err)
	require.Empty(t, right.last().Header.Get("If-None-Match"), "another file than the one that is kept")
	kept, err := f.Kept(pinned.Name)
	require.NoError(t, err)
	require.Equal(t, "one", text(t, kept))
}

func TestCheckDecidesWhatIsGood(t *testing.T) {
	remote := &feed{text: "good", etag: `"1"`}
	s := server(t, remote.ServeHTTP)
	f, _ := fetcher(t)
	checked := file(s.URL)
	checked.Check = func(open source.Opener) error {
		r, err := open()
		if err != nil {
			return err
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err == nil && !strings.HasPrefix(string(data), "good") {
			err = fmt.Errorf("it says %q: %w", data, patch.ErrUntrusted)
		}
		return err
	}
	_, err := f.Get(t.Context(), checked)
	require.NoError(t, err)
	remote.set("evil", `"2"`)
	got, err := f.Get(t.Context(), checked)
	require.NoError(t, err)
	require.Equal(t, "good", text(t, got))
	require.ErrorContains(t, got.Stale, `refused: it says "evil"`)
	require.Equal(t, patch.Untrusted, patch.FaultOf(got.Stale))
	remote.set("good again", `"3"`)
	got, err = f.Get(t.Context(), checked)
	require.NoError(t, err)
	require.NoError(t, got.Stale)
	require.Equal(t, "good again", text(t, got))
}

func TestCallsForOneFileAreOneDownload(t *testing.T) {
	var asked atomic.Int32
	begun, release := make(chan struct{}, 10), make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		begun <- struct{}{}
		<-release
		fmt.Fprint(w, "one")
	})
	f, _ := fetcher(t)
	var all sync.WaitGroup
	get := func(ctx context.Context, want error) {
		all.Go(func() {
			got, err := f.Get(ctx, file(s.URL))
			if want != nil {
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
				return
			}
			if err != nil || got.Size != 3 {
				t.Errorf("got %d bytes, %v", got.Size, err)
			}
		})
	}
	early, leave := context.WithCancel(t.Context())
	get(early, context.Canceled)
	<-begun
	for range 8 {
		get(t.Context(), nil)
	}
	require.Eventually(t, func() bool { return fetch.Waiting(f, "feed.json") == 9 }, time.Minute, time.Millisecond)
	leave() // the one who was first
	require.Eventually(t, func() bool { return fetch.Waiting(f, "feed.json") == 8 }, time.Minute, time.Millisecond)
	close(release)
	all.Wait()
	require.EqualValues(t, 1, asked.Load())
}

func TestADownloadEndsWhenNobodyWaits(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})
	f, _ := fetcher(t, func(c *fetch.Config) { c.Stall = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := f.Get(ctx, file(s.URL))
		failed <- err
	}()
	<-begun
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	<-ended
	_, err := f.Get(ctx, file(s.URL))
	require.ErrorIs(t, err, context.Canceled)
}

// Whoever comes when the last one has just left does not get what that one has cancelled.
func TestACallDoesNotJoinADownloadThatIsCancelled(t *testing.T) {
	remote := &feed{text: "one", broken: http.StatusServiceUnavailable}
	s := server(t, remote.ServeHTTP)
	waiting, release := make(chan struct{}), make(chan struct{})
	f, _ := fetcher(t, func(c *fetch.Config) {
		c.Wait = func(ctx context.Context, _ time.Duration) error {
			close(waiting)
			<-release
			return ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	get := func(ctx context.Context, to chan error) {
		_, err := f.Get(ctx, file(s.URL))
		to <- err
	}
	go get(ctx, first)
	<-waiting
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	remote.fail(0)
	asks := &asking{Context: t.Context(), asked: make(chan struct{})}
	go get(asks, second)
	<-asks.asked
	close(release)
	require.NoError(t, <-second)
}

// An asking context tells that somebody has begun to wait for its end.
type asking struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (a *asking) Done() <-chan struct{} {
	a.once.Do(func() { close(a.asked) })
	return a.Context.Done()
}

func TestOnlyTwoCopiesAreKept(t *testing.T) {
	remote := &feed{}
	s := server(t, remote.ServeHTTP)
	folder := t.TempDir()
	f, _ := fetcher(t, func(c *fetch.Config) { c.Folder = folder })
	var copies []fetch.Copy
	for i := range 5 {
		remote.set(fmt.Sprint(i), fmt.Sprintf(`"%d"`, i))
		c, err := f.Get(t.Context(), file(s.URL))
		require.NoError(t, err)
		copies = append(copies, c)
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	require.Equal(t, "3", text(t, copies[3]))
	_, err = copies[2].Open()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestNewTidiesUp(t *testing.T) {
	folder := t.TempDir()
	for name, age := range map[string]time.Duration{"old.tmp": 25 * time.Hour, "new.tmp": time.Hour, "old.data": 1000 * time.Hour} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
		at := newClock().now.Add(-age)
		require.NoError(t, os.Chtimes(filepath.Join(folder, name), at, at))
	}
	fetcher(t, func(c *fetch.Config) { c.Folder = folder })
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.NoFileExists(t, filepath.Join(folder, "old.tmp"))
}

func TestFolder(t *testing.T) {
	d := fetch.Folder{Name: "repo", URLs: []string{"https://a.example/x?token=1", "https://b.example/x/"}}
	got, err := d.File("repodata/a b%.xml")
	require.NoError(t, err)
	require.Equal(t, fetch.File{Name: "repo/repodata/a b%.xml",
		URLs: []string{"https://a.example/x/repodata/a%20b%25.xml?token=1", "https://b.example/x/repodata/a%20b%25.xml"}}, got)
	for _, path := range []string{"", ".", "/etc/passwd", "../x", "a/../b", "a//b"} {
		_, err := d.File(path)
		require.Equal(t, patch.Permanent, patch.FaultOf(err), "%q", path)
	}
}
