// Policies prints ready policies for four kinds of companies: what counts for a device and from which document each part of it
// is, what had better be another, and what the policy says of patches that the device misses, with its reasons.
//
//	go run ./examples/policies                       # a few lines of each
//	go run ./examples/policies -policy bank          # all of one: small-office, msp, essential-eight, bank
//	go run ./examples/policies -dir FOLDER           # of your own documents, one layer in each .yaml
//
// The documents are in the folder documents: copy one and go on from there. The devices and patches are made up.
package main

import (
	"cmp"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	_ "time/tzdata" // Windows has no time zones of its own that Go could read

	"github.com/patchflow/patchflow/policy"
)

//go:embed documents
var documents embed.FS

func main() {
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, out, notes io.Writer) error {
	flags := flag.NewFlagSet("policies", flag.ContinueOnError)
	flags.SetOutput(notes)
	only := flags.String("policy", "", "which one to print whole; \"\" prints a little of each")
	dir := flags.String("dir", "", "folder with documents of your own")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("policies: %q: want flags only", flags.Arg(0))
	}
	if *dir != "" {
		layers, err := read(os.DirFS(*dir), ".")
		if err != nil {
			return err
		}
		return show(out, *dir, layers, true)
	}
	companies, err := fs.ReadDir(documents, "documents")
	if err != nil {
		return err
	}
	found := false
	for _, c := range companies {
		if *only != "" && c.Name() != *only {
			continue
		}
		if found {
			fmt.Fprintln(out)
		}
		found = true
		layers, err := read(documents, path.Join("documents", c.Name()))
		if err != nil {
			return err
		}
		if err := show(out, c.Name(), layers, *only != ""); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("policies: there is none called %q", *only)
	}
	return nil
}

// read reads the documents of a folder, each a layer.
func read(root fs.FS, folder string) ([]policy.Layer, error) {
	names, err := fs.Glob(root, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var layers []policy.Layer
	for _, name := range names {
		f, err := root.Open(name)
		if err != nil {
			return nil, fmt.Errorf("policies: %w", err)
		}
		l, err := policy.DecodeLayer(f, path.Base(name))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	if len(layers) == 0 {
		return nil, fmt.Errorf("policies: %s holds no .yaml", folder)
	}
	return layers, nil
}

// show prints what the layers come to for the devices that they are about.
func show(out io.Writer, name string, layers []policy.Layer, whole bool) error {
	fmt.Fprintf(out, "== %s\n", name)
	for _, d := range devices() {
		if !slices.ContainsFunc(layers, func(l policy.Layer) bool { return l.Tenant == d.Tenant }) {
			continue // nobody there has said anything of their own
		}
		e, err := policy.Resolve(layers, &d)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s of %q\n", d.ID, cmp.Or(string(d.Tenant), name))
		if whole {
			fmt.Fprintln(out, e)
		} else {
			fmt.Fprintf(out, "policy %q, from %s\n", e.Policy.Name, strings.Join(e.Layers, " > "))
			for _, r := range e.Refused {
				fmt.Fprintln(out, "refused:", r)
			}
		}
		facts := policy.LintFacts{Now: today(), Zones: []string{d.Zone}, Patches: patches()}
		for _, w := range policy.Lint(&e.Policy, facts) {
			fmt.Fprintln(out, "warning:", w)
		}
		for _, x := range patches() {
			c := policy.Case{Patch: x, Device: &d, FirstSeen: x.Released.AddDate(0, 0, 1)}
			if whole {
				fmt.Fprint(out, "\n", e.Policy.Explain(c, today()))
				continue
			}
			j := e.Policy.Judge(c, today())
			fmt.Fprintf(out, "  %-16s %s", x.ID, j.Verdict)
			if due := e.Policy.Due(c, today()); due.Now {
				fmt.Fprint(out, ", due now")
			} else if !due.At.IsZero() {
				fmt.Fprintf(out, ", due %s", due.At.UTC().Format("2 Jan 15:04"))
			}
			if len(j.Reasons) > 0 {
				fmt.Fprintf(out, ": %s", j.Reasons[0])
			}
			fmt.Fprintln(out)
		}
		if !whole {
			windows(out, &e.Policy, d.Zone)
		}
	}
	return nil
}

// windows prints when work may begin next.
func windows(out io.Writer, p *policy.Policy, zone string) {
	s, err := p.Schedule(p.Windows, zone)
	if err != nil {
		fmt.Fprintln(out, "  windows:", err)
		return
	}
	fmt.Fprint(out, "  work may begin")
	n := 0
	for o := range s.Openings(today(), today().AddDate(0, 2, 0)) {
		if n++; n > 2 {
			break
		}
		fmt.Fprintf(out, ", %s to %s", o.Open.Format("Mon 2 Jan 15:04"), o.Close.Format("Mon 15:04"))
	}
	fmt.Fprintln(out, " UTC")
}
