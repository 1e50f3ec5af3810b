package posix

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

const mark = "mark0123456789"

// hostile returns 255 arguments, one with each byte in several places, and 200 made of the characters that shells know.
func hostile() []string {
	var all []string
	for c := 1; c < 256; c++ {
		b := string([]byte{byte(c)})
		all = append(all, b+"a"+b+b+"b"+b)
	}
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"'", `"`, `\`, "!", "$", "`", "\n", " ", "*", "?", "~", "{a,b}", "$(id)", "${HOME}", "%s", "#", ";", "|", "&", ">x", "<x",
		"(", ")", "[a-z]", "^", "=", "-", "--", "\t", "\r", "\x80", "ä", "!!", "!$", "\\n", "\\\n", "''", "exit", "$'\\x41'"}
	for range 200 {
		var b strings.Builder
		for range r.IntN(9) {
			b.WriteString(words[r.IntN(len(words))])
		}
		all = append(all, b.String())
	}
	return all
}

// through runs a line with a login shell and returns what the program printed.
func through(t *testing.T, shell []string, line string) (stdout, stderr string, m Mark) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.Command(shell[0], append(shell[1:], "-c", line)...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	var out, errs bytes.Buffer
	cmd.Stdout = NewStripper(mark, &out, func(f Mark) { m = f })
	cmd.Stderr = NewStripper(mark, &errs, func(Mark) {})
	_ = cmd.Run()
	return out.String(), errs.String(), m
}

func TestArgumentsArriveThroughEveryShell(t *testing.T) {
	for name, shell := range map[string][]string{"sh": {"sh"}, "dash": {"dash"}, "bash": {"bash"}, "zsh": {"zsh"}, "fish": {"fish"},
		"tcsh": {"tcsh"}, "ksh": {"ksh"}, "mksh": {"mksh"}, "busybox": {"busybox", "sh"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need.Tool(t, shell[0])
			args := hostile()
			line, err := Line(append([]string{"printf", "%s\\0"}, args...), []string{"A=x"}, "", mark)
			require.NoError(t, err)
			out, errs, m := through(t, shell, line)
			require.Empty(t, errs)
			require.Equal(t, byte('g'), m.Letter)
			got := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
			require.Equal(t, args, got)
			// A word alone, without the sh that takes newlines.
			words := "printf " + Quote(`%s\0`)
			var want []string
			for _, arg := range args {
				want = append(want, strings.ReplaceAll(arg, "\n", ""))
				words += " " + Quote(want[len(want)-1])
			}
			raw, err := exec.Command(shell[0], append(shell[1:], "-c", words)...).Output()
			require.NoError(t, err)
			require.Equal(t, want, strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00"))
		})
	}
}

