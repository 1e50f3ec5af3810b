package providertest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// TransportHarness tells [Transport] how to get at a transport. The device has the POSIX programs sh, cat, printf, env, pwd
// and mktemp.
type TransportHarness struct {
	// New returns the transport.
	New func(t *testing.T) transport.Transport
}

// Transport checks a [transport.Transport].
func Transport(t *testing.T, h TransportHarness) {
	t.Helper()
	run(t, transportPromises(), func(t *testing.T) transportFixture { return transportFixture{h.New(t)} }, nil)
}

type transportFixture struct{ to transport.Transport }

// sh returns a command that runs a script, whose arguments are args.
func sh(script string, args ...string) transport.Command {
	return transport.Command{Argv: append([]string{"sh", "-c", script, "sh"}, args...)}
}

// ok runs c, which ends with 0.
func (f transportFixture) ok(t *testing.T, c transport.Command) transport.Result {
	t.Helper()
	r, err := f.to.Run(t.Context(), c)
	require.NoError(t, err)
	require.True(t, r.OK(), "%s of %s: %s", r, c, r.Stderr)
	return r
}

// folder makes an empty folder on the device.
func (f transportFixture) folder(t *testing.T) string {
	t.Helper()
	dir := strings.TrimSpace(string(f.ok(t, transport.Command{Argv: []string{"mktemp", "-d"}}).Stdout))
	t.Cleanup(func() {
		_, err := f.to.Run(context.Background(), transport.Command{Argv: []string{"rm", "-rf", dir}})
		require.NoError(t, err)
	})
	return dir
}

// soon waits until a script ends with 0.
func (f transportFixture) soon(t *testing.T, script string, args ...string) bool {
	t.Helper()
	return poll(t.Context(), 10*time.Second, 10*time.Millisecond, func() bool {
		r, err := f.to.Run(t.Context(), sh(script, args...))
		return err == nil && r.OK()
	})
}

// gone is a script that ends with 0 if no process has the number that a file holds, or nobody has asked for its end yet.
const gone = `read -r pid <"$1" || exit 1
kill -0 "$pid" 2>/dev/null || exit 0
{ read -r s </proc/"$pid"/stat; } 2>/dev/null || exit 1
case ${s##*) } in Z*) exit 0 ;; esac
exit 1`

