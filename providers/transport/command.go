package transport

import (
	"fmt"
	"path"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// Bounds of a [Command].
const (
	// DefaultOutput is how many bytes of each output are kept where the command does not say.
	DefaultOutput = 1 << 20

	// MaxOutput is the most that a command can ask to keep of each output.
	MaxOutput = 256 << 20

	// MaxStdin is the most that a command can be given to read, in bytes.
	MaxStdin = 64 << 20

	// MaxText is how long Argv, Env and Dir may be together, in bytes. Systems and transports may take less.
	MaxText = 96 << 10
)

// A Command is what is run on a device. Slices are not changed by a transport.
type Command struct {
	// Argv is the program and its arguments. A program without a slash is looked for as the device does.
	Argv []string

	// Stdin is all that the command can read. It is no secret to the device; and unlike Argv it is not seen by its users.
	Stdin []byte

	// Env adds "NAME=value" to the environment, the last value of a name counting.
	Env []string

	// Dir is an absolute path on the device; "" leaves the choice to the transport.
	Dir string

	// Root asks that the command run as the superuser. A transport that cannot do so returns an error.
	Root bool

	// MaxStdout and MaxStderr are how many bytes of an output are kept; 0 means [DefaultOutput], and less than 0 none.
	MaxStdout, MaxStderr int
}

// Check returns an error, which wraps [patch.ErrPermanent], for a command that no transport runs: without a program; with
// a program that begins with "-" or holds "=", which the programs that start others take for options and variables; with a
// byte 0; with a variable whose name is no name, or a relative Dir; larger than the bounds. It never quotes Env or Stdin.
func (c Command) Check() error {
	if what := c.wrong(); what != "" {
		return fmt.Errorf("transport: command: %s: %w", what, patch.ErrPermanent)
	}
	return nil
}

func (c Command) wrong() string {
	size := len(c.Dir)
	for i, arg := range c.Argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return fmt.Sprintf("argument %d holds a byte 0", i)
		}
		size += len(arg) + 1
	}
	for i, env := range c.Env {
		name, _, ok := strings.Cut(env, "=")
		if !ok || !variable(name) || strings.IndexByte(env, 0) >= 0 {
			return fmt.Sprintf("variable %d is not NAME=value", i)
		}
		size += len(env) + 1
	}
	switch {
	case len(c.Argv) == 0 || c.Argv[0] == "":
		return "there is no program"
	case strings.HasPrefix(c.Argv[0], "-") || strings.Contains(c.Argv[0], "="):
		return fmt.Sprintf("%.100q is not the name of a program", c.Argv[0])
	case c.Dir != "" && !path.IsAbs(c.Dir) && !windowsAbs(c.Dir) || strings.IndexByte(c.Dir, 0) >= 0:
		return fmt.Sprintf("folder %.100q is not absolute", c.Dir)
	case size > MaxText:
		return fmt.Sprintf("%d bytes of arguments, want at most %d", size, MaxText)
	case len(c.Stdin) > MaxStdin:
		return fmt.Sprintf("%d bytes to read, want at most %d", len(c.Stdin), MaxStdin)
	case max(c.MaxStdout, c.MaxStderr) > MaxOutput:
		return fmt.Sprintf("%d bytes of output to keep, want at most %d", max(c.MaxStdout, c.MaxStderr), MaxOutput)
	}
	return ""
}

// windowsAbs says whether dir begins with the letter of a drive, a colon and a separator.
func windowsAbs(dir string) bool {
	return len(dir) > 2 && dir[1] == ':' && (dir[2] == '\\' || dir[2] == '/') && (dir[0]|0x20 >= 'a' && dir[0]|0x20 <= 'z')
}

// variable says whether name is the name of a variable to every shell (POSIX.1-2024, base definitions, 3.216).
func variable(name string) bool {
	for i, c := range []byte(name) {
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// Bounds returns how many bytes of each output are to be kept.
func (c Command) Bounds() (stdout, stderr int) { return bound(c.MaxStdout), bound(c.MaxStderr) }

func bound(n int) int {
	if n == 0 {
		return DefaultOutput
	}
	return max(n, 0)
}

// String returns the arguments as words that a reader can tell apart, for messages. It is no line for a shell, and leaves
// Env and Stdin out, which may hold secrets.
func (c Command) String() string {
	var b strings.Builder
	for i, arg := range c.Argv {
		if i > 0 {
			b.WriteByte(' ')
		}
		if b.Len()+len(arg) > 500 {
			b.WriteString("...")
			break
		}
		if arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r >= 0x7f }) {
			fmt.Fprintf(&b, "%q", arg)
		} else {
			b.WriteString(arg)
		}
	}
	return b.String()
}
