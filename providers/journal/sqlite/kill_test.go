package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout"
)

// childEnv holds what TestChild is to do in a process of its own, and childFile the file it does it with.
const (
	childEnv  = "PATCHFLOW_TEST_SQLITE_CHILD"
	childFile = "PATCHFLOW_TEST_SQLITE_FILE"
)

// What was acknowledged survives the death of the process at any moment. Whether it survives the loss of power cannot be
// tested here; that the disk is waited for is, by TestConnectionsWaitForTheDisk.
func TestKillLosesNothingThatWasAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openAt(t, path)
	for i := range killRollouts {
		require.NoError(t, j.Create(t.Context(), killHead(i, 0), []byte("plan"), nil))
	}
	require.NoError(t, j.Close())

	acknowledged := make([]uint64, killRollouts)
	moments := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		after := 1 + moments.IntN(60) // lines of progress, so that it dies in the midst of the next ones
		if round == 0 {
			after = 0 // at once, perhaps while opening
		}
		for rollout, count := range killedAfter(t, path, after) {
			acknowledged[rollout] = max(acknowledged[rollout], count)
		}
		j := openAt(t, path)
		for i, want := range acknowledged {
			n := killCheck(t, j, i)
			require.GreaterOrEqual(t, n, want, "round %d, rollout %d: an acknowledged entry is lost", round, i)
			require.LessOrEqual(t, n, want+1, "round %d, rollout %d: more than the one in flight", round, i)
			acknowledged[i] = n
		}
		require.NoError(t, j.Close())
	}
	for i, n := range acknowledged {
		require.NotZero(t, n, "rollout %d was never appended to", i)
	}
}

const killRollouts = 6

// killedAfter starts a child that appends to the rollouts in the file, kills it after that many lines of progress, and
// returns the count that it last acknowledged for each rollout.
func killedAfter(t *testing.T, path string, lines int) map[int]uint64 {
	t.Helper()
	cmd := child(t, "append", path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	acknowledged := map[int]uint64{}
	read := 0
	kill := func() {
		if read == lines {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	kill()
	// After the kill what is left in the pipe counts too: it was acknowledged before.
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		var i int
		var count uint64
		_, err := fmt.Sscanf(scanner.Text(), "rollout %d holds %d.", &i, &count)
		require.NoError(t, err, "%q", scanner.Text())
		acknowledged[i] = count
		read++
		kill()
	}
	require.Error(t, cmd.Wait(), "it was killed")
	return acknowledged
}

// appendForever is the child: one goroutine for each rollout appends entry after entry, and says so when it is done.
func appendForever(ctx context.Context, j *Journal) error {
	failed := make(chan error, killRollouts)
	var mu sync.Mutex
	for i := range killRollouts {
		go func() {
			failed <- func() error {
				r, err := j.Load(ctx, killHead(i, 0).Key)
				if err != nil {
					return err
				}
				for n := r.Head.Entries; ; n++ {
					if err := j.Append(ctx, killHead(i, n+1), [][]byte{killEntry(i, n)}); err != nil {
						return err
					}
					mu.Lock()
					_, err := io.WriteString(os.Stdout, fmt.Sprintf("rollout %d holds %d.\n", i, n+1))
					mu.Unlock()
					if err != nil {
						return err
					}
				}
			}()
		}()
	}
	return <-failed
}

func killHead(i int, count uint64) rollout.Head {
	return rollout.Head{Key: rollout.Key{Tenant: "acme", ID: rollout.ID(fmt.Sprint("q", i))}, Entries: count, Stage: rollout.StageActive}
}

// killEntry is entry n of rollout i: from nothing to 40 kB, over many pages of the file.
func killEntry(i int, n uint64) []byte {
	name := fmt.Sprintf("rollout %d entry %d\x00", i, n)
	return []byte(strings.Repeat(name, int(n*7919%97)*int(n%23)))
}

// killCheck asserts that a rollout holds entries without a gap, byte by byte, and returns how many.
func killCheck(t *testing.T, j *Journal, i int) uint64 {
	t.Helper()
	r, err := j.Load(t.Context(), killHead(i, 0).Key)
	require.NoError(t, err)
	require.Equal(t, "plan", string(r.Plan))
	n := uint64(0)
	for e, err := range r.Entries {
		require.NoError(t, err)
		require.True(t, string(killEntry(i, n)) == string(e), "rollout %d entry %d differs", i, n)
		n++
	}
	require.Equal(t, r.Head.Entries, n)
	return n
}

func TestAnotherProcessThatAppendsFirstIsAConflict(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j := openAt(t, path)
	require.NoError(t, j.Create(t.Context(), killHead(0, 0), nil, nil))
	require.NoError(t, j.Append(t.Context(), killHead(0, 1), [][]byte{[]byte("ours")}))
	out, err := child(t, "append once", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.ErrorIs(t, j.Append(t.Context(), killHead(0, 2), [][]byte{[]byte("ours again")}), rollout.ErrConflict)
	r, err := j.Load(t.Context(), killHead(0, 0).Key)
	require.NoError(t, err)
	var got []string
	for e, err := range r.Entries {
		require.NoError(t, err)
		got = append(got, string(e))
	}
	require.Equal(t, []string{"ours", "theirs"}, got)
}

// TestChild is what the other tests run in a process of its own.
func TestChild(t *testing.T) {
	what, ok := os.LookupEnv(childEnv)
	if !ok {
		t.Skip("runs as a child of other tests")
	}
	j := openAt(t, os.Getenv(childFile))
	switch what {
	case "append":
		require.NoError(t, appendForever(t.Context(), j))
	case "append once":
		require.NoError(t, j.Append(t.Context(), killHead(0, 2), [][]byte{[]byte("theirs")}))
	default:
		t.Fatalf("do what? %q", what)
	}
}

func child(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestChild$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), childEnv+"="+what, childFile+"="+path)
	return cmd
}
