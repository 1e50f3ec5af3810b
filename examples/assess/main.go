// Assess tells what machines miss, the most urgent first: it reads a folder of feeds and an inventory, and prints a table or
// JSON. It changes nothing and asks nobody.
//
//	go run ./examples/assess                                  # a real Debian 12 machine, with feeds that come along
//	go run ./examples/assess -json -most 3
//	go run ./examples/assess -feeds DIR -inventory devices.json
//	go run ./examples/assess -feeds DIR -keep DIR             # a feed that is broken the next time stays in force
//	go run ./examples/assess -feeds DIR -inventory /var/lib/dpkg/status -ecosystem Debian:12
//
// The folder of feeds may hold, each if it is there:
//
//	debian/NAME-VERSION/   Packages files of one release, "bookworm-security_Packages.xz", and DSA_list: debian/bookworm-12
//	osv/                   OSV records: .json, .jsonl, .zip, in folders or not
//	updateinfo/VENDOR-N/   one RPM repository with its repodata, or more in folders of their own: updateinfo/AlmaLinux-9
//	csaf/                  CSAF and VEX documents
//	kev.json, kev.csv      CISA's catalogue of what is known to be exploited
//
// An inventory is a JSON document of one device or of a list of them, as package inventory writes them; with -ecosystem it is
// dpkg's status file, or what rpm prints in the format of package providers/manager/rpm.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source/feeds"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

// run is the whole way: feeds become a catalog, the catalog is enriched, and each device is held against it.
func run(ctx context.Context, args []string, out, notes io.Writer) error {
	flags := flag.NewFlagSet("assess", flag.ContinueOnError)
	flags.SetOutput(notes)
	folder := flags.String("feeds", "", "folder of feeds; \"\" means those that come with the example")
	file := flags.String("inventory", "", "file with devices; \"\" means the machine that comes with the example")
	ecosystem := flags.String("ecosystem", "", "the inventory lists the packages of one machine of this ecosystem: \"Debian:12\"")
	keep := flags.String("keep", "", "folder in which to keep what was read: what fails the next time stays in force; \"\" keeps nothing")
	asJSON := flags.Bool("json", false, "print JSON instead of a table")
	most := flags.Int("most", 15, "how much of a kind to print for a device; 0 means all")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("assess: %q: want flags only", flags.Arg(0))
	}

	f, err := openFeeds(*folder)
	if err != nil {
		return err
	}
	devices, err := openInventory(*file, *ecosystem)
	if err != nil {
		return err
	}
	view, err := look(ctx, *f, *keep, notes)
	if err != nil {
		return err
	}
	catalog := view.Catalog

	var results []result
	for i := range devices {
		a := inventory.Assess(catalog, &devices[i])
		results = append(results, newResult(catalog, &devices[i], &a, *most))
	}
	if *asJSON {
		return writeJSON(out, results)
	}
	return writeTable(out, results, *most)
}

// look reads all feeds. One that fails is in force as it was read before; if it never was, there is no telling what is missing.
func look(ctx context.Context, f found, folder string, notes io.Writer) (*feeds.View, error) {
	keeper, err := feeds.New(feeds.Config{Feeds: f, Folder: folder})
	if err != nil {
		return nil, fmt.Errorf("assess: %w", err)
	}
	defer keeper.Close()
	before, began := keeper.View().Catalog, time.Now()
	view, err := keeper.Refresh(ctx)
	if err != nil {
		return nil, fmt.Errorf("assess: %w", err)
	}
	for _, feed := range view.Feeds {
		for _, err := range feed.Refused {
			fmt.Fprintln(notes, "left out:", err)
		}
		switch {
		case feed.Stale == nil:
		case feed.Read.IsZero():
			return nil, fmt.Errorf("assess: %s: %w", feed.Name, feed.Stale)
		default:
			fmt.Fprintf(notes, "stale: %s as it was on %s: %v\n", feed.Name, feed.Read.Format(time.DateTime), feed.Stale)
		}
	}
	fmt.Fprintf(notes, "%d patches from %s, read in %v\n", view.Catalog.Len(), &f, time.Since(began).Round(time.Millisecond))
	if folder != "" {
		changes := patch.Diff(before, view.Catalog)
		fmt.Fprintf(notes, "since the last time: %d new, %d changed, %d gone\n", len(changes.Added), len(changes.Changed), len(changes.Removed))
	}
	return view, nil
}