func hostileArguments() []string {
	return []string{"", " ", "a b", "*", "~", "$HOME", "`id`", "$(id)", "'", `"`, `\`, `\\`, "'\\''", "a\nb", "\n", "a\tb", "!", "!!", "#x", "-n",
		"--", "%s", "{a,b}", "[a]", "a;b", "a|b", "a&", ">x", "ä", "日本", "\x80\xff", "\x01\x7f", "\r", "a\\nb", "^x", "=ls", "(x)", "\\\n"}
}

const (
	quoteArguments = "The arguments arrive as they are: nothing splits or expands them."
	quoteStdin     = "The command reads Stdin and then the end of it, whether Stdin is empty or not."
	quoteEnv       = "Env adds to the environment that the device gives its commands."
	quoteDir       = "Dir is where the command begins."
	quoteApart     = "The two outputs are kept apart, each from its beginning up to its bound."
	quoteBeyond    = "What is beyond a bound is read and counted, so that the command never waits for its reader."
	quoteCode      = "An exit code other than 0 is no error."
	quoteMissing   = "A program that is not there ends with the code 127, as shells say it."
	quoteCheck     = "A command that [Command.Check] refuses is not run; the error wraps [patch.ErrPermanent]."
	quoteStopped   = "When ctx ends, the command is stopped with all that it has started, as far as the transport can, and the error wraps that of ctx."
	quoteNotBegun  = "Nothing is run if ctx has ended before."
	quoteOnce      = "A call runs the command once or not at all, and never again after a failure."
	quoteAtOnce    = "It is safe for concurrent use."
)

func transportPromises() []promise[transportFixture] {
	return []promise[transportFixture]{
		{"Run", "arguments arrive as they are", quoteArguments, func(t *testing.T, f transportFixture) {
			args := hostileArguments()
			r := f.ok(t, sh(`for a; do printf "%s<" "$a"; done`, args...))
			require.Equal(t, strings.Join(args, "<")+"<", string(r.Stdout))
		}},
		{"Run", "the input is read to its end", quoteStdin, func(t *testing.T, f transportFixture) {
			require.Empty(t, f.ok(t, transport.Command{Argv: []string{"cat"}}).Stdout)
			in := bytes.Repeat([]byte("0123456789abcde\x00"), 20000)
			c := transport.Command{Argv: []string{"cat"}, Stdin: in}
			require.True(t, bytes.Equal(in, f.ok(t, c).Stdout), "cat returns its input")
		}},
		{"Run", "an input that is not read is no failure", quoteStdin, func(t *testing.T, f transportFixture) {
			c := sh("exit 0")
			c.Stdin = bytes.Repeat([]byte("x"), 1<<20)
			f.ok(t, c)
		}},
		{"Run", "variables are added to the environment", quoteEnv, func(t *testing.T, f transportFixture) {
			c := sh(`printf "%s,%s,%s" "$PATCHFLOW_A" "$PATCHFLOW_B" "${PATH:+kept}"`)
			c.Env = []string{"PATCHFLOW_A=one", "PATCHFLOW_B=$HOME it's \"two\"", "PATCHFLOW_A=last"}
			require.Equal(t, `last,$HOME it's "two",kept`, string(f.ok(t, c).Stdout))
		}},
		{"Run", "the command begins in its folder", quoteDir, func(t *testing.T, f transportFixture) {
			dir := f.folder(t) + "/it's a $HOME"
			f.ok(t, transport.Command{Argv: []string{"mkdir", dir}})
			r := f.ok(t, transport.Command{Argv: []string{"pwd"}, Dir: dir})
			require.True(t, strings.HasSuffix(string(r.Stdout), "/it's a $HOME\n"), "%q", r.Stdout)
		}},
		{"Run", "a folder that is not there is an error", quoteDir, func(t *testing.T, f transportFixture) {
			dir := f.folder(t)
			r, err := f.to.Run(t.Context(), transport.Command{Argv: []string{"touch", dir + "/ran"}, Dir: dir + "/none"})
			require.Error(t, err, "%s", r)
			f.ok(t, sh(`test ! -e "$1"`, dir+"/ran"))
		}},
		{"Run", "the outputs are kept apart", quoteApart, func(t *testing.T, f transportFixture) {
			r := f.ok(t, sh("printf out; printf err >&2; printf more"))
			require.Equal(t, "outmore", string(r.Stdout))
			require.Equal(t, "err", string(r.Stderr))
		}},
		{"Run", "an output beyond its bound is counted", quoteBeyond, func(t *testing.T, f transportFixture) {
			c := sh(`i=0; while [ $i -lt 2000 ]; do printf "%0100d" $i; printf "%050d" $i >&2; i=$((i+1)); done; exit 7`)
			c.MaxStdout, c.MaxStderr = 150, -1
			r, err := f.to.Run(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, 7, r.Code, "the command comes to its end")
			require.Equal(t, fmt.Sprintf("%0100d", 0)+strings.Repeat("0", 50), string(r.Stdout))
			require.Empty(t, r.Stderr)
			require.Equal(t, []int64{200000 - 150, 100000}, []int64{r.StdoutCut, r.StderrCut})
		}},
		{"Run", "an exit code is no error", quoteCode, func(t *testing.T, f transportFixture) {
			for _, code := range []int{0, 1, 3, 100, 255} {
				r, err := f.to.Run(t.Context(), sh(`exit "$1"`, fmt.Sprint(code)))
				require.NoError(t, err)
				require.True(t, r.Ended)
				require.Equal(t, code, r.Code)
				require.Equal(t, code == 0, r.OK())
			}
		}},
		{"Run", "a signal is not success", quoteCode, func(t *testing.T, f transportFixture) {
			r, err := f.to.Run(t.Context(), sh(`kill -s KILL $$`))
			require.NoError(t, err)
			require.True(t, r.Ended && (r.Signal == "KILL" && r.Code == -1 || r.Signal == "" && r.Code == 128+9), "%+v", r)
		}},
		{"Run", "a program that is not there is code 127", quoteMissing, func(t *testing.T, f transportFixture) {
			for _, c := range []transport.Command{{Argv: []string{"no-such-program"}}, {Argv: []string{"/no/such/program"}},
				{Argv: []string{"no-such-program"}, Env: []string{"A=b"}, Dir: "/"}} {
				r, err := f.to.Run(t.Context(), c)
				require.NoError(t, err)
				require.True(t, r.Ended)
				require.Equal(t, 127, r.Code)
			}
		}},
		{"Run", "a bad command is refused", quoteCheck, func(t *testing.T, f transportFixture) {
			for _, c := range []transport.Command{{}, {Argv: []string{""}}, {Argv: []string{"-x"}}, {Argv: []string{"A=b", "true"}},
				{Argv: []string{"true", "a\x00b"}}, {Argv: []string{"true"}, Env: []string{"1=x"}}, {Argv: []string{"true"}, Dir: "tmp"}} {
				r, err := f.to.Run(t.Context(), c)
				require.Equal(t, patch.Permanent, patch.FaultOf(err), "%q: %v", c.Argv, err)
				require.False(t, r.Ended)
			}
		}},
		{"Run", "a command that is cancelled is stopped with its children", quoteStopped, func(t *testing.T, f transportFixture) {
			dir := f.folder(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error)
			go func() {
				_, err := f.to.Run(ctx, sh(`sleep 60 & echo $! >"$1.new"; mv "$1.new" "$1"; wait`, dir+"/pid"))
				done <- err
			}()
			began := f.soon(t, `test -e "$1"`, dir+"/pid")
			cancel()
			err := <-done
			require.True(t, began, "the command begins: %v", err)
			require.ErrorIs(t, err, context.Canceled)
			require.True(t, f.soon(t, gone, dir+"/pid"), "the child goes on")
		}},
		{"Run", "nothing is run when ctx has ended", quoteNotBegun, func(t *testing.T, f transportFixture) {
			dir := f.folder(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := f.to.Run(ctx, transport.Command{Argv: []string{"touch", dir + "/ran"}})
			require.ErrorIs(t, err, context.Canceled)
			f.ok(t, sh(`test ! -e "$1"`, dir+"/ran"))
		}},
		{"Run", "a command that fails runs once", quoteOnce, func(t *testing.T, f transportFixture) {
			dir := f.folder(t)
			for range 3 {
				_, err := f.to.Run(t.Context(), sh(`echo ran >>"$1"; exit 75`, dir+"/runs"))
				require.NoError(t, err)
			}
			require.Equal(t, "ran\nran\nran\n", string(f.ok(t, transport.Command{Argv: []string{"cat", dir + "/runs"}}).Stdout))
		}},
		{"Run", "calls run at once", quoteAtOnce, func(t *testing.T, f transportFixture) {
			const n = 16
			results, errs := make([]transport.Result, n), make([]error, n)
			atOnce(n, func(i int) {
				results[i], errs[i] = f.to.Run(t.Context(), sh(`printf "%s" "$1"; exit "$1"`, fmt.Sprint(i)))
			})
			for i, r := range results {
				require.NoError(t, errs[i])
				require.Equal(t, i, r.Code)
				require.Equal(t, fmt.Sprint(i), string(r.Stdout))
			}
		}},
	}
}
