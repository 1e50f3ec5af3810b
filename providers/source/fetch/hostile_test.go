package fetch_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/fetch"
)

// raw serves what answers say, one connection each, whatever HTTP makes of it. It returns the address and the requests.
func raw(t *testing.T, answers ...string) (string, func() []*http.Request) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var requests []*http.Request
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				mu.Lock()
				answer := answers[min(len(requests), len(answers)-1)]
				requests = append(requests, r)
				mu.Unlock()
				_, _ = io.WriteString(c, strings.ReplaceAll(answer, "\n", "\r\n"))
			}
			_ = c.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); done.Wait() })
	return "http://" + l.Addr().String(), func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return requests
	}
}

func TestAnInterruptedDownloadIsResumed(t *testing.T) {
	const day = "Date: Sun, 22 Nov 2026 12:00:00 GMT\n"
	const head, rest = "HTTP/1.1 200 OK\nContent-Length: 10\n" + day, "HTTP/1.1 206 Partial Content\n" + day
	const whole = "HTTP/1.1 200 OK\nContent-Length: 10\n" + day + "ETag: \"b\"\n\nabcdefghij"
	for _, row := range []struct {
		name, first, second string
		after               string // what the third request is answered, if there is one
		ranges, ifRange     string // of the second request
		want                string
	}{
		{"by its ETag", head + "ETag: \"a\"\n\n0123", rest + "ETag: \"a\"\nContent-Range: bytes 4-9/10\nContent-Length: 6\n\n456789", "",
			"bytes=4-", `"a"`, "0123456789"},
		{"by its day, if that is old enough", head + "Last-Modified: Sun, 22 Nov 2026 11:00:00 GMT\n\n0123",
			rest + "Content-Range: bytes 4-9/10\nContent-Length: 6\n\n456789", "", "bytes=4-", "Sun, 22 Nov 2026 11:00:00 GMT", "0123456789"},
		{"not by a day that may have seen two versions", head + "Last-Modified: Sun, 22 Nov 2026 11:59:30 GMT\n\n0123", whole, "", "", "", "abcdefghij"},
		{"not by a weak ETag", head + "ETag: W/\"a\"\n\n0123", whole, "", "", "", "abcdefghij"},
		{"nor by its day then", head + "ETag: W/\"a\"\nLast-Modified: Sun, 22 Nov 2026 11:00:00 GMT\n\n0123", whole, "", "", "", "abcdefghij"},
		{"not without a name for the version", head + "\n0123", whole, "", "", "", "abcdefghij"},
		{"from the start if the file has changed", head + "ETag: \"a\"\n\n0123", whole, "", "bytes=4-", `"a"`, "abcdefghij"},
		{"from the start if the server sends the rest of another version", head + "ETag: \"a\"\n\n0123",
			rest + "ETag: \"b\"\nContent-Range: bytes 4-9/10\nContent-Length: 6\n\nefghij", whole, "bytes=4-", `"a"`, "abcdefghij"},
		{"from the start if the rest begins elsewhere", head + "ETag: \"a\"\n\n0123",
			rest + "ETag: \"a\"\nContent-Range: bytes 5-9/10\nContent-Length: 5\n\n56789", whole, "bytes=4-", `"a"`, "abcdefghij"},
		{"from the start if the whole has another length", head + "ETag: \"a\"\n\n0123",
			rest + "ETag: \"a\"\nContent-Range: bytes 4-10/11\nContent-Length: 7\n\n456789x", whole, "bytes=4-", `"a"`, "abcdefghij"},
		{"from the start if the rest is not all of it", head + "ETag: \"a\"\n\n0123",
			rest + "ETag: \"a\"\nContent-Range: bytes 4-6/10\nContent-Length: 3\n\n456", whole, "bytes=4-", `"a"`, "abcdefghij"},
		{"from the start if there is no rest", head + "ETag: \"a\"\n\n0123",
			"HTTP/1.1 416 Range Not Satisfiable\nContent-Range: bytes */2\nContent-Length: 0\n\n", whole, "bytes=4-", `"a"`, "abcdefghij"},
		{"from the start if less comes than was said", head + "ETag: \"a\"\n\n0123",
			rest + "ETag: \"a\"\nContent-Range: bytes 4-9/10\nTransfer-Encoding: chunked\n\n2\n45\n0\n\n", whole, "bytes=4-", `"a"`, "abcdefghij"},
		{"and again", head + "ETag: \"a\"\n\n0123", rest + "ETag: \"a\"\nContent-Range: bytes 4-9/10\nContent-Length: 6\n\n45",
			rest + "ETag: \"a\"\nContent-Range: bytes 6-9/10\nContent-Length: 4\n\n6789", "bytes=4-", `"a"`, "0123456789"},
	} {
		t.Run(row.name, func(t *testing.T) {
			answers := []string{row.first, row.second}
			if row.after != "" {
				answers = append(answers, row.after)
			}
			url, requests := raw(t, answers...)
			f, _ := fetcher(t)
			got, err := f.Get(t.Context(), file(url))
			require.NoError(t, err)
			require.Equal(t, row.want, text(t, got))
			all := requests()
			require.Len(t, all, len(answers))
			require.Equal(t, row.ranges, all[1].Header.Get("Range"))
			require.Equal(t, row.ifRange, all[1].Header.Get("If-Range"))
		})
	}
}

