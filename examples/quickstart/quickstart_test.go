package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/journal/sqlite"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ran is what one run of the program left behind. The tests share it: it is the most expensive thing here.
var ran = sync.OnceValues(func() (left struct{ dir, out string }, err error) {
	if left.dir, err = os.MkdirTemp("", "quickstart"); err != nil {
		return left, err
	}
	var out bytes.Buffer
	err = run(context.Background(), []string{"-dir", left.dir}, &out)
	left.out = strings.ReplaceAll(out.String(), left.dir+string(filepath.Separator), "")
	return left, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if left, _ := ran(); left.dir != "" {
		_ = os.RemoveAll(left.dir)
	}
	os.Exit(code)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got), "-want +got; go test -update writes it anew")
}

func TestItTellsTheSameStoryEveryTime(t *testing.T) {
	left, err := ran()
	require.NoError(t, err)
	golden(t, "quickstart.golden", left.out)
	for n, text := range strings.Split(left.out, "\n") {
		require.LessOrEqual(t, len([]rune(text)), width, "line %d: %s", n+1, text)
	}
}

// The report is the same in every run, whatever the order in which answers come.
func TestItsReportIsTheSameEveryTime(t *testing.T) {
	left, err := ran()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, run(t.Context(), []string{"-dir", dir}, io.Discard))
	require.Empty(t, cmp.Diff(report(t, left.dir), report(t, dir)))
}

func report(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, reportName))
	require.NoError(t, err)
	return string(text)
}

// journals replays both rollouts from the SQLite file of a run.
func journals(t *testing.T, dir string) (first, second *history) {
	t.Helper()
	journal, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, journalName)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, journal.Close()) })
	first, err = readHistory(t.Context(), journal, rollout.Key{Tenant: tenant, ID: firstID})
	require.NoError(t, err)
	second, err = readHistory(t.Context(), journal, rollout.Key{Tenant: tenant, ID: secondID})
	require.NoError(t, err)
	return first, second
}

// told is a demonstration whose rollouts and fleet can be looked at afterwards.
type told struct {
	*demo
	story    *story
	statuses map[rollout.ID]rollout.Status
}

// tellOnce tells the story once for all tests that look at its end.
var tellOnce = sync.OnceValues(func() (told, error) {
	clock := runner.NewVirtualClock(begin())
	d := &demo{screen: newScreen(io.Discard), clock: clock, approver: approver(clock.Now), journal: new(memjournal.Journal)}
	statuses := make(map[rollout.ID]rollout.Status)
	d.giveUp = func(err error) { panic(err) }
	d.watch = func(tr runner.Transition) { statuses[tr.Key.ID] = tr.Status }
	s, err := d.tell(context.Background(), 500)
	return told{d, s, statuses}, err
})

func tellIt(t *testing.T) told {
	t.Helper()
	d, err := tellOnce()
	require.NoError(t, err)
	return d
}