func FuzzQuote(f *testing.F) {
	for _, arg := range []string{"", "a b", "'", `\`, "!", "\n", "$HOME `id`", "\x01\x80ä", "'\\''\n", "-n"} {
		f.Add(arg)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		f.Skip("no sh")
	}
	f.Fuzz(func(t *testing.T, arg string) {
		if strings.IndexByte(arg, 0) >= 0 || len(arg) > 10000 {
			t.Skip()
		}
		out, err := exec.Command(sh, "-c", `printf %s\\0 `+Quote(arg)+" "+Quote("end")).Output()
		require.NoError(t, err)
		require.Equal(t, arg+"\x00end\x00", string(out))
		line, err := Line([]string{"printf", `%s\0`, arg}, nil, "", mark)
		if err != nil {
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
			return
		}
		require.NotContains(t, line, "\n")
		got, _, _ := through(t, []string{sh}, line)
		require.Equal(t, arg+"\x00", got)
	})
}

func TestLineTellsWhatHappens(t *testing.T) {
	for name, row := range map[string]struct {
		argv    []string
		dir     string
		letter  byte
		out     string
		errText string
	}{
		"a program":              {[]string{"pwd"}, "/", 'g', "/\n", ""},
		"no folder":              {[]string{"pwd"}, "/no/such", 'd', "", ""},
		"no program":             {[]string{"no-such-program"}, "/", 'g', "", "not found"},
		"a program that is shot": {[]string{"sh", "-c", "echo before; kill -s KILL $$"}, "/", 'g', "before\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			line, err := Line(row.argv, nil, row.dir, mark)
			require.NoError(t, err)
			out, errs, m := through(t, []string{"sh"}, line)
			require.Equal(t, row.letter, m.Letter)
			require.Equal(t, row.out, out)
			if row.letter == 'g' && row.errText == "" {
				errs = strings.TrimSuffix(errs, "Killed\n") // so dash
				require.Empty(t, errs)
			}
			require.Contains(t, errs, row.errText)
		})
	}
	_, err := Line([]string{"x", strings.Repeat("'", 60000)}, nil, "", mark)
	require.Equal(t, patch.Permanent, patch.FaultOf(err))
}

// Without setsid the group is that of the session, which a server makes; here setsid(1) stands for that server.
func TestLineWithoutSetsid(t *testing.T) {
	setsid, sh := need.Tool(t, "setsid"), need.Tool(t, "sh")
	bin := t.TempDir()
	for _, name := range []string{"sh", "printf", "ps"} {
		require.NoError(t, os.Symlink(need.Tool(t, name), bin+"/"+name))
	}
	line, err := Line([]string{"sh", "-c", "echo $$"}, nil, "", mark)
	require.NoError(t, err)
	for name, row := range map[string]struct {
		argv   []string
		letter byte
	}{
		"in a session of its own": {[]string{setsid, "-w", sh, "-c", line}, 'g'},
		"in the group of another": {[]string{sh, "-c", line}, 'p'},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(row.argv[0], row.argv[1:]...)
			cmd.Env = []string{"PATH=" + bin}
			var out bytes.Buffer
			var m Mark
			cmd.Stdout = NewStripper(mark, &out, func(f Mark) { m = f })
			require.NoError(t, cmd.Run())
			require.Equal(t, row.letter, m.Letter)
			require.NotEmpty(t, out.String())
		})
	}
}

func TestStripper(t *testing.T) {
	for name, row := range map[string]struct {
		in, want string
		mark     Mark
		noise    string
	}{
		"nothing before":               {mark + " g 12\nout", "out", Mark{'g', 12}, ""},
		"noise before":                 {"welcome" + mark + " p 12\nout\n", "out\n", Mark{'p', 12}, ""},
		"the line itself before":       {"sh -c printf " + mark + ` "$k" $$; ` + mark + " g 7\nx", "x", Mark{'g', 7}, ""},
		"only noise":                   {"This account is not available.\n", "", Mark{}, "This account is not available."},
		"a number that is none":        {mark + " g x\n", "", Mark{}, mark + " g x"},
		"the number of everything":     {mark + " g 0\n", "", Mark{}, mark + " g 0"},
		"the number of the first":      {mark + " g 1\n", "", Mark{}, mark + " g 1"},
		"a negative number":            {mark + " g -5\n", "", Mark{}, mark + " g -5"},
		"the mark in the output":       {mark + " g 12\n" + mark + " g 13\n", mark + " g 13\n", Mark{'g', 12}, ""},
		"a mark that has no end of it": {mark + " " + strings.Repeat("9", 100), "", Mark{}, mark + " " + strings.Repeat("9", 100)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{1, 5, len(row.in)} {
				var out bytes.Buffer
				var m Mark
				s := NewStripper(mark, &out, func(f Mark) { m = f })
				for rest := []byte(row.in); len(rest) > 0; rest = rest[min(step, len(rest)):] {
					_, err := s.Write(rest[:min(step, len(rest))])
					require.NoError(t, err)
				}
				require.Equal(t, row.want, out.String())
				require.Equal(t, row.mark, m)
				require.Equal(t, row.noise, string(s.Noise()))
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for name, row := range map[string]struct {
		code   int
		stderr string
		want   patch.Fault
	}{
		"no password":          {1, "sudo: a password is required\n", patch.Permanent},
		"after a lecture":      {1, "We trust you have received\n\nsudo: a terminal is required to read the password\n", patch.Permanent},
		"no rule":              {1, "Sorry, user ada may not run sudo on here.\n", patch.Permanent},
		"not this program":     {1, "Sorry, user ada is not allowed to execute '/bin/x' as root on here.\n", patch.Permanent},
		"nobody":               {1, "ada is not in the sudoers file.\n", patch.Permanent},
		"no sudo":              {127, "sh: 1: exec: sudo: not found\n", patch.Permanent},
		"the program's own 1":  {1, "E: Could not get lock\n", patch.NoFault},
		"the program's own 2":  {2, "sudo: a password is required\n", patch.NoFault},
		"a program not found":  {127, "sh: 1: exec: apt: not found\n", patch.NoFault},
		"a word on the way up": {1, "warning: sudo: a password is required\n", patch.NoFault},
	} {
		t.Run(name, func(t *testing.T) {
			err := Refused(transport.Result{Ended: true, Code: row.code, Stderr: []byte(row.stderr)}, "sudo")
			require.Equal(t, row.want, patch.FaultOf(err), "%v", err)
		})
	}
}