func TestADownloadIsResumedByTheNextProcess(t *testing.T) {
	const first = "HTTP/1.1 200 OK\nContent-Length: 10\nETag: \"a\"\n\n0123"
	for name, row := range map[string]struct {
		damage func(t *testing.T, path string)
		want   string
	}{
		"if what it left is whole":   {func(*testing.T, string) {}, "bytes=4-"},
		"not if a crash has torn it": {func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("012\x00"), 0o600)) }, ""},
		"not if more was written":    {func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("01234"), 0o600)) }, ""},
		"not if it is gone":          {func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := raw(t, first, "HTTP/1.1 500 No\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx")
			folder := t.TempDir()
			f, _ := fetcher(t, func(c *fetch.Config) { c.Folder, c.Tries = folder, 1 })
			_, err := f.Get(t.Context(), file(url))
			require.Error(t, err)
			require.Len(t, requests(), 2)
			require.Equal(t, "bytes=4-", requests()[1].Header.Get("Range"))
			row.damage(t, only1(t, folder))

			next, _ := fetcher(t, func(c *fetch.Config) { c.Folder = folder })
			_, err = next.Get(t.Context(), file(url))
			require.NoError(t, err)
			require.Equal(t, row.want, requests()[2].Header.Get("Range"))
			names, err := filepath.Glob(filepath.Join(folder, "*.[pt]*")) // part, part.json, tmp
			require.NoError(t, err)
			require.Empty(t, names)
		})
	}
}

// ETags of two servers have nothing to do with each other.
func TestADownloadIsResumedWhereItBegan(t *testing.T) {
	a, _ := raw(t, "HTTP/1.1 200 OK\nContent-Length: 10\nETag: \"a\"\n\n0123", "HTTP/1.1 404 Not Found\nContent-Length: 0\n\n")
	b, requests := raw(t, "HTTP/1.1 200 OK\nContent-Length: 10\nETag: \"a\"\n\nabcdefghij")
	folder := t.TempDir()
	f, _ := fetcher(t, func(c *fetch.Config) { c.Folder = folder })
	got, err := f.Get(t.Context(), file(a, b))
	require.NoError(t, err)
	require.Equal(t, "abcdefghij", text(t, got))
	require.Empty(t, requests()[0].Header.Get("Range"))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 2, "what the first has left half done is gone")
}

func only1(t *testing.T, folder string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.part"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	return names[0]
}

