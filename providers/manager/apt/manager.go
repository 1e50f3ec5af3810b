package apt

import (
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/grammar"
)

// A Fleet is devices with apt, see [manager.Fleet]. Their transports run apt-get, apt-cache, apt-mark, dpkg, dpkg-query, dpkg-deb and
// sh. A configuration file that somebody has changed is left as it is.
type Fleet = manager.Fleet

// Config is that of every fleet, see [manager.Config].
type Config = manager.Config

// A Device is how a device is reached, see [manager.Device].
type Device = manager.Device

// New returns the fleet of c. The error wraps [patch.ErrPermanent] and names the field at fault. Close ends what is under way.
func New(c Config) (*Fleet, error) {
	return manager.New(c, manager.Kind{Name: "apt", Scheme: version.Deb, Suffix: ".deb", Words: grammar.Deb(),
		Open: func(m *manager.Access) manager.Tool { return &machine{m} }})
}

// CheckName returns an error, which wraps [patch.ErrPermanent], for what is no name of a package, or one that apt-get takes
// for something else: an option, a pattern, a file, a wish to remove. Names are those of Debian's policy manual (5.6.1), of
// at most 128 bytes, that do not end with "-".
func CheckName(name string) error { return grammar.Deb().CheckName(name) }

// CheckVersion returns an error, which wraps [patch.ErrPermanent], for what is no version, or one that apt-get reads
// differently: after "+" or "-" at its end it would install or remove something else. Versions are those of deb-version(7),
// of at most 128 bytes.
func CheckVersion(v string) error { return grammar.Deb().CheckVersion(v) }
