package transport_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

func TestCheck(t *testing.T) {
	argv := []string{"true"}
	for name, row := range map[string]struct {
		c    transport.Command
		want string // "" if the command is fine
	}{
		"a program":                 {transport.Command{Argv: argv}, ""},
		"all there is":              {transport.Command{Argv: []string{"/bin/a b", "-x", "", "A=b", "\n"}, Env: []string{"_a1=", "A=b=c\n"}, Dir: "/", MaxStdout: -1, MaxStderr: transport.MaxOutput}, ""},
		"a folder of Windows":       {transport.Command{Argv: argv, Dir: `C:\Windows`}, ""},
		"nothing":                   {transport.Command{}, "there is no program"},
		"an empty program":          {transport.Command{Argv: []string{"", "x"}}, "there is no program"},
		"an option for a program":   {transport.Command{Argv: []string{"-x"}}, `"-x" is not the name`},
		"a variable for a program":  {transport.Command{Argv: []string{"A=b"}}, `"A=b" is not the name`},
		"a byte 0 in the program":   {transport.Command{Argv: []string{"a\x00"}}, "argument 0 holds a byte 0"},
		"a byte 0 in an argument":   {transport.Command{Argv: []string{"a", "", "\x00"}}, "argument 2 holds a byte 0"},
		"a byte 0 in a variable":    {transport.Command{Argv: argv, Env: []string{"A=b", "C=\x00"}}, "variable 1 is not"},
		"a variable without a name": {transport.Command{Argv: argv, Env: []string{"=x"}}, "variable 0 is not"},
		"a variable with no value":  {transport.Command{Argv: argv, Env: []string{"A"}}, "variable 0 is not"},
		"a name that is none":       {transport.Command{Argv: argv, Env: []string{"A-B=x"}}, "variable 0 is not"},
		"a name with a digit first": {transport.Command{Argv: argv, Env: []string{"1A=x"}}, "variable 0 is not"},
		"a relative folder":         {transport.Command{Argv: argv, Dir: "tmp"}, `folder "tmp" is not absolute`},
		"a folder with a byte 0":    {transport.Command{Argv: argv, Dir: "/a\x00"}, "is not absolute"},
		"too long":                  {transport.Command{Argv: []string{"a", strings.Repeat("x", transport.MaxText)}}, "bytes of arguments"},
		"too much to read":          {transport.Command{Argv: argv, Stdin: make([]byte, transport.MaxStdin+1)}, "bytes to read"},
		"too much to keep":          {transport.Command{Argv: argv, MaxStderr: transport.MaxOutput + 1}, "bytes of output"},
	} {
		t.Run(name, func(t *testing.T) {
			err := row.c.Check()
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
			require.Equal(t, patch.Permanent, patch.FaultOf(err))
		})
	}
}

func TestTheZeroResultIsNoSuccess(t *testing.T) {
	require.False(t, transport.Result{}.OK())
	require.False(t, transport.Result{Ended: true, Signal: "KILL"}.OK())
	require.False(t, transport.Result{Ended: true, Code: 1}.OK())
	require.True(t, transport.Result{Ended: true}.OK())
}

func TestSecretsAreNotInMessages(t *testing.T) {
	c := transport.Command{Argv: []string{"a", "b c", ""}, Env: []string{"TOKEN=hush"}, Stdin: []byte("hush")}
	require.Equal(t, `a "b c" ""`, c.String())
	c.Env = append(c.Env, "hush")
	require.NotContains(t, c.Check().Error(), "hush")
}

// An agent of a vendor has one method to implement.
func ExampleFunc() {
	var agent transport.Transport = transport.Func(func(ctx context.Context, c transport.Command) (transport.Result, error) {
		if err := c.Check(); err != nil {
			return transport.Result{}, err
		}
		return transport.Result{}, fmt.Errorf("agent: %s: connection lost: %w: %w", c, transport.ErrUnknownOutcome, patch.ErrUnreachable)
	})
	_, err := agent.Run(context.Background(), transport.Command{Argv: []string{"apt-get", "-y", "install", "hello=2.0"}})
	fmt.Println(patch.FaultOf(err), errors.Is(err, transport.ErrUnknownOutcome))
	// Output: unreachable true
}

func ExampleResult() {
	r := transport.Result{Ended: true, Code: 100, Stdout: []byte("Reading"), StdoutCut: 12}
	fmt.Println(r, r.OK(), r.StdoutCut > 0)
	// Output: exit code 100 false true
}
