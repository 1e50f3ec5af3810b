// Package posix holds what transports to devices with a POSIX shell share.
package posix

import (
	"bytes"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// Sudo returns the words that stand before a command to make it one of the superuser's, without a password and a shell.
func Sudo() []string { return []string{"sudo", "-n", "--"} }

// Elevate returns the arguments that run c through sudo. The environment goes through env(1), since sudo clears its own.
// Where the messages of sudo are not set by the caller they are those of the C locale, so that [Refused] knows them.
func Elevate(c transport.Command, sudo []string) (argv, env []string) {
	argv = append(argv, sudo...)
	if len(c.Env) > 0 {
		argv = append(append(argv, "env"), c.Env...)
	}
	return append(argv, c.Argv...), []string{"LC_ALL=C"}
}

// Refused returns an error if r is the end of a command that sudo did not run: it has no right to, or no password. The
// words are those of sudo 1.8 to 1.9 and of doas. The error wraps [patch.ErrPermanent].
func Refused(r transport.Result, sudo string) error {
	if !r.Ended || r.Code != 1 && r.Code != 127 {
		return nil
	}
	for line := range bytes.Lines(r.Stderr) {
		line = bytes.TrimSpace(line)
		for _, known := range []struct{ begin, within string }{
			{sudo + ": ", "a password is required"},
			{sudo + ": ", "a terminal is required"},
			{sudo + ": ", "you must have a tty"},
			{sudo + ": ", "command not found"},
			{sudo + ": ", "you are not permitted to"},
			{sudo + ": ", "unknown user"},
			{sudo + ": ", "Operation not permitted"},
			{sudo + ": ", "Authentication required"},
			{sudo + ": ", "must be owned by uid 0"},
			{"Sorry, user ", "may not run sudo"},
			{"Sorry, user ", "is not allowed to execute"},
			{"", "is not in the sudoers file"},
		} {
			if bytes.HasPrefix(line, []byte(known.begin)) && bytes.Contains(line, []byte(known.within)) {
				return fmt.Errorf("the rights of root are refused: %.200q: %w", line, patch.ErrPermanent)
			}
		}
	}
	if r.Code == 127 && bytes.Contains(r.Stderr, []byte(sudo)) && bytes.Contains(r.Stderr, []byte("not found")) {
		return fmt.Errorf("the rights of root need %s, which is not there: %w", sudo, patch.ErrPermanent)
	}
	return nil
}
