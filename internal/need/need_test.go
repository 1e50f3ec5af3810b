package need

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A probe is a test whose end is looked at.
type probe struct {
	testing.TB
	end string
}

func (p *probe) Helper() {}

func (p *probe) Skip(args ...any) { p.Skipf("%s", fmt.Sprint(args...)) }

func (p *probe) Skipf(format string, args ...any) {
	p.end = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (p *probe) Fatalf(format string, args ...any) {
	p.end = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// End returns how a test ends that does what need says: "went on", or why not.
func end(need func(testing.TB)) string {
	p := &probe{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		need(p)
		p.end = "went on"
	}()
	<-done
	return p.end
}

func TestNeed(t *testing.T) {
	shared := t.TempDir()
	tool := func(name string) func(testing.TB) { return func(t testing.TB) { Tool(t, name) } }
	feeds := func(elem ...string) func(testing.TB) { return func(t testing.TB) { Shared(t, elem...) } }
	for name, row := range map[string]struct {
		need       func(testing.TB)
		shared     string
		here, inCI string
	}{
		"a tool that is there":         {tool("go"), "", "went on", "went on"},
		"a tool that is missing":       {tool("no-such-tool"), "", "skipped: this test needs the program no-such-tool", "failed: this test needs the program no-such-tool, and CI must have it"},
		"a folder that nobody names":   {feeds("x"), "", "skipped: this test needs PATCHFLOW_SHARED, the", "skipped: this test needs PATCHFLOW_SHARED, the"},
		"a folder that is there":       {feeds(), shared, "went on", "went on"},
		"a folder that is not there":   {feeds(), filepath.Join(shared, "x"), "skipped: this test needs " + shared, "failed: this test needs " + shared},
		"a part of it that is missing": {feeds("a", "b"), shared, "skipped: this test needs " + filepath.Join(shared, "a", "b"), "failed: this test needs " + filepath.Join(shared, "a", "b")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATCHFLOW_SHARED", row.shared)
			t.Setenv("CI", "")
			require.Contains(t, end(row.need), row.here)
			t.Setenv("CI", "true")
			require.Contains(t, end(row.need), row.inCI)
		})
	}
}
