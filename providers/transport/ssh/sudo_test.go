package ssh

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
)

// Each row is a sudo that says what the real one says, or runs the command.
func TestSudo(t *testing.T) {
	for name, row := range map[string]struct {
		script string
		user   string
		out    string
		fault  patch.Fault
		want   string
	}{
		"it runs the command":       {`test "$1 $2" = "-n --" && shift 2 && echo as root && exec "$@"`, "ada", "as root\none two\n", patch.NoFault, ""},
		"root needs none":           {"exit 9", "root", "one two\n", patch.NoFault, ""},
		"it wants a password":       {`echo "sudo: a password is required" >&2; exit 1`, "ada", "", patch.Permanent, "a password is required"},
		"it knows of no such right": {`echo "Sorry, user ada may not run sudo on here." >&2; exit 1`, "ada", "", patch.Permanent, "may not run sudo"},
	} {
		t.Run(name, func(t *testing.T) {
			sudo := filepath.Join(t.TempDir(), "sudo")
			require.NoError(t, os.WriteFile(sudo, []byte("#!/bin/sh\n"+row.script+"\n"), 0o700))
			c := newFake(t, "never", 0).config
			c.User, c.Sudo = row.user, []string{sudo, "-n", "--"}
			cmd := command("sh", "-c", `echo "$A" "$1"`, "sh", "two")
			cmd.Env, cmd.Root = []string{"A=one"}, true
			r, err := device(t, c).Run(t.Context(), cmd)
			require.Equal(t, row.fault, patch.FaultOf(err), "%v", err)
			if row.want != "" {
				require.ErrorContains(t, err, row.want)
				return
			}
			require.Equal(t, row.out, string(r.Stdout))
		})
	}
}