func TestAnswersThatAreRefused(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err := w.Write(make([]byte, 16<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, row := range []struct {
		name   string
		path   string
		answer http.HandlerFunc
		want   string
		fault  patch.Fault
	}{
		{"a file that says that it is too large", "/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(2<<20))
			w.WriteHeader(http.StatusOK)
		}, "a file of 2097152 bytes, of at most 1048576", patch.Permanent},
		{"a gibibyte of zeros", "/", func(w http.ResponseWriter, _ *http.Request) {
			for range 1 << 10 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, "more than 1048576 bytes", patch.Permanent},
		{"a compression that nobody has asked for", "/feed.json", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
		}, `the server sends "gzip", unasked`, patch.Permanent},
		{"another one", "/feed.json.gz", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
		}, `the server sends "br", unasked`, patch.Permanent},
		{"a part that nobody has asked for", "/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 1-2/3")
			w.WriteHeader(http.StatusPartialContent)
		}, "a part of the file to a request for the whole", patch.Transient},
		{"one that says nothing in time", "/", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, "timeout awaiting response headers", patch.Transient},
		{"one that stops in the middle", "/", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "one")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "the server sends nothing", patch.Transient},
		{"a redirect in a circle", "/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/", http.StatusFound)
		}, "more than 5 redirects", patch.Permanent},
		{"a redirect to a file", "/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		}, "redirected to file://", patch.Permanent},
		{"headers without an end", "/", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 40 {
				w.Header().Set("X-"+strconv.Itoa(i), strings.Repeat("x", 10<<10))
			}
		}, "exceeded", patch.Transient},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := server(t, row.answer)
			folder := t.TempDir()
			f, _ := fetcher(t, func(c *fetch.Config) {
				c.Folder, c.MaxBytes, c.Tries, c.Stall = folder, 1<<20, 1, 100*time.Millisecond
			})
			_, err := f.Get(t.Context(), file(s.URL+row.path))
			require.ErrorContains(t, err, row.want)
			require.Equal(t, row.fault, patch.FaultOf(err), "%v", err)
			if strings.Contains(row.want, "1048576") {
				require.ErrorIs(t, err, source.ErrTooLarge)
			}
			var size int64
			entries, err := os.ReadDir(folder)
			require.NoError(t, err)
			for _, e := range entries {
				info, err := e.Info()
				require.NoError(t, err)
				size += info.Size()
			}
			require.Less(t, size, int64(1<<20), "nothing is left behind")
		})
	}
}

// One byte now and then keeps no attempt alive for ever.
func TestASlowServerIsLeftAfterAWhile(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-r.Context().Done():
				tick.Stop()
				return
			case <-tick.C:
				fmt.Fprint(w, "x")
				w.(http.Flusher).Flush()
			}
		}
	})
	f, _ := fetcher(t, func(c *fetch.Config) { c.Attempt, c.Tries = 100*time.Millisecond, 1 })
	_, err := f.Get(t.Context(), file(s.URL))
	require.ErrorContains(t, err, "not done after 100ms")
	require.Equal(t, patch.Transient, patch.FaultOf(err))
}

func TestALengthThatIsALie(t *testing.T) {
	// Less than was promised is no file, in any way of telling the length.
	for name, answer := range map[string]string{
		"more than comes":      "HTTP/1.1 200 OK\nContent-Length: 10\n\n0123",
		"chunks without end":   "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n4\n0123\n",
		"nothing of the kind":  "HTTP/1.1 200 OK\nConnection: close\n\n0123",
		"of an older protocol": "HTTP/1.0 200 OK\n\n0123",
		"no number":            "HTTP/1.1 200 OK\nContent-Length: many\n\n0123",
		"two of them":          "HTTP/1.1 200 OK\nContent-Length: 4\nContent-Length: 5\n\n0123",
		"not HTTP":             "SSH-2.0-OpenSSH_9.2\n\n",
		"nothing at all":       "",
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := raw(t, answer)
			f, _ := fetcher(t)
			_, err := f.Get(t.Context(), file(url))
			require.Error(t, err)
			require.Equal(t, patch.Transient, patch.FaultOf(err))
			_, err = f.Kept("feed.json")
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
	// With a digest it does not matter who says when the file is whole.
	url, _ := raw(t, "HTTP/1.1 200 OK\nConnection: close\n\n0123")
	f, _ := fetcher(t)
	pinned := file(url)
	pinned.Digest = digest("0123")
	got, err := f.Get(t.Context(), pinned)
	require.NoError(t, err)
	require.Equal(t, "0123", text(t, got))
}

// Apache may call a file in gzip an encoding of what is in it.
func TestAFileInGzipIsKeptAsItIs(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "x-gzip")
		fmt.Fprint(w, "\x1f\x8b...")
	})
	f, _ := fetcher(t)
	got, err := f.Get(t.Context(), file(s.URL+"/Packages.gz"))
	require.NoError(t, err)
	require.Equal(t, "\x1f\x8b...", text(t, got))
}

