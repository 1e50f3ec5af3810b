package rollouttest_test

import (
	"cmp"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/rollout/rollouttest"
)

// seeds returns how many seeds a test runs: the usual number, many more with PATCHFLOW_LONG=1, or a quarter with -short.
func seeds(short int) uint64 {
	if testing.Short() {
		return max(uint64(short)/4, 1)
	}
	if long() {
		return uint64(short) * 6
	}
	return uint64(short)
}

func long() bool { return os.Getenv("PATCHFLOW_LONG") != "" }

// alone returns the only seed that is to be run, if PATCHFLOW_SEED says so. What a test wants of all of its seeds together does not count then.
func alone() (uint64, bool) {
	seed, err := strconv.ParseUint(os.Getenv("PATCHFLOW_SEED"), 10, 64)
	return seed, err == nil
}

// failing is what [sweep] needs of a test.
type failing interface {
	Name() string
	Failed() bool
	Logf(format string, args ...any)
}

// sweep yields the first seeds of a test, and then those that once found a fault. It ends with the first at which the test fails, and says
// which that was, of which commit, and how it is run alone.
func sweep(t failing, short int, found ...uint64) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		var last uint64
		defer func() { // also if the test ends at once
			if t.Failed() {
				t.Logf("failed with seed %d of commit %s. It runs alone by\n\tPATCHFLOW_SEED=%d go test -run '^%s$' ./rollout/rollouttest", last, commit(), last, t.Name())
			}
		}()
		run := func(seed uint64) bool {
			last = seed
			return yield(seed) && !t.Failed()
		}
		if seed, ok := alone(); ok {
			run(seed)
			return
		}
		n := seeds(short)
		for seed := range n {
			if !run(seed) {
				return
			}
		}
		for _, seed := range found {
			if seed >= n && !run(seed) {
				return
			}
		}
	}
}

// commit names what is tested. A seed draws the same only there.
var commit = sync.OnceValue(func() string {
	id, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return cmp.Or(os.Getenv("PATCHFLOW_COMMIT"), "unknown")
	}
	name := strings.TrimSpace(string(id))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", ":/").Output(); err != nil || len(changed) > 0 {
		name += ", changed"
	}
	return name
})

// points counts what hosts went through.
type points struct{ crashes, torn, unknown, again, jumps, behind int }

func (p *points) add(results []rollouttest.Result) {
	for i := range results {
		r := &results[i]
		for _, sum := range []*points{p, &all.points} {
			all.Lock()
			sum.crashes, sum.torn, sum.again = sum.crashes+r.Crashes, sum.torn+r.Torn, sum.again+r.Again
			sum.unknown += r.Unknown
			sum.jumps, sum.behind = sum.jumps+r.Jumps, sum.behind+r.Behind
			all.Unlock()
		}
	}
}

func (p points) String() string {
	return fmt.Sprintf("%d crash points, of which %d left a torn entry, %d a whole one that nobody knew of, and %d came in a recovery; %d jumps of the clock, %d signals while it was behind", p.crashes, p.torn, p.unknown, p.again, p.jumps, p.behind)
}

// all are the points of all tests.
var all struct {
	sync.Mutex
	points
}

// enough is how many crash points a long run has at least.
const enough = 100000

// pointsMissed says what is wrong if every test has run, in a long run, and they had too few crash points.
func pointsMissed(crashes int) string {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz"} {
		if flag.Lookup(name).Value.String() != "" {
			return ""
		}
	}
	if _, one := alone(); one || !long() || testing.Short() || crashes >= enough {
		return ""
	}
	return fmt.Sprintf("%d crash points in all: want %d at least", crashes, enough)
}

// A test whose third seed fails.
type failingAt struct {
	runs int
	log  string
}

func (f *failingAt) Name() string                    { return "TestIt" }
func (f *failingAt) Failed() bool                    { return f.runs == 3 }
func (f *failingAt) Logf(format string, args ...any) { f.log += fmt.Sprintf(format, args...) }

func TestASweepSaysHowToRunWhatFailed(t *testing.T) {
	var f failingAt
	for range sweep(&f, 100) {
		f.runs++
	}
	require.Equal(t, 3, f.runs)
	require.Regexp(t, `^failed with seed 2 of commit ([0-9a-f]{40}|[0-9a-f]{40}, changed|unknown)\. It runs alone by\n\tPATCHFLOW_SEED=2 go test -run '\^TestIt\$' ./rollout/rollouttest$`, f.log)

	t.Setenv("PATCHFLOW_SEED", "2")
	f = failingAt{}
	for seed := range sweep(&f, 100) {
		require.Equal(t, uint64(2), seed)
		f.runs++
	}
	require.Equal(t, 1, f.runs)
	require.Empty(t, f.log)
}
