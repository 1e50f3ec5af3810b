package policy

import (
	"fmt"
	"strings"
)

// A RegistryCheck is what a probe with the check registry looks for.
type RegistryCheck struct {
	Key    string // the path of the key: `HKLM\SOFTWARE\Acme\Till`
	Value  string // the name of a value that the key must have; "" if the key is all that must be there
	Is     string // with IsSet: what the value must hold, to the letter; of a number its digits, or 0x and hexadecimal ones
	IsSet  bool
	View32 bool // as programs of 32 bits see the registry
}

// Registry reads a probe with the check registry: Of is the path of a key, and With its parameters "value=NAME", "is=DATA" and "view=32" or
// "view=64". The error names the field at fault. Everything is ASCII: in which characters a device tells of others is its own affair.
func (p *Probe) Registry() (RegistryCheck, error) {
	c, field, wrong := p.registry()
	if wrong != "" {
		return c, fmt.Errorf("policy: probe %q: %s: %s", clip(p.Name), field, wrong)
	}
	return c, nil
}

// registry reads p, and says which field is wrong and how.
func (p *Probe) registry() (c RegistryCheck, field, wrong string) {
	c.Key = p.Of
	if wrong = wrongKey(p.Of); wrong != "" {
		return c, "of", fmt.Sprintf("%q %s", clip(p.Of), wrong)
	}
	seen := make(map[string]bool)
	for i, with := range p.With {
		name, _, _ := strings.Cut(with, "=")
		if wrong = c.take(with); seen[name] {
			wrong = "is the second of its name"
		}
		if wrong != "" {
			return c, index("with", i), fmt.Sprintf("%q %s", clip(with), wrong)
		}
		seen[name] = true
	}
	if c.IsSet && c.Value == "" {
		return c, "with", "is=" + clip(c.Is) + " needs a value"
	}
	return c, "", ""
}

// take takes a parameter up, or says what is wrong with it.
func (c *RegistryCheck) take(with string) (wrong string) {
	name, value, ok := strings.Cut(with, "=")
	switch {
	case !ok:
		return "is not name=value"
	case !plainASCII(value):
		return "has other characters than those of ASCII"
	case name == "value":
		if c.Value = value; value == "" || strings.TrimSpace(value) != value || strings.Contains(value, `"`) {
			return "is no name of a value"
		}
	case name == "is":
		c.Is, c.IsSet = value, true
	case name == "view":
		if c.View32 = value == "32"; !c.View32 && value != "64" {
			return "is neither view=32 nor view=64"
		}
	default:
		return "is none of value, is and view"
	}
	return ""
}

// wrongKey says what is wrong with the path of a key of the machine: those of users are others for each of them.
func wrongKey(path string) string {
	const hive = `HKLM\`
	switch {
	case len(path) < len(hive) || !strings.EqualFold(path[:len(hive)], hive):
		return `does not begin with HKLM\`
	case !plainASCII(path):
		return "has other characters than those of ASCII"
	case strings.Contains(path, `"`):
		return "has a quote"
	}
	for name := range strings.SplitSeq(path, `\`) {
		if strings.TrimSpace(name) != name || name == "" || len(name) > 255 {
			return "has a part that is no name of a key"
		}
	}
	return ""
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
