package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
	"github.com/patchflow/patchflow/providers/source/debian"
	"github.com/patchflow/patchflow/providers/source/fetch"
)

// A feed is fetched, and listed from the copy. When its server is down later, the copy is still there, and stale.
func Example() {
	up := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		index := "Package: libssl3\nSource: openssl\nVersion: 3.0.17-1~deb12u3\nArchitecture: amd64\n\n"
		http.ServeContent(w, r, "Packages", time.Time{}, strings.NewReader(index))
	}))
	defer server.Close()
	folder, err := os.MkdirTemp("", "feeds")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	fetcher, err := fetch.New(fetch.Config{
		Folder:       folder,
		UserAgent:    "example-rmm/1.0 (+https://rmm.example/feeds)",
		AllowPrivate: true, // the server is on this machine
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer fetcher.Close()
	for range 2 {
		copied, err := fetcher.Get(context.Background(), fetch.File{Name: "bookworm-security/Packages", URLs: []string{server.URL}})
		if err != nil {
			fmt.Println("no copy at all:", err)
			return
		}
		bookworm, err := debian.New(debian.Config{
			Codename: "bookworm", Version: "12",
			Indices: []debian.Index{{Origin: "bookworm-security", Security: true, Open: copied.Open}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		for p, err := range bookworm.Patches(context.Background(), patch.Query{}) {
			fmt.Println(p.ID, err)
		}
		fmt.Println("stale:", copied.Stale != nil, "because of a failure that is", patch.FaultOf(copied.Stale))
		up = false
	}
	// Output:
	// debian:bookworm/openssl=3.0.17-1~deb12u3 <nil>
	// stale: false because of a failure that is none
	// debian:bookworm/openssl=3.0.17-1~deb12u3 <nil>
	// stale: true because of a failure that is permanent
}

// The files of a repository have one name and one list of mirrors. A path that leaves the repository is refused.
func ExampleFolder() {
	repository := fetch.Folder{Name: "baseos", URLs: []string{"https://a.example/baseos/", "https://b.example/mirror/baseos"}}
	file, err := repository.File("repodata/repomd.xml")
	fmt.Println(file.Name, file.URLs, err)
	_, err = repository.File("../../etc/passwd")
	fmt.Println(err)
	// Output:
	// baseos/repodata/repomd.xml [https://a.example/baseos/repodata/repomd.xml https://b.example/mirror/baseos/repodata/repomd.xml] <nil>
	// fetch: baseos: "../../etc/passwd" is no path below the folder: permanent failure
}

// Feeds that lie on the machine, in an air-gapped network for instance, need no fetcher. Nothing leaves the folder, by links
// neither.
func Example_folderOnDisk() {
	dir, err := os.MkdirTemp("", "mirror")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	if err := root.WriteFile("feed.json", []byte("{}"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"feed.json", "../feed.json"} {
		r, err := source.File(root.FS(), name)()
		fmt.Println(name, r != nil, err)
	}
	// Output:
	// feed.json true <nil>
	// ../feed.json false open ../feed.json: invalid argument
}
