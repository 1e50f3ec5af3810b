package patch

import (
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch/version"
)

// An ID names a patch: the name of its source, a colon, and the name that the source itself uses, as in
// "msrc:KB5055523" or "debian:bookworm/openssl=3.0.17-1~deb12u3". IDs are built from facts, never drawn, so that two
// processes that read the same feed agree on them.
type ID string

// Source returns the part before the first colon, or "" if there is none.
func (id ID) Source() string {
	source, _, found := strings.Cut(string(id), ":")
	if !found {
		return ""
	}
	return source
}

// Native returns the part after the first colon: the name that the source itself uses.
func (id ID) Native() string {
	_, native, found := strings.Cut(string(id), ":")
	if !found {
		return string(id)
	}
	return native
}

// A Digest is a cryptographic hash with its algorithm: "sha256:9f86d0...", the hash in lower-case hexadecimal.
type Digest string

// A Platform says what a device runs, or what a patch is for. In a patch an empty field matches anything.
type Platform struct {
	OS      string `json:"os,omitempty"`      // as in /etc/os-release or GOOS: "debian", "windows", "macos"
	Version string `json:"version,omitempty"` // "12", "10.0.22631"
	Arch    string `json:"arch,omitempty"`    // as the platform's package manager calls it: "amd64", "x86_64", "all"
}

// A Patch is one installable change as its publisher describes it: a package update, a KB, an operating system update,
// an update of an application or of definitions, firmware, or a fix of a configuration.
type Patch struct {
	ID             ID             `json:"id"`
	Aliases        []ID           `json:"aliases,omitempty"` // other IDs under which it is known: those of the patches that [Merge] made one with it
	Title          string         `json:"title,omitempty"`
	Platform       Platform       `json:"platform,omitzero"`
	Classification Classification `json:"classification"`
	Severity       Severity       `json:"severity"`

	// ClassificationRaw and SeverityRaw are the publisher's own words, untranslated. Two words in ClassificationRaw
	// that lead to different classifications make the patch [Patch.Contested].
	ClassificationRaw []string `json:"classificationRaw,omitempty"`
	SeverityRaw       string   `json:"severityRaw,omitempty"`

	// Contested says that two independent fields of the publisher, or two sources, disagree about the classification, or
	// two sources about whether it was withdrawn. A policy holds such a patch whatever its rules say (design rule 11).
	Contested bool `json:"contested,omitempty"`

	Advisories []Advisory `json:"advisories,omitempty"` // what explains it; none for an ordinary correction
	Packages   []Package  `json:"packages,omitempty"`   // what it replaces, and with which version
	Unaffected []Package  `json:"unaffected,omitempty"` // what its publisher declares to be free of the CVEs of its advisories, whatever others say
	Supersedes []ID       `json:"supersedes,omitempty"` // patches that it makes unnecessary, as far as the publisher says
	Requires   []ID       `json:"requires,omitempty"`   // patches that must be installed first

	Reboot   Reboot   `json:"reboot"`
	Reversal Reversal `json:"reversal"`

	Released  time.Time `json:"released,omitzero"`  // first published; zero if the publisher does not say
	Modified  time.Time `json:"modified,omitzero"`  // last changed by the publisher
	Withdrawn time.Time `json:"withdrawn,omitzero"` // taken back at; zero for a patch that stands

	Size       int64             `json:"size,omitempty"` // bytes to download for all packages together; 0 if unknown
	References []string          `json:"references,omitempty"`
	Native     map[string]string `json:"native,omitempty"` // the source's own fields, carried untouched; nothing decides by them

	Provenance []Provenance `json:"provenance,omitempty"` // what does not come from the patch's own source; see [Merge]
}

// Provenance says that a field of a patch, or something in it, comes from another patch than the one whose ID it has.
type Provenance struct {
	// Field is the field's name in JSON, and for a field of an advisory the advisory's ID before it: "severity",
	// "packages", "advisories/ALSA-2024:1234/scores".
	Field string `json:"field"`
	From  ID     `json:"from"` // whose source told it
}

// A Package is one package that a patch replaces, and which of its versions need that: those from Introduced up to Fixed,
// without Fixed itself. A patch names a package several times if more than one range of its versions needs the patch.
type Package struct {
	Ecosystem string `json:"ecosystem"` // whose names and versions these are, in OSV's words: "Debian:12"

	// Name is the name that is installed, that of the binary package. "" stands for every package that is built from
	// Source: the versions are then those of the source package, and there is nothing here that could be installed.
	Name   string `json:"name,omitempty"`
	Source string `json:"source,omitempty"` // the source package that it is built from, if that has another name
	Arch   string `json:"arch,omitempty"`   // "", "all", "noarch" or "any" fits every device
	Module string `json:"module,omitempty"` // the module stream that it belongs to, "nodejs:18": it fits packages of that stream alone

	Introduced version.Version `json:"introduced,omitzero"` // the first version that needs the patch; zero: every older one does
	Fixed      version.Version `json:"fixed,omitzero"`      // this version and every later one has the fix; zero: none is known to have it
	Last       version.Version `json:"last,omitzero"`       // with Fixed zero: the last version that is known to need the patch; zero: all do

	Origins   []string   `json:"origins,omitempty"`   // the archives or channels that offer it: "bookworm-security"
	Artefacts []Artefact `json:"artefacts,omitempty"` // the files to install; empty if the source lists none
}

// An Artefact is a file of a patch, pinned by its hash.
type Artefact struct {
	Name   string `json:"name"` // path or URL as the source gives it
	Size   int64  `json:"size,omitempty"`
	Digest Digest `json:"digest,omitempty"`
}

// An Advisory explains why a patch exists: a CVE, DSA, RHSA, USN or KB article.
type Advisory struct {
	ID          string    `json:"id"`
	Title       string    `json:"title,omitempty"`
	CVEs        []string  `json:"cves,omitempty"`
	Severity    Severity  `json:"severity"`
	SeverityRaw string    `json:"severityRaw,omitempty"`
	Scores      []Score   `json:"scores,omitempty"`    // all that are known; none overwrites another
	Exploited   Tri       `json:"exploited"`           // known to be exploited, as CISA's KEV catalogue lists
	EPSS        float64   `json:"epss,omitempty"`      // probability of exploitation within 30 days, 0 to 1; 0 if unknown
	Published   time.Time `json:"published,omitzero"`  // by the advisory's own issuer
	KnownSince  time.Time `json:"knownSince,omitzero"` // when exploitation was recorded; zero unless Exploited is Yes
	References  []string  `json:"references,omitempty"`
}

// A Score is one CVSS score, with who gave it.
type Score struct {
	Version string  `json:"version"` // "2.0", "3.0", "3.1", "4.0"
	Vector  string  `json:"vector"`
	Base    float64 `json:"base"` // 0 to 10
	By      string  `json:"by,omitempty"`
}

// Exploited says whether any advisory of p is known to be exploited: Yes if one is, No if every one is known not to be,
// Unknown otherwise, and so for a patch without advisories.
func (p *Patch) Exploited() Tri {
	if len(p.Advisories) == 0 {
		return Unknown
	}
	all := No
	for i := range p.Advisories {
		switch p.Advisories[i].Exploited {
		case Yes:
			return Yes
		case Unknown:
			all = Unknown
		}
	}
	return all
}

// CVEs returns the CVE names of all advisories of p, each once, in the order in which they stand.
func (p *Patch) CVEs() []string {
	var names []string
	seen := make(map[string]bool)
	for i := range p.Advisories {
		for _, name := range p.Advisories[i].CVEs {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}