func TestRollouts(t *testing.T) {
	d := tellIt(t)
	left, err := ran()
	require.NoError(t, err)
	first, second := journals(t, left.dir)

	t.Run("both journals replay to the status that the rollouts ended with", func(t *testing.T) {
		require.Empty(t, cmp.Diff(d.statuses[firstID], first.Status))
		require.Empty(t, cmp.Diff(d.statuses[secondID], second.Status))
	})
	t.Run("the first passes all its gates", func(t *testing.T) {
		require.Equal(t, rollout.StageDone, first.Status.Stage)
		for _, r := range first.Status.Rings {
			require.Equal(t, rollout.Pass, r.Gate, r.Name)
		}
		require.Equal(t, []string{"test", "pilot", "broad"}, ringNames(first.Plan))
	})
	t.Run("it works within the windows of the devices", func(t *testing.T) {
		for _, e := range d.fleet.Log() {
			if e.Op != rollout.OpInstall || e.Phase != rollout.PhaseRunning {
				continue
			}
			dev := d.fleet.devices[e.Device].device
			at := e.At.In(zone(t, dev.Zone))
			if dev.Labels["ring"] == "test" {
				require.True(t, at.Hour() >= 9 && at.Hour() < 17, "%s at %s", e.Device, at)
			} else {
				require.True(t, at.Hour() >= 22 || at.Hour() < 5, "%s at %s", e.Device, at)
			}
		}
	})
	t.Run("devices hold what the journal says", func(t *testing.T) {
		catalog, refused, err := patch.Collect(t.Context(), patch.Query{}, d.index)
		require.NoError(t, err)
		require.Empty(t, refused)
		for i, id := range first.Plan.Devices {
			dev, ok := d.fleet.Device(first.Plan.TenantOf(i), id)
			require.True(t, ok)
			missing := 0
			for _, p := range first.Plan.Contents[first.Plan.Content[i]].Patches {
				if below(t, dev.Software, p.Packages) {
					missing++
				}
			}
			_, found := catalog.Get(first.Plan.Contents[first.Plan.Content[i]].Patches[0].ID)
			require.True(t, found)
			require.Equal(t, first.outcome(i) == rollout.Succeeded, missing == 0, "%s is %s and misses %d", id, first.outcome(i), missing)
		}
	})
	t.Run("the second touches exactly its first ring", func(t *testing.T) {
		require.Equal(t, rollout.StageUndone, second.Status.Stage)
		ring := second.Plan.Rings[0]
		touched := make(map[inventory.DeviceID]bool)
		for _, e := range d.fleet.Log() {
			if name, err := rollout.ParseTaskID(e.Task); err == nil && name.Rollout.ID == secondID {
				touched[e.Device] = true
			}
		}
		require.Len(t, touched, ring.Count)
		for i, id := range second.Plan.Devices {
			require.Equal(t, i < ring.Count, touched[id], id)
			require.Equal(t, i < ring.Count, second.outcome(i) == rollout.RolledBack, id)
		}
		require.Less(t, len(touched), len(second.Plan.Devices)/20)
	})
	t.Run("no device holds the bad patch in the end", func(t *testing.T) {
		for dev, err := range d.fleet.Devices(t.Context(), inventory.Query{}) {
			require.NoError(t, err)
			now, _ := d.fleet.Device(dev.Tenant, dev.ID)
			for _, s := range now.Software {
				require.NotContains(t, s.Version.Text, "madeup", dev.ID)
			}
		}
	})
	t.Run("it is in quarantine, alone, and in no plan", func(t *testing.T) {
		require.Empty(t, first.Quarantine)
		require.Len(t, second.Quarantine, 1)
		bad := second.Quarantine[0].Patch
		require.True(t, strings.HasPrefix(string(bad), "madeup:curl="), bad)
		require.True(t, offered(second.Plan, bad))
		require.False(t, offered(&d.last.Plan, bad))
		require.Equal(t, len(second.Plan.Devices), d.last.Summary.Tally.Rules[rollout.QuarantineRule])
	})
	t.Run("a tenth of the devices would have broken", func(t *testing.T) {
		n := 0
		for _, m := range d.fleet.devices {
			if m.breaks {
				n++
			}
		}
		require.InDelta(t, 50, n, 5)
	})
	t.Run("nothing that is unknown counts as compliant", func(t *testing.T) {
		for _, s := range []survey{d.story.Before, d.story.After} {
			c := s.Compliance
			require.Equal(t, 500, c.Devices)
			require.Equal(t, c.Devices, c.Compliant+c.Missing+c.Unknown+c.Excluded)
			require.Equal(t, c.Compliant+c.Missing+c.Unknown, c.Denominator())
			require.Positive(t, c.Unknown)
			require.Positive(t, c.Excluded)
		}
		require.Greater(t, d.story.After.Compliance.Compliant, d.story.Before.Compliance.Compliant)
	})
}

func ringNames(p *rollout.Plan) (names []string) {
	for _, r := range p.Rings {
		names = append(names, r.Name)
	}
	return names
}

