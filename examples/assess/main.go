// Assess tells what machines miss, the most urgent first: it reads a folder of feeds and an inventory, and prints a table or
// JSON. It changes nothing and asks nobody.
//
//	go run ./examples/assess                                  # a real Debian 12 machine, with feeds that come along
//	go run ./examples/assess -json -most 3
//	go run ./examples/assess -feeds DIR -inventory devices.json
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
	asJSON := flags.Bool("json", false, "print JSON instead of a table")
	most := flags.Int("most", 15, "how many patches to print for a device; 0 means all")
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
	began := time.Now()
	catalog, refused, err := patch.Collect(ctx, patch.Query{}, f.sources...)
	if err != nil {
		return err
	}
	for _, open := range f.enrichers {
		enricher, bad, err := open(ctx)
		if err != nil {
			return err
		}
		refused = append(refused, bad...)
		changed, err := enricher.Enrich(ctx, catalog)
		if err != nil {
			return err
		}
		if catalog, err = catalog.With(changed); err != nil {
			return err
		}
	}
	for _, err := range refused {
		fmt.Fprintln(notes, "left out:", err)
	}
	fmt.Fprintf(notes, "%d patches from %s, read in %v\n", catalog.Len(), f, time.Since(began).Round(time.Millisecond))

	var results []result
	for i := range devices {
		a := inventory.Assess(catalog, &devices[i])
		results = append(results, newResult(catalog, &devices[i], &a, *most))
	}
	if *asJSON {
		return writeJSON(out, results)
	}
	return writeTable(out, results)
}
