package debian

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/source"
)

// An Advisory is one entry of a list of Debian advisories: DSA/list or DLA/list.
type Advisory struct {
	ID         string    // "DSA-5356-2"; the number after the last hyphen counts the revisions
	Title      string    // the rest of the first line: "sox - regression update"
	Published  time.Time // midnight UTC of the day that the list names
	Regression bool      // it mends what an earlier revision broke, and closes no hole of its own
	CVEs       []string
	Fixes      []Fix
	Notes      []string
	Line       int // where it begins, from 1
}

// The bounds of an advisory. Of real ones none has 300 parts, and no line 2,000 bytes.
const (
	maxLine  = 64 << 10 // bytes
	maxParts = 10_000   // CVEs, fixes and notes
)

func (a *Advisory) size() int { return len(a.CVEs) + len(a.Fixes) + len(a.Notes) }

// A Fix says how one release of Debian stands to an advisory.
type Fix struct {
	Release string // by codename: "bookworm"
	Source  string // source package
	Status  FixStatus
	Version string // of the source package, from which on the hole is closed; "" unless Status is [Fixed]
}

// FixStatus says whether a release has a fix.
type FixStatus uint8

const (
	FixUnknown  FixStatus = iota
	Fixed                 // in the version that is named
	NotAffected           // the release never had the hole
	Unfixed               // the hole is there, and no fix
	EndOfLife             // the package is not supported there any more: nobody looked
)

// ReadAdvisories yields the advisories of a list, plain or compressed. A line that cannot be read is yielded as an error that
// names the line and wraps [patch.ErrRecord]; its advisory follows without it. Any other error is the last.
func ReadAdvisories(r io.Reader, limits source.Limits) iter.Seq2[Advisory, error] {
	return func(yield func(Advisory, error) bool) {
		content, err := limits.Reader(r)
		if err != nil {
			yield(Advisory{}, fmt.Errorf("debian: advisories: %w", err))
			return
		}
		lines := bufio.NewScanner(content)
		lines.Buffer(nil, maxLine)
		lines.Split(wholeLines)
		var a Advisory
		n, records := 0, 0 // records are advisories, and lines that cannot be read
		crowded := false   // the advisory has more parts than are kept
		for lines.Scan() {
			n++
			line := lines.Text()
			var err error
			switch {
			case strings.TrimSpace(line) == "":
			case line[0] == '[':
				records++
				if a.ID != "" && !yield(a, nil) {
					return
				}
				a, err = parseHeader(line)
				a.Line, crowded = n, false
			case line[0] != ' ' && line[0] != '\t':
				err = errors.New("neither the beginning of an advisory nor indented")
			case a.Line == 0:
				err = errors.New("a line before the first advisory")
			case crowded:
			default:
				err = a.parseLine(strings.TrimSpace(line))
				if crowded = a.size() > maxParts; crowded {
					err = fmt.Errorf("more than %d CVEs, fixes and notes: %w", maxParts, source.ErrTooLarge)
				}
			}
			if err != nil {
				records++
			}
			if records > limits.Max() {
				yield(Advisory{}, fmt.Errorf("debian: advisories: line %d: more than %d records: %w", n, limits.Max(), source.ErrTooLarge))
				return
			}
			if err != nil {
				of := a.ID
				if of != "" {
					of += ": "
				}
				if !yield(Advisory{}, fmt.Errorf("debian: advisories: line %d: %s%w: %w", n, of, err, patch.ErrRecord)) {
					return
				}
			}
		}
		// An advisory that the end of the file cut off may lack a fix, so none is yielded after an error.
		err = lines.Err()
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("more than %d bytes: %w", maxLine, source.ErrTooLarge)
		}
		if err != nil {
			yield(Advisory{}, fmt.Errorf("debian: advisories: line %d: %w", n+1, err))
			return
		}
		if a.ID != "" {
			yield(a, nil)
		}
	}
}

// wholeLines is [bufio.ScanLines] but for a last line without a newline, which is an error: a version that was cut short
// is another version.
func wholeLines(data []byte, atEOF bool) (int, []byte, error) {
	if atEOF && len(data) > 0 && bytes.IndexByte(data, '\n') < 0 {
		return 0, nil, fmt.Errorf("the file ends in the middle of a line: %w", io.ErrUnexpectedEOF)
	}
	return bufio.ScanLines(data, atEOF)
}