// below says whether any installed package is below its fixed version, in a way of its own.
func below(t *testing.T, software []inventory.Software, packages []patch.Package) bool {
	t.Helper()
	for _, p := range packages {
		for _, s := range software {
			if s.Name == p.Name && s.Arch == p.Arch {
				c, err := version.Compare(s.Version, p.Fixed)
				require.NoError(t, err)
				if c < 0 {
					return true
				}
			}
		}
	}
	return false
}

func TestTheFleetIsMadeOfTheRealMachine(t *testing.T) {
	d := tellIt(t)
	installed, err := realMachine()
	require.NoError(t, err)
	require.Len(t, installed, 703)
	lists := make(map[*inventory.Software]bool)
	tenants := make(map[inventory.Tenant]string)
	for _, m := range d.fleet.devices {
		tenants[m.device.Tenant] = m.device.Zone
		if len(m.device.Software) > 0 {
			require.Len(t, m.device.Software, len(installed))
			lists[&m.device.Software[0]] = true
		}
	}
	require.LessOrEqual(t, len(lists), steps+1, "devices of one profile share their software")
	require.Equal(t, map[inventory.Tenant]string{"acme/berlin": "Europe/Berlin", "acme/hamburg": "Europe/Berlin", "acme/london": "Europe/London"}, tenants)
}

func TestNumbersOfDevices(t *testing.T) {
	if testing.Short() {
		t.Skip("a run for every number")
	}
	for _, n := range []int{fewest, 137} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			require.NoError(t, run(t.Context(), []string{"-dir", t.TempDir(), "-devices", strconv.Itoa(n)}, io.Discard))
		})
	}
}

func TestArgumentsThatMakeNoSense(t *testing.T) {
	for _, row := range []struct{ args, want string }{
		{"-devices 3", "quickstart: -devices 3: want 100 to 20000"},
		{"-devices 100000", "quickstart: -devices 100000: want 100 to 20000"},
		{"all", `quickstart: unexpected argument "all"`},
		{"-dir " + filepath.Join("no", "such", "folder"), "no such file or directory|cannot find the path"},
	} {
		t.Run(row.args, func(t *testing.T) {
			err := run(t.Context(), strings.Fields(row.args), io.Discard)
			require.Error(t, err)
			require.Regexp(t, row.want, err.Error())
		})
	}
}

func TestItDoesNotRemoveWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, journalName)
	require.NoError(t, os.WriteFile(path, []byte("my thesis"), 0o600))
	require.ErrorContains(t, run(t.Context(), []string{"-dir", dir}, io.Discard), "is in the way")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "my thesis", string(text))
}

func TestItEndsWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("interrupted")
	w := writerFunc(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("approved by rita")) {
			cancel(cause)
		}
		return len(p), nil
	})
	require.Error(t, run(ctx, []string{"-dir", t.TempDir()}, w))
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestTheVendorsPartIsShort(t *testing.T) {
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "\tr, err := runner.New(runner.Config{")
	require.True(t, ok)
	part, _, ok := strings.Cut(rest, "return r.Wait(ctx, key)")
	require.True(t, ok)
	require.LessOrEqual(t, strings.Count(part, "\n")+1, 33)
}

// element is a started tag of the report.
type element struct {
	name string
	attr map[string]string
}

// elements parses the report strictly: every tag is closed, in the right order.
func elements(t *testing.T, text string) (all []element) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	d.Entity = xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok {
			e := element{start.Name.Local, make(map[string]string)}
			for _, a := range start.Attr {
				require.NotContains(t, e.attr, a.Name.Local, "attribute twice in %s", start.Name.Local)
				e.attr[a.Name.Local] = a.Value
			}
			all = append(all, e)
		}
	}
}

