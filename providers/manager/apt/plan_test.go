package apt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/transport"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"g++", "libstdc++6", "0ad", "python3.11", "a1", "lib-x"} {
		require.NoError(t, CheckName(name), name)
	}
	for _, name := range []string{"", "a", "-y", "--yes", "jq-", "JQ", "jq=1", "jq/stable", "jq*", "jq?", "jq ", " jq", "jq\n", "j\x00q", "../jq", "/jq.deb", "./jq", "jq:amd64",
		"jq^", "~nx", "?x", "jq|x", "$(id)", "`id`", "jq;id", "+jq", ".jq", "jq[1]", "é", strings.Repeat("a", 129)} {
		require.Equal(t, patch.Permanent, patch.FaultOf(CheckName(name)), "%q", name)
	}
	for _, v := range []string{"1.0", "1:2.3-4", "0", "2.0~rc1-1+deb12u3", "1.0-1-2", "9z"} {
		require.NoError(t, CheckVersion(v), v)
	}
	for _, v := range []string{"", "1.0+", "1.0-", "-1", "a1", ":1", "x:1", "1:", "1.0*", "1.0/stable", "1.0 2", "1.0\n", "1:2:3", "1.0=2", "~1", "1.0'", "1.0;", strings.Repeat("1", 129)} {
		require.Equal(t, patch.Permanent, patch.FaultOf(CheckVersion(v)), "%q", v)
	}
}

// Lines of apt-get -s, as apt 2.6 printed them.
const planned = `Reading package lists...
The following packages will be upgraded:
  hello-patch
1 upgraded, 0 newly installed, 0 to remove and 1 not upgraded.
Inst hello-patch [1.0] (1.1 Test-Security:stable-security [all])
Inst libc6:i386 [2.36-9] (2.36-9+deb12u1 Debian:12.1/oldstable, Debian-Security:12/oldstable-security [i386]) [libc6:amd64 on libc6:i386]
Inst fresh (1.0 Test:stable, local-deb [amd64])
Conf hello-patch (1.1 Test-Security:stable-security [all])
Remv rival [1.0]
Purg old [2.0]
`

func TestReadMoves(t *testing.T) {
	moves, err := readMoves([]byte(planned))
	require.NoError(t, err)
	require.Equal(t, []manager.Move{
		{Name: "hello-patch", Arch: "all", From: "1.0", To: "1.1"}, {Name: "libc6", Arch: "i386", From: "2.36-9", To: "2.36-9+deb12u1"},
		{Name: "fresh", Arch: "amd64", To: "1.0"}, {Remove: true, Name: "rival", From: "1.0"}, {Remove: true, Name: "old", From: "2.0"},
	}, moves)
	for _, line := range []string{"Inst x", "Inst hello (1.0", "Inst hello ()", "Inst hello (1.0 Test:stable)", "Inst -x [1] (2 T:s [all])", "Inst"} {
		_, err := readMoves([]byte(line + " \n"))
		require.Error(t, err, line)
	}
}

// What apt and dpkg report for programs counts before what they and the scripts of packages say.
func TestClassify(t *testing.T) {
	failed := func(stdout, stderr string) transport.Result {
		return transport.Result{Ended: true, Code: 100, Stdout: []byte(stdout), Stderr: []byte(stderr)}
	}
	for _, row := range []struct {
		result transport.Result
		want   patch.Fault
	}{
		{transport.Result{Ended: true}, patch.NoFault},
		{failed("", ""), patch.Transient},
		{failed("pmerror:jq:60.0000:installed jq package post-installation script subprocess returned error exit status 3\n", "E: No space left on device\n"), patch.Permanent},
		{failed("status: jq : error : end of file on stdin at conffile prompt\n", ""), patch.NeedsUser},
		{failed("pmstatus:jq:60.0000:No space left on device\n", ""), patch.Transient},
		{failed("", "a script says: No space left on device\n"), patch.Transient},
		{failed("", "E: You don't have enough free space in /var/cache/apt/archives/.\n"), patch.DiskFull},
		{failed("", "dpkg: error: dpkg frontend lock was locked by another process with pid 7\n"), patch.Busy},
		{failed("", "E: Failed to fetch http://x/a.deb  404  Not Found [IP: ::1 80]\n"), patch.Transient},
		{failed("", "E: Failed to fetch http://x/a.deb  Hash Sum mismatch\n"), patch.Untrusted},
		{transport.Result{Ended: true, Code: 127, Stderr: []byte("apt-get: not found\n")}, patch.Permanent},
		{transport.Result{Ended: true, Code: -1, Signal: "KILL"}, patch.Transient},
	} {
		require.Equal(t, row.want, patch.FaultOf(Classify(row.result)), "%s", row.result.Stderr)
	}
}

func FuzzReadMoves(f *testing.F) {
	f.Add([]byte(planned))
	f.Fuzz(func(t *testing.T, text []byte) {
		moves, err := readMoves(text)
		if err != nil {
			require.Empty(t, moves)
		}
		for _, m := range moves {
			require.NoError(t, CheckName(m.Name))
		}
	})
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte("pmerror:a:1:x\n"), []byte("E: y\n z\n"))
	f.Fuzz(func(t *testing.T, stdout, stderr []byte) {
		require.Error(t, Classify(transport.Result{Ended: true, Code: 1, Stdout: stdout, Stderr: stderr}))
	})
}
