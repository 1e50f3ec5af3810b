package policy

import (
	"strings"

	"github.com/patchflow/patchflow/internal/enum"
	"github.com/patchflow/patchflow/inventory"
)

// Guests says how long a host waits for the devices that run on it, see [Policy.HostLabel]. What has failed, was skipped or has left keeps
// no host waiting, either way: it is settled. What waits for a person does: it is skipped, or what it waits for is done.
type Guests uint8

const (
	GuestsAwaited        Guests = iota // until all of them are settled, also those that nobody reaches
	GuestsAwaitedInGrace               // until all are settled, or have been unreachable for longer than Retry.Grace; these are tried again all the same, maybe while their host is worked on
)

func guestsNames() enum.Names { return enum.Names{"await", "await-in-grace"} }

// String returns the lower-case name: await or await-in-grace.
func (g Guests) String() string { return guestsNames().String("treatment of guests", int(g)) }

// MarshalText implements [encoding.TextMarshaler].
func (g Guests) MarshalText() ([]byte, error) {
	return guestsNames().Text("treatment of guests", int(g))
}

// UnmarshalText implements [encoding.TextUnmarshaler]. An unknown word is an error.
func (g *Guests) UnmarshalText(text []byte) error {
	v, err := guestsNames().Parse("treatment of guests", text)
	if err == nil {
		*g = Guests(v)
	}
	return err
}

// Host returns the device on which d runs, as d itself says it by [Policy.HostLabel]; "" if it says nothing.
func (p *Policy) Host(d *inventory.Device) inventory.DeviceID {
	if p.HostLabel == "" {
		return ""
	}
	host, _ := d.Value(p.HostLabel)
	return inventory.DeviceID(host)
}

// hosts checks what says which devices run on which.
func (c *checker) hosts(p *Policy) {
	c.enum("guests", p.Guests)
	if p.HostLabel == "" {
		if p.Guests != GuestsAwaited {
			c.fault("guests", "it is %s, but no hostLabel says what runs on what", p.Guests)
		}
		return
	}
	c.name("hostLabel", p.HostLabel)
	if err := inventory.CheckKey(p.HostLabel); err != nil {
		c.fault("hostLabel", "%s", strings.TrimPrefix(err.Error(), "inventory: "))
	}
}
