package posix

import (
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// MaxLine is how long a line for a login shell may be, in bytes. Linux takes 128 KiB for one argument of a program.
const MaxLine = 120 << 10

// Quote returns s as one word for sh, dash, bash, ksh, mksh, zsh, fish, csh, tcsh and busybox. Within single quotes three
// characters mean something to one of them: the quote itself, "\" to fish and "!" to csh; they stand outside, after a
// "\". A newline cannot be written for all: csh wants a "\" before it, and the others would keep that. Nothing is for s
// that holds a byte 0.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, c := range []byte(s) {
		if c == '\'' || c == '\\' || c == '!' {
			b.WriteString(`'\`)
			b.WriteByte(c)
			b.WriteByte('\'')
			continue
		}
		b.WriteByte(c)
	}
	b.WriteByte('\'')
	return b.String()
}

// word returns s as one word of a script for sh, on one line: $n holds a newline there.
func word(s string) string {
	s = strings.ReplaceAll(s, "'", `'\''`)
	return "'" + strings.ReplaceAll(s, "\n", `'"$n"'`) + "'"
}

// Line returns the line that makes a login shell run argv in dir with env, and nothing else than start another sh, which
// does the rest. That prints mark, a blank, a letter, a blank, a number and a newline on both outputs and becomes the
// program. What stands before that is of the login shell and its startup files.
//
// The letter is "g" if the program has a process group of its own, which has the number; "p" if the number is of the process
// alone; and "d" if there is no folder dir, and nothing has run. The group is made with setsid(1) where that exists; else it
// is that which an ssh server makes for each session, if that can be seen in /proc or with ps(1). When a signal
// ends the program, the sh that waits for it may add a line to the error output that says so.
func Line(argv, env []string, dir, mark string) (string, error) {
	if len(env) > 0 {
		argv = append(append([]string{"env"}, env...), argv...)
	}
	print := `{ printf "%s %s %s\n" ` + mark + ` "$k" $$; printf "%s %s %s\n" ` + mark + ` "$k" $$ >&2; }`
	start := print + `; exec "$@"`
	var b strings.Builder
	b.WriteString(`n=$(printf "\nx"); n=${n%x}; set --`)
	for _, arg := range argv {
		b.WriteString(" " + word(arg))
	}
	if dir != "" {
		fmt.Fprintf(&b, `; cd %s || { k=d; %s; exit 1; }`, word(dir), print)
	}
	b.WriteString(`; if command -v setsid >/dev/null 2>&1; then setsid sh -c ` + word("k=g; "+start) +
		` sh "$@"; exit $?; fi; k=p; g=; { read -r g </proc/$$/stat; } 2>/dev/null` +
		` && { g=${g##*) }; g=${g#* * }; g=${g%% *}; } || g=$(ps -o pgid= -p $$ 2>/dev/null);` +
		` if test "${g##* }" = $$; then k=g; fi; ` + start)
	line := "exec sh -c " + Quote(b.String())
	if len(line) > MaxLine {
		return "", fmt.Errorf("a line of %d bytes for a shell, want at most %d: %w", len(line), MaxLine, patch.ErrPermanent)
	}
	return line, nil
}

// KillLine returns the line that sends a signal to what Line has started.
func KillLine(group bool, pid int, signal string, sudo []string) string {
	kill := fmt.Sprintf("kill -s %s -- %d", signal, pid)
	if group {
		kill = fmt.Sprintf("kill -s %s -- -%d", signal, pid)
	}
	if len(sudo) == 0 {
		return "exec sh -c " + Quote(kill)
	}
	var b strings.Builder
	for _, w := range sudo {
		b.WriteString(word(w) + " ")
	}
	return "exec sh -c " + Quote("n=; "+b.String()+kill+" || "+kill)
}
