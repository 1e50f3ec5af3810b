package replay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/transport"
)

// A recorder is a test that may fail.
type recorder struct {
	testing.TB
	failed int
	after  []func()
}

func (r *recorder) Errorf(string, ...any) { r.failed++ }
func (r *recorder) Failed() bool          { return r.failed > 0 }
func (r *recorder) Cleanup(f func())      { r.after = append(r.after, f) }

func TestADeviceDoesWhatItsFileSays(t *testing.T) {
	p := Load(t, "testdata/device.txt")
	p.Names = map[string]string{"SCRIPT": "a long text"}
	run := func(env []string, argv ...string) (transport.Result, error) {
		return p.Run(t.Context(), transport.Command{Argv: argv, Env: env})
	}
	r, err := run(nil, "tool", "list")
	require.NoError(t, err)
	require.Equal(t, "jq 1.6\n", string(r.Stdout))
	r, err = run([]string{"QUIET=1"}, "tool", "up", "two words")
	require.NoError(t, err)
	require.Equal(t, 3, r.Code)
	require.Equal(t, "late\n", string(r.Stderr))
	require.Equal(t, "new", p.State())
	r, err = run(nil, "tool", "list")
	require.NoError(t, err)
	require.Equal(t, "jq 1.7\n", string(r.Stdout))
	_, err = run(nil, "tool", "a long text")
	require.NoError(t, err)
	require.Equal(t, 2, p.Count("tool", "list"))
	require.Equal(t, 4, p.Count("tool"))
	cases := Read(t, "testdata/device.txt")
	require.True(t, cases[1].HasWant())
	require.Equal(t, patch.Busy, cases[1].Want)
}

func TestWhatTheFileDoesNotHaveFails(t *testing.T) {
	for name, argv := range map[string][]string{"another word": {"tool", "lists"}, "no variable": {"tool", "up", "two words"}} {
		r := &recorder{TB: t}
		p := Load(r, "testdata/device.txt")
		_, _ = p.Run(t.Context(), transport.Command{Argv: argv})
		require.Equal(t, 1, r.failed, name)
	}
	r := &recorder{TB: t}
	Load(r, "testdata/device.txt")
	for _, f := range r.after {
		f()
	}
	require.Positive(t, r.failed, "commands that were never run")
}
