package windows

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// Lookup says whether the registry of a device is as c wants it, and how it is in words, which never hold what stands there. What cannot be
// read is unknown; an error is for a device that did not answer.
func Lookup(ctx context.Context, run Run, c policy.RegistryCheck) (patch.Tri, string, error) {
	r := OpenRegistry(run)
	if c.View32 {
		r = OpenRegistry32(run)
	}
	stdout, there, err := r.query(ctx, c.Key)
	if err == nil && there == patch.Yes {
		_, err = readKey(c.Key, stdout)
	}
	switch {
	case err != nil && (ctx.Err() != nil || patch.FaultOf(err) == patch.Unreachable):
		return patch.Unknown, "", err
	case err != nil:
		return patch.Unknown, err.Error(), nil
	case there == patch.No:
		return patch.No, "there is no key " + c.Key, nil
	case there != patch.Yes:
		return patch.Unknown, "the key " + c.Key + " cannot be read", nil
	case c.Value == "":
		return patch.Yes, "there is a key " + c.Key, nil
	}
	up, says := readValue(c.Value, stdout).check(&c)
	return up, fmt.Sprintf("%s: the value %s %s", c.Key, c.Value, says), nil
}

// A value is one of a key, as reg.exe writes it.
type value struct {
	kind, data string // "SZ", "4.2"; kind is "" if there is none
	more       bool   // its data goes on in further lines
}

// readValue finds a value in what "reg query" has printed of a key.
func readValue(name string, stdout []byte) (v value) {
	in := false // the line belongs to the value
	for line := range strings.Lines(strings.ToValidUTF8(string(stdout), "?")) {
		line = strings.TrimRight(line, "\r\n")
		own, rest, ok := strings.Cut(strings.TrimPrefix(line, "    "), "    REG_")
		switch {
		case ok && strings.HasPrefix(line, "    "):
			if in = strings.EqualFold(own, name) && v.kind == ""; in {
				v.kind, v.data, _ = strings.Cut(rest, "    ")
			}
		case strings.HasPrefix(line, "HKEY_"):
			in = false
		case in && line != "":
			v.more = true
		}
	}
	return v
}

// check compares a value with what is wanted of it.
func (v value) check(c *policy.RegistryCheck) (patch.Tri, string) {
	switch {
	case v.kind == "":
		return patch.No, "is not there"
	case !c.IsSet:
		return patch.Yes, "is there"
	case v.more:
		return patch.Unknown, "has several lines, which cannot be told from others"
	case v.kind == "DWORD" || v.kind == "QWORD":
		is, ok := number(v.data)
		want, valid := number(c.Is)
		if !ok {
			return patch.Unknown, "is a number that cannot be read"
		}
		return holds(valid && is == want)
	case v.data == c.Is && strings.Contains(v.data, "?"):
		return patch.Unknown, "may have characters that reg.exe does not tell"
	}
	return holds(v.data == c.Is)
}

func holds(same bool) (patch.Tri, string) {
	if same {
		return patch.Yes, "holds what it is to hold"
	}
	return patch.No, "holds something else"
}

// number reads digits, or 0x and hexadecimal ones.
func number(s string) (uint64, bool) {
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		s, base = hex, 16
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}
