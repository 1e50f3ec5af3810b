// Command reduce makes the files in internal/bookworm/data out of the full captures, which are too large to keep here.
//
//	PATCHFLOW_SHARED=folder go run ./internal/bookworm/reduce internal/bookworm/data
//
// It keeps facts only: names, versions, architectures, states, and for what apt would upgrade also file, size and hash. No
// description and no maintainer gets through.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ulikunitz/xz"

	"github.com/patchflow/patchflow/internal/bounded"
	"github.com/patchflow/patchflow/internal/deb822"
)

func main() {
	shared := os.Getenv("PATCHFLOW_SHARED")
	if shared == "" || len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: PATCHFLOW_SHARED=folder reduce folder")
		os.Exit(2)
	}
	if err := reduce(filepath.Join(shared, "feeds"), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "reduce:", err)
		os.Exit(1)
	}
}

func reduce(feeds, out string) error {
	upgradable, err := upgrades(filepath.Join(feeds, "debian-inventory", "apt-list-upgradable.txt"))
	if err != nil {
		return err
	}
	var table strings.Builder
	wanted := make(map[string]bool)
	for _, u := range upgradable {
		wanted[u[0]+" "+u[1]+" "+u[3]] = true
		table.WriteString(strings.Join(u, "\t") + "\n")
	}
	if err := os.WriteFile(filepath.Join(out, "upgradable.tsv"), []byte(table.String()), 0o644); err != nil {
		return err
	}

	installed, sources := make(map[string]bool), make(map[string]bool)
	status, err := stanzas(filepath.Join(feeds, "debian-inventory", "dpkg-status.xz"),
		[]string{"Package", "Status", "Architecture", "Multi-Arch", "Source", "Version"}, func(field func(string) string) []string {
			installed[field("Package")] = true
			source, _, _ := strings.Cut(field("Source"), " ")
			if source == "" {
				source = field("Package")
			}
			sources[source] = true
			return []string{"Package", "Status", "Architecture", "Multi-Arch", "Source", "Version"}
		})
	if err != nil {
		return err
	}
	if err := write(out, "status.xz", status); err != nil {
		return err
	}

	for _, suite := range []string{"bookworm", "bookworm-updates", "bookworm-security"} {
		fields := []string{"Package", "Source", "Version", "Architecture", "Filename", "Size", "SHA256"}
		index, err := stanzas(filepath.Join(feeds, "debian-apt-indices", suite+"_main_binary-amd64_Packages.xz"), fields,
			func(field func(string) string) []string {
				switch {
				case !installed[field("Package")]:
					return nil
				case wanted[field("Package")+" "+field("Architecture")+" "+field("Version")]:
					return fields
				}
				return fields[:4]
			})
		if err != nil {
			return err
		}
		if err := write(out, suite+"_Packages.xz", index); err != nil {
			return err
		}
	}

	list, err := advisories(filepath.Join(feeds, "osv-debian", "Debian-DSA-DLA.jsonl.gz"), sources)
	if err != nil {
		return err
	}
	return write(out, "DSA_list.xz", list)
}

// upgrades reads what apt lists as upgradable: name, architecture, from, to, codenames of the origins.
func upgrades(file string) ([][]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	line := regexp.MustCompile(`(?m)^([^/\n]+)/(\S+) (\S+) (\S+) \[upgradable from: (\S+)\]$`)
	var rows [][]string
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		origins := strings.ReplaceAll(m[2], "oldstable", "bookworm") // apt prints the suite, which changes its name
		rows = append(rows, []string{m[1], m[4], m[5], m[3], origins})
	}
	if len(rows) != bytes.Count(text, []byte("\n"))-1 {
		return nil, fmt.Errorf("%s: %d of the lines were understood", file, len(rows))
	}
	return rows, nil
}

// stanzas returns the fields that keep names of every stanza, nothing of those for which it names none.
func stanzas(file string, fields []string, keep func(field func(string) string) []string) ([]byte, error) {
	in, err := open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var out bytes.Buffer
	for r := deb822.NewReader(in, deb822.Config{Fields: fields}); ; {
		stanza, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		field := func(name string) string { return stanza.Text(slices.Index(fields, name)) }
		kept := keep(field)
		for _, name := range kept {
			if value := field(name); value != "" {
				fmt.Fprintf(&out, "%s: %s\n", name, value)
			}
		}
		if len(kept) > 0 {
			out.WriteByte('\n')
		}
	}
}

// advisories turns the DSA records of OSV that concern the sources in Debian 12 back into the format of DSA/list.
func advisories(file string, sources map[string]bool) ([]byte, error) {
	in, err := open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var entries []string
	for records := json.NewDecoder(in); ; {
		var r struct {
			ID, Summary string
			Published   time.Time
			Related     []string
			Affected    []struct {
				Package struct{ Ecosystem, Name string }
				Ranges  []struct{ Events []struct{ Fixed string } }
			}
		}
		err := records.Decode(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		fixes := ""
		for _, a := range r.Affected {
			if a.Package.Ecosystem != "Debian:12" || !sources[a.Package.Name] {
				continue
			}
			for _, span := range a.Ranges {
				for _, event := range span.Events {
					if event.Fixed != "" {
						fixes += fmt.Sprintf("\t[bookworm] - %s %s\n", a.Package.Name, event.Fixed)
					}
				}
			}
		}
		if fixes == "" || !strings.HasPrefix(r.ID, "DSA-") {
			continue
		}
		cves := ""
		if len(r.Related) > 0 {
			slices.Sort(r.Related)
			cves = "\t{" + strings.Join(r.Related, " ") + "}\n"
		}
		entries = append(entries, r.Published.UTC().Format("20060102 ")+r.ID+"\x00"+
			fmt.Sprintf("[%s] %s %s\n%s%s", r.Published.UTC().Format("02 Jan 2006"), r.ID, r.Summary, cves, fixes))
	}
	slices.Sort(entries)
	slices.Reverse(entries) // newest first, as the list has it
	var out bytes.Buffer
	for _, entry := range entries {
		_, text, _ := strings.Cut(entry, "\x00")
		out.WriteString(text)
	}
	return out.Bytes(), nil
}

type content struct {
	io.Reader
	io.Closer
}

func open(file string) (io.ReadCloser, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	r, err := bounded.NewReader(f, bounded.Limits{})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return content{r, f}, nil
}

func write(folder, name string, data []byte) error {
	var packed bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 1 << 20, CheckSum: xz.CRC32}.NewWriter(&packed)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), packed.Bytes(), 0o644)
}
