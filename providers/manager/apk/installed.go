package apk

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
)

// readInstalled reads apk's database: stanzas of lines such as "P:lamp", "V:1.6-r0", "A:x86_64". A line that begins with "f:" says that the package
// is not whole: a file of it could not be written, or a script failed. The error gathers what is not whole, which wraps
// [patch.ErrCorrupt], and what could not be read, which wraps [patch.ErrRecord].
func readInstalled(database []byte, ecosystem string, wished map[string]string) ([]manager.State, error) {
	packages := []manager.State{}
	var wrong *multierror.Error
	n := 0
	for stanza := range bytes.SplitSeq(database, []byte("\n\n")) {
		if stanza = bytes.TrimSpace(stanza); len(stanza) == 0 {
			continue
		}
		n++
		p := manager.State{Ecosystem: ecosystem}
		text, broken := "", ""
		for line := range strings.Lines(string(stanza)) {
			field, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
			switch field {
			case "P":
				p.Name = value
			case "V":
				text = value
			case "A":
				p.Arch = value
			case "f":
				broken = value
			}
		}
		v, err := version.Parse(version.APK, text)
		if err != nil || p.Name == "" || strings.ContainsAny(p.Name, " \t/") {
			wrong = multierror.Append(wrong, fmt.Errorf("apk: installed: stanza %d: package %.100q has the version %.100q: %w", n, p.Name, text, patch.ErrRecord))
			continue
		}
		p.Version, p.Damaged = v, broken != ""
		p.Held = strings.ContainsAny(wished[p.Name], "=<>~")
		if p.Damaged {
			wrong = multierror.Append(wrong, fmt.Errorf("apk: installed: package %s %s is broken (%s): %w", p.Name, text, broken, patch.ErrCorrupt))
		}
		packages = append(packages, p)
	}
	return packages, wrong.ErrorOrNil()
}