// parseHeader reads the first line of an advisory: "[29 Mar 2023] DSA-5380-1 xorg-server - security update".
func parseHeader(line string) (Advisory, error) {
	day, rest, found := strings.Cut(line[1:], "]")
	published, err := time.Parse("2 Jan 2006", day)
	if !found || err != nil {
		return Advisory{}, fmt.Errorf("no day at the beginning of %q", abbreviate(line))
	}
	id, title, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if !isAdvisoryID(id) {
		return Advisory{}, fmt.Errorf("no advisory is called %q", abbreviate(id))
	}
	title = strings.Join(strings.Fields(title), " ")
	return Advisory{ID: id, Title: title, Published: published, Regression: strings.HasSuffix(title, "regression update")}, nil
}

// parseLine reads one of the lines that belong to an advisory.
func (a *Advisory) parseLine(line string) error {
	if note, found := strings.CutPrefix(line, "NOTE:"); found {
		a.Notes = append(a.Notes, strings.TrimSpace(note))
		return nil
	}
	if list, found := strings.CutPrefix(line, "{"); found {
		list, found = strings.CutSuffix(list, "}")
		if !found {
			return errors.New("the list of CVEs is not closed")
		}
		for _, name := range strings.Fields(list) {
			if !source.IsCVE(name) {
				return fmt.Errorf("no CVE is called %q", abbreviate(name))
			}
			if !slices.Contains(a.CVEs, name) {
				a.CVEs = append(a.CVEs, name)
			}
		}
		return nil
	}
	if !strings.HasPrefix(line, "[") {
		return fmt.Errorf("%q is neither CVEs nor a fix nor a note", abbreviate(line))
	}
	words := strings.Fields(line)
	if len(words) < 4 || !strings.HasSuffix(words[0], "]") || words[1] != "-" || !isName([]byte(words[2])) {
		return fmt.Errorf("%q is no fix", abbreviate(line))
	}
	fix := Fix{Release: strings.Trim(words[0], "[]"), Source: words[2]}
	switch words[3] {
	case "<not-affected>":
		fix.Status = NotAffected
	case "<unfixed>":
		fix.Status = Unfixed
	case "<end-of-life>":
		fix.Status = EndOfLife
	default:
		if _, err := version.Parse(version.Deb, words[3]); err != nil {
			return err
		}
		fix.Status, fix.Version = Fixed, words[3]
	}
	a.Fixes = append(a.Fixes, fix)
	return nil
}

// isAdvisoryID accepts DSA-5380-1, DLA-3000-1 and, of before 2002, DSA-141.
func isAdvisoryID(id string) bool {
	words := strings.Split(id, "-")
	if len(words) < 2 || len(words) > 3 || !strings.HasPrefix(words[0], "D") {
		return false
	}
	return isLetters(words[0]) && !slices.ContainsFunc(words[1:], func(w string) bool { return !isDigits(w) })
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func isLetters(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" }

// abbreviate returns the beginning of a text for an error.
func abbreviate(s string) string {
	const most = 60
	return s[:min(len(s), most)]
}

// known is what an advisory says of one source package of the release.
type known struct {
	key      version.Key
	advisory patch.Advisory
}

// readAdvisories reads the list of the configuration, of which the fixes for its release are kept.
func (l *listing) readAdvisories(ctx context.Context) error {
	config := &l.source.config
	if config.Advisories == nil {
		return nil
	}
	in, err := config.Advisories()
	if err != nil {
		return fmt.Errorf("debian: advisories: %w", err)
	}
	defer in.Close()
	l.advisories = make(map[string][]known)
	for a, err := range ReadAdvisories(in, config.Limits) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case errors.Is(err, patch.ErrRecord):
			if err := l.record(err); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		for _, fix := range a.Fixes {
			if fix.Release != config.Codename || fix.Status != Fixed {
				continue
			}
			key, err := version.Version{Scheme: version.Deb, Text: fix.Version}.Key()
			if err != nil {
				return fmt.Errorf("debian: advisories: line %d: %w", a.Line, err)
			}
			l.advisories[fix.Source] = append(l.advisories[fix.Source], known{key: key, advisory: patch.Advisory{
				ID: a.ID, Title: a.Title, CVEs: a.CVEs, Published: a.Published,
			}})
		}
	}
	return nil
}

// explain returns for each of the versions of a source package, which ascend, the advisories that it is the lowest to satisfy.
func explain(advisories []known, versions []*build) [][]known {
	explained := make([][]known, len(versions))
	for _, a := range advisories {
		i, _ := slices.BinarySearchFunc(versions, a.key, func(b *build, key version.Key) int { return cmp.Compare(b.key, key) })
		if i < len(versions) {
			explained[i] = append(explained[i], a)
		}
	}
	return explained
}