func TestReportNeedsNoOtherFile(t *testing.T) {
	left, err := ran()
	require.NoError(t, err)
	text := report(t, left.dir)
	require.NotContains(t, text, "@import")
	require.NotRegexp(t, `https?:|//[a-z]`, text)
	ids := make(map[string]bool)
	all := elements(t, text)
	for _, e := range all {
		require.NotContains(t, []string{"script", "link", "img", "iframe", "object", "embed", "image"}, e.name)
		if id, ok := e.attr["id"]; ok {
			require.False(t, ids[id], "id %s twice", id)
			ids[id] = true
		}
		for name := range e.attr {
			require.False(t, strings.HasPrefix(name, "on"), "%s of %s", name, e.name)
		}
	}
	for _, m := range regexp.MustCompile(`(?:href="|url\()([^")]*)`).FindAllStringSubmatch(text, -1) {
		require.True(t, strings.HasPrefix(m[1], "#") && ids[m[1][1:]], m[1])
	}
	require.NotContains(t, text, "ZgotmplZ")
	require.NotContains(t, text, "NaN")
}

func TestReportSaysWhatTheMachinesSay(t *testing.T) {
	left, err := ran()
	require.NoError(t, err)
	text := report(t, left.dir)
	first, second := journals(t, left.dir)
	sections := strings.Split(text, "<section ")
	require.Len(t, sections, 6)
	for i, h := range []*history{first, second} {
		section := sections[3+i]
		require.Contains(t, section, fmt.Sprintf("Rollout %s: %s</h2>", h.Plan.ID, h.Status.Stage))
		for r, ring := range h.Status.Rings {
			require.Contains(t, section, outcomesInWords(ring.Outcomes), ring.Name)
			if g, ok := h.result(r); ok {
				require.Contains(t, section, fmt.Sprintf("%s: %d of %d ", g.Result, g.Counts.Succeeded, g.Counts.Denominator))
			}
		}
		all, touched := make(map[rollout.Outcome]int), 0
		for d, id := range h.Plan.Devices {
			all[h.outcome(d)]++
			if h.outcome(d) != rollout.Cancelled && h.outcome(d) != rollout.Unreachable {
				touched++
			}
			require.Contains(t, section, fmt.Sprintf("<title>%s: %s", id, h.outcome(d)))
		}
		require.Contains(t, sections[1], fmt.Sprintf("%d of %d devices touched; %s</div>", touched, len(h.Plan.Devices), outcomesInWords(all)))
		require.Equal(t, len(h.Plan.Devices), strings.Count(section, `<g transform="translate(`))
		for _, q := range h.Quarantine {
			require.Contains(t, strings.ReplaceAll(section, "&#43;", "+"), string(q.Patch))
		}
	}
	require.Equal(t, 500, strings.Count(sections[5], "<tr><td><code>"))
}

func outcomesInWords(n map[rollout.Outcome]int) string {
	return strings.ReplaceAll(outcomes(n), "-", " ")
}

func TestReportSaysHowCompliantTheFleetIs(t *testing.T) {
	d := tellIt(t)
	var text bytes.Buffer
	require.NoError(t, d.story.write(&text))
	for _, c := range []compliance{d.story.Before.Compliance, d.story.After.Compliance} {
		row := ""
		for _, v := range []string{strconv.Itoa(c.Compliant), strconv.Itoa(c.Denominator()), fmt.Sprintf("%.1f %%", c.Percent()), strconv.Itoa(c.Missing),
			strconv.Itoa(c.Held), strconv.Itoa(c.Unknown), strconv.Itoa(c.Excluded), strconv.Itoa(c.Devices)} {
			row += `<td class="n">` + v + "</td>"
		}
		require.Contains(t, text.String(), row)
	}
}

func TestReportOfHostileNames(t *testing.T) {
	s := &story{Fleet: map[inventory.DeviceID]inventory.Device{"<script>alert(1)</script>": {Tenant: `"><marquee>`, Labels: map[string]string{"role": "a&b"}}}}
	var text bytes.Buffer
	require.NoError(t, s.write(&text))
	for _, e := range elements(t, text.String()) {
		require.NotContains(t, []string{"script", "marquee"}, e.name)
	}
}