func TestRedirects(t *testing.T) {
	var referer, user string
	last := server(t, func(w http.ResponseWriter, r *http.Request) {
		referer = r.Referer()
		user, _, _ = r.BasicAuth()
		fmt.Fprint(w, "one")
	})
	var first string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		first, _, _ = r.BasicAuth()
		// Another name of the same machine is another host.
		http.Redirect(w, r, strings.Replace(last.URL, "127.0.0.1", "localhost", 1)+"/x", http.StatusTemporaryRedirect)
	})
	f, _ := fetcher(t)
	got, err := f.Get(t.Context(), file(strings.Replace(s.URL, "http://", "http://me:secret@", 1)+"/?token=1"))
	require.NoError(t, err)
	require.Equal(t, "one", text(t, got))
	require.Equal(t, "me", first)
	require.Empty(t, user, "the password is for the first host alone")
	require.Empty(t, referer, "and so is the address")
	require.NotContains(t, got.URL, "secret")

	f, _ = fetcher(t, func(c *fetch.Config) { c.Redirects = -1 })
	_, err = f.Get(t.Context(), file(s.URL))
	require.ErrorContains(t, err, "more than 0 redirects")
}

func TestTLS(t *testing.T) {
	plain := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "one") })
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		fmt.Fprint(w, r.Proto)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is refused
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)

	f, _ := fetcher(t)
	_, err := f.Get(t.Context(), file(s.URL))
	require.Equal(t, patch.Untrusted, patch.FaultOf(err), "%v", err)

	f, _ = fetcher(t, func(c *fetch.Config) { c.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig })
	got, err := f.Get(t.Context(), file(s.URL))
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", text(t, got))
	down := file(s.URL + "/down")
	down.Name = "down"
	_, err = f.Get(t.Context(), down)
	require.ErrorContains(t, err, "redirected from https to http://")
	require.Equal(t, patch.Untrusted, patch.FaultOf(err))
}

func TestProxy(t *testing.T) {
	var asked string
	proxy := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		fmt.Fprint(w, "one")
	})
	u, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	f, _ := fetcher(t, func(c *fetch.Config) { c.Proxy = http.ProxyURL(u) })
	_, err = f.Get(t.Context(), file("http://feeds.example/a"))
	require.NoError(t, err)
	require.Equal(t, "http://feeds.example/a", asked)
	_, err = f.Get(t.Context(), fetch.File{Name: "b", URLs: []string{"http://169.254.169.254/latest"}})
	require.ErrorIs(t, err, fetch.ErrAddress, "a proxy is no way around, as far as the address can be seen")

	t.Setenv("HTTP_PROXY", proxy.URL)
	asked = ""
	direct := server(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "two") })
	f, _ = fetcher(t)
	_, err = f.Get(t.Context(), file(direct.URL))
	require.NoError(t, err)
	require.Empty(t, asked, "the environment configures nothing")
}

func TestADiskThatIsFull(t *testing.T) {
	err := fetch.Classify(fmt.Errorf("write: %w", fetch.NoSpace))
	require.Equal(t, patch.DiskFull, patch.FaultOf(err))
	require.NoError(t, fetch.Classify(nil))
	require.Equal(t, "x", fetch.Classify(&url.Error{Op: "Get", URL: "http://me:secret@a/", Err: errors.New("x")}).Error())
}
