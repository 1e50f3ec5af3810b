package providertest

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A bad provider breaks one promise: the one of the subtest of that suite which is to catch it.
type badProvider struct {
	name   string
	suite  string
	breaks string
	run    func(t *testing.T)
}

const badVariable = "PATCHFLOW_BAD_PROVIDER"

// TestBadProvider runs the suite with the bad provider that the environment names, in a process of its own, and fails. In
// the parent process it is passed over.
func TestBadProvider(t *testing.T) {
	name := os.Getenv(badVariable)
	for _, b := range badProviders() {
		if b.name == name {
			b.run(t)
			return
		}
	}
}

func TestEveryBrokenPromiseIsCaught(t *testing.T) {
	test, err := os.Executable()
	require.NoError(t, err)
	fail := regexp.MustCompile(`(?m)^\s*--- FAIL: TestBadProvider/(.*) \([0-9.]+s\)$`)
	for _, b := range badProviders() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), test, "-test.run=^TestBadProvider$")
			cmd.Env = append(os.Environ(), badVariable+"="+b.name)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "the bad provider has passed:\n%s", out)
			var caught []string
			for _, m := range fail.FindAllSubmatch(out, -1) {
				if name := string(m[1]); strings.Contains(name, "/") {
					caught = append(caught, strings.ReplaceAll(name, "_", " "))
				}
			}
			require.Equal(t, []string{b.breaks}, caught, "the subtests that have failed:\n%s", out)
			require.NotContains(t, string(out), "panic:")
			quote := quotes()[b.suite+": "+b.breaks]
			require.Contains(t, string(out), strings.ReplaceAll(quote, `"`, `\"`), "the failure prints the promise")
		})
	}
}

// quotes returns the words of every promise.
func quotes() map[string]string {
	all := make(map[string]string)
	add := func(suite, group, name, quote string) { all[suite+": "+group+"/"+name] = quote }
	for _, p := range sourcePromises() {
		add("Source", p.group, p.name, p.quote)
	}
	for _, p := range enricherPromises() {
		add("Enricher", p.group, p.name, p.quote)
	}
	for _, p := range inventoryPromises() {
		add("Inventory", p.group, p.name, p.quote)
	}
	for _, p := range slices.Concat(approverPromises(), panelPromises()) {
		add("Approver", p.group, p.name, p.quote)
	}
	for _, p := range deployerPromises() {
		add("Deployer", p.group, p.name, p.quote)
	}
	for _, p := range transportPromises() {
		add("Transport", p.group, p.name, p.quote)
	}
	for _, p := range snapshotPromises() {
		add("Snapshotter", p.group, p.name, p.quote)
	}
	return all
}

func TestEveryPromiseHasABadProvider(t *testing.T) {
	broken := make(map[string]bool)
	names := make(map[string]bool)
	for _, b := range badProviders() {
		broken[b.suite+": "+b.breaks] = true
		require.False(t, names[b.name], "two bad providers are called %q", b.name)
		names[b.name] = true
	}
	for promise := range quotes() {
		require.True(t, broken[promise], "no bad provider breaks %q", promise)
		delete(broken, promise)
	}
	require.Empty(t, broken, "bad providers break what is no promise")
}

// The suite quotes the doc comments of the plugs. When one of them is changed, so must be the other.
func TestPromisesAreTheWordsOfTheDocComments(t *testing.T) {
	files := map[string][]string{"Source": {"patch/source.go"}, "Enricher": {"patch/source.go"}, "Inventory": {"inventory/inventory.go"},
		"Approver": {"policy/approver.go"}, "Deployer": {"rollout/deployer.go"},
		"Transport": {"providers/transport/transport.go"}, "Snapshotter": {"providers/snapshot/snapshot.go"}}
	comment := regexp.MustCompile(`//|\s+`)
	plain := func(s string) string { return strings.Join(strings.Fields(comment.ReplaceAllString(s, " ")), " ") }
	for name, quote := range quotes() {
		if strings.HasPrefix(quote, "iter.Seq2: ") {
			continue
		}
		suite, _, _ := strings.Cut(name, ":")
		var text strings.Builder
		for _, f := range files[suite] {
			source, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(f)))
			require.NoError(t, err)
			text.WriteString(plain(string(source)) + "\n")
		}
		require.Contains(t, text.String(), plain(quote), "%s", name)
	}
}

// Nothing is skipped with the memory providers: they show the whole suite.
func TestTheMemoryProvidersLeaveNothingOut(t *testing.T) {
	test, err := os.Executable()
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), test, "-test.v", "-test.run=^Test(Memory|Known)").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "--- SKIP")
	passed := make(map[string]bool) // by group and name: those of an approver also pass with a panel
	for _, m := range regexp.MustCompile(`(?m)^        --- PASS: [^/]*/(.*) \(`).FindAllSubmatch(out, -1) {
		passed[string(m[1])] = true
	}
	require.Len(t, passed, len(quotes()), "subtests that have passed")
}

func badProviders() []badProvider {
	return slices.Concat(badSources(), badEnrichers(), badInventories(), badScanners(), badApprovers(), badPanels(), badDeployers(), badAbilities(),
		badTransports(), badSnapshotters())
}

// overlap notices calls at once: of two such calls at least one is told so, because it waits a little for the other.
type overlap struct {
	calls atomic.Int32
	met   atomic.Bool
}

func (o *overlap) meets() bool {
	if o.calls.Add(1) > 1 {
		o.met.Store(true)
	}
	defer o.calls.Add(-1)
	for end := time.Now().Add(20 * time.Millisecond); !o.met.Load() && time.Now().Before(end); {
		runtime.Gosched()
	}
	return o.met.Load()
}

// listed is what badLists makes for one kind of list.
type listed[T any] struct {
	name, breaks string
	hooks        func() *listHooks[T]
}

// badLists are the bad ways of listing that need not know what they list.
func badLists[T any](group string) []listed[T] {
	type lists = func(context.Context) iter.Seq2[T, error]
	wrap := func(f func(ctx context.Context, list lists) iter.Seq2[T, error]) func() *listHooks[T] {
		return func() *listHooks[T] { return &listHooks[T]{wrap: f} }
	}
	// edit changes the pairs; n counts them from 1.
	edit := func(f func(n int, v T, err error, yield func(T, error) bool) bool) func() *listHooks[T] {
		return wrap(func(ctx context.Context, list lists) iter.Seq2[T, error] {
			return func(yield func(T, error) bool) {
				n := 0
				for v, err := range list(ctx) {
					if n++; !f(n, v, err, yield) {
						return
					}
				}
			}
		})
	}
	var none T
	return []listed[T]{
		{"repeats", group + "/nothing is listed twice", edit(func(n int, v T, err error, yield func(T, error) bool) bool {
			return yield(v, err) && (n > 1 || yield(v, err))
		})},
		{"resumes", group + "/every call lists from the start", func() *listHooks[T] {
			var at atomic.Int32
			return &listHooks[T]{wrap: func(ctx context.Context, list lists) iter.Seq2[T, error] {
				return func(yield func(T, error) bool) {
					from, n := at.Swap(0), int32(0)
					for v, err := range list(ctx) {
						if n++; n > from && !yield(v, err) {
							at.Store(n)
							return
						}
					}
				}
			}}
		}},
		{"shares its cursor", group + "/listings at once do not disturb each other", func() *listHooks[T] {
			var at atomic.Int32
			return &listHooks[T]{wrap: func(ctx context.Context, list lists) iter.Seq2[T, error] {
				return func(yield func(T, error) bool) {
					at.Store(0)
					n := int32(0)
					for v, err := range list(ctx) {
						if n++; n > at.Load() || err != nil {
							at.Store(n)
							if !yield(v, err) {
								return
							}
						}
					}
				}
			}}
		}},
		{"goes on after a failure", group + "/a failure ends the sequence, as its last pair", edit(func(_ int, v T, err error, yield func(T, error) bool) bool {
			if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, patch.ErrRecord) {
				return yield(v, err)
			}
			return yield(none, err) && yield(none, nil)
		})},
		{"hides a failure", group + "/a failure ends the sequence, as its last pair", edit(func(_ int, v T, err error, yield func(T, error) bool) bool {
			return (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, patch.ErrRecord)) && yield(v, err)
		})},
		{"ignores the context", group + "/a done context ends the sequence with its error", wrap(func(_ context.Context, list lists) iter.Seq2[T, error] {
			return list(context.Background())
		})},
		{"hides the end of the context", group + "/a done context ends the sequence with its error", edit(func(n int, v T, err error, yield func(T, error) bool) bool {
			return (n == 1 || !errors.Is(err, context.Canceled)) && yield(v, err)
		})},
		{"does not stop", group + "/the sequence stops when its reader does", edit(func(_ int, v T, err error, yield func(T, error) bool) bool {
			yield(v, err)
			return true
		})},
	}
}

func badSources() []badProvider {
	var all []badProvider
	add := func(name, breaks string, hooks func() *listHooks[patch.Patch]) {
		all = append(all, badProvider{"source " + name, "Source", breaks, func(t *testing.T) { Source(t, sourceHarness(hooks)) }})
	}
	for _, b := range badLists[patch.Patch]("Patches") {
		add(b.name, b.breaks, b.hooks)
	}
	query := func(f func(q patch.Query, p patch.Patch) bool) func() *listHooks[patch.Patch] {
		return func() *listHooks[patch.Patch] {
			return &listHooks[patch.Patch]{query: func(q, v any) bool { return f(q.(patch.Query), v.(patch.Patch)) }}
		}
	}
	add("leaves one out", "Patches/everything that is published is listed", query(func(_ patch.Query, p patch.Patch) bool { return p.ID == "test:two" }))
	const narrower = "Patches/a narrower query leaves out nothing that it asks for"
	add("excludes the instant of Since", narrower, query(func(q patch.Query, p patch.Patch) bool {
		return !q.Since.IsZero() && !p.Released.After(q.Since) && !p.Modified.After(q.Since)
	}))
	add("forgets what was modified", narrower, query(func(q patch.Query, p patch.Patch) bool { return p.Released.Before(q.Since) }))
	add("forgets patches for any platform", narrower, query(func(q patch.Query, p patch.Patch) bool {
		return len(q.Platforms) > 0 && q.Platforms[0].OS != "" && p.Platform.OS == ""
	}))
	record := func(f func(err error, yield func(patch.Patch, error) bool) bool) func() *listHooks[patch.Patch] {
		return func() *listHooks[patch.Patch] {
			return &listHooks[patch.Patch]{wrap: func(ctx context.Context, list func(context.Context) iter.Seq2[patch.Patch, error]) iter.Seq2[patch.Patch, error] {
				return func(yield func(patch.Patch, error) bool) {
					for p, err := range list(ctx) {
						if errors.Is(err, patch.ErrRecord) {
							if !f(err, yield) {
								return
							}
						} else if !yield(p, err) {
							return
						}
					}
				}
			}}
		}
	}
	add("hides the kind of the error", "Patches/an unreadable record is an error of its own kind", record(func(err error, yield func(patch.Patch, error) bool) bool {
		return yield(patch.Patch{}, errors.New(err.Error()))
	}))
	add("hides the position", "Patches/the error of an unreadable record names its position", record(func(_ error, yield func(patch.Patch, error) bool) bool {
		return yield(patch.Patch{}, patch.ErrRecord)
	}))
	add("gives up at a record", "Patches/the listing goes on after an unreadable record", record(func(err error, yield func(patch.Patch, error) bool) bool {
		yield(patch.Patch{}, err)
		return false
	}))
	return all
}

func badEnrichers() []badProvider {
	var all []badProvider
	add := func(name, breaks string, after func() func(c *patch.Catalog, changed []patch.Patch) ([]patch.Patch, error)) {
		bad := func() known { return known{after()} }
		all = append(all, badProvider{"enricher " + name, "Enricher", "Enrich/" + breaks, func(t *testing.T) { Enricher(t, enricherHarness(bad)) }})
	}
	edit := func(f func(c *patch.Catalog, changed []patch.Patch) []patch.Patch) func() func(*patch.Catalog, []patch.Patch) ([]patch.Patch, error) {
		return func() func(*patch.Catalog, []patch.Patch) ([]patch.Patch, error) {
			return func(c *patch.Catalog, changed []patch.Patch) ([]patch.Patch, error) { return f(c, changed), nil }
		}
	}
	add("invents a patch", "only patches of the catalog are returned, and only changed ones", edit(func(_ *patch.Catalog, changed []patch.Patch) []patch.Patch {
		return append(changed, patch.Patch{ID: "test:none"})
	}))
	add("returns what has not changed", "only patches of the catalog are returned, and only changed ones", edit(func(c *patch.Catalog, changed []patch.Patch) []patch.Patch {
		same, _ := c.Get("test:four")
		return append(changed, *same)
	}))
	add("lowers a severity", "nothing is lowered", edit(func(c *patch.Catalog, changed []patch.Patch) []patch.Patch {
		if p, _ := c.Get("test:two"); p.Severity == patch.SeverityCritical {
			lower := *p
			lower.Severity = patch.SeverityLow
			changed = append(changed, lower)
		}
		return changed
	}))
	add("loses an advisory", "nothing is lowered", edit(func(_ *patch.Catalog, changed []patch.Patch) []patch.Patch {
		for i := range changed {
			changed[i].Advisories = nil
		}
		return changed
	}))
	add("writes to the catalog", "the catalog stays as it is", func() func(*patch.Catalog, []patch.Patch) ([]patch.Patch, error) {
		var once sync.Once
		return func(c *patch.Catalog, changed []patch.Patch) ([]patch.Patch, error) {
			p, _ := c.Get("test:three")
			once.Do(func() { p.Title = "changed" })
			return changed, nil
		}
	})
	add("never ends", "a second call with the result finds nothing new", edit(func(c *patch.Catalog, changed []patch.Patch) []patch.Patch {
		p, _ := c.Get("test:three")
		more := *p
		more.References = append(slices.Clone(more.References), "again")
		return append(changed, more)
	}))
	add("fails when called at once", "calls at once do not disturb each other", func() func(*patch.Catalog, []patch.Patch) ([]patch.Patch, error) {
		o := new(overlap)
		return func(_ *patch.Catalog, changed []patch.Patch) ([]patch.Patch, error) {
			if o.meets() {
				return nil, errors.New("test: busy")
			}
			return changed, nil
		}
	})
	return all
}

func badInventories() []badProvider {
	var all []badProvider
	add := func(name, breaks string, hooks func() *listHooks[inventory.Device]) {
		bad := func() *inventoryHooks { return &inventoryHooks{listHooks: *hooks()} }
		all = append(all, badProvider{"inventory " + name, "Inventory", breaks, func(t *testing.T) { Inventory(t, inventoryHarness(bad)) }})
	}
	for _, b := range badLists[inventory.Device]("Devices") {
		add(b.name, b.breaks, b.hooks)
	}
	query := func(f func(q inventory.Query, d inventory.Device) bool) func() *listHooks[inventory.Device] {
		return func() *listHooks[inventory.Device] {
			return &listHooks[inventory.Device]{query: func(q, v any) bool { return f(q.(inventory.Query), v.(inventory.Device)) }}
		}
	}
	add("leaves one out", "Devices/every device is listed", query(func(_ inventory.Query, d inventory.Device) bool { return d.ID == "ada" }))
	add("takes a tenant literally", "Devices/a query for a tenant lists the tenants below it", query(func(q inventory.Query, d inventory.Device) bool {
		return q.Tenant != "" && q.Tenant != d.Tenant
	}))
	add("loses labels", "Devices/a query with a selector leaves out nothing that it selects", query(func(q inventory.Query, d inventory.Device) bool {
		d.Labels = nil
		return !q.Selector.IsZero() && !q.Selector.Matches(&d)
	}))
	return all
}

func badScanners() []badProvider {
	type scan = func(d inventory.Device, s inventory.Scan, err error) (inventory.Scan, error)
	var all []badProvider
	add := func(name, breaks string, f func() scan) {
		bad := func() *inventoryHooks { return &inventoryHooks{scan: f()} }
		all = append(all, badProvider{"scanner " + name, "Inventory", "Scan/" + breaks, func(t *testing.T) { Inventory(t, inventoryHarness(bad)) }})
	}
	plain := func(f scan) func() scan { return func() scan { return f } }
	add("names no tenant", "a scan names the device that was looked at", plain(func(_ inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
		s.Tenant = ""
		return s, err
	}))
	add("remembers", "every scan is a fresh look", func() scan {
		var mu sync.Mutex
		first := make(map[inventory.DeviceID]inventory.Scan)
		return func(d inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
			mu.Lock()
			defer mu.Unlock()
			if d.ID != "ada" || err != nil {
				return s, err
			}
			if old, found := first[d.ID]; found && !slices.Equal(old.Software, s.Software) {
				return old, nil
			} else if !found {
				first[d.ID] = s
			}
			return s, nil
		}
	})
	add("finds nothing on an unreachable device", "a device that cannot be reached is an error that says so", plain(func(d inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
		return s, nil
	}))
	add("hides that it is unreachable", "a device that cannot be reached is an error that says so", plain(func(_ inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
		if err != nil {
			err = errors.New("test: timeout")
		}
		return s, err
	}))
	add("fails with its managers", "a manager that could not be looked at is no error", plain(func(d inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
		if d.ID == "bob" {
			return inventory.Scan{}, errors.New("test: no flatpak")
		}
		return s, err
	}))
	add("claims to cover all", "a manager that could not be looked at is not said to be covered", plain(func(_ inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
		for i := range s.Coverage {
			s.Coverage[i].Status = inventory.Complete
		}
		return s, err
	}))
	add("leaves a manager unmentioned", "a manager that could not be looked at is not said to be covered", plain(func(_ inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
		s.Coverage = s.Coverage[:min(len(s.Coverage), 1)]
		return s, err
	}))
	add("mixes devices up", "scans at once do not disturb each other", func() scan {
		o := new(overlap)
		return func(_ inventory.Device, s inventory.Scan, err error) (inventory.Scan, error) {
			if err == nil && o.meets() {
				s.Device = "mixed up"
			}
			return s, err
		}
	})
	return all
}

func badApprovers() []badProvider {
	type decide = func(r policy.Request, d policy.Decision, err error) (policy.Decision, error)
	var all []badProvider
	add := func(name, breaks string, f func(a *approverHooks) decide) {
		bad := func(a *approverHooks) { a.decide = f(a) }
		all = append(all, badProvider{"approver " + name, "Approver", "Decide/" + breaks, func(t *testing.T) { Approver(t, approverHarness(bad)) }})
	}
	// locked makes a decision safe for concurrent use.
	locked := func(f decide) decide {
		var mu sync.Mutex
		return func(r policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			mu.Lock()
			defer mu.Unlock()
			return f(r, d, err)
		}
	}
	edit := func(ruling policy.Ruling, f func(d *policy.Decision)) func(*approverHooks) decide {
		return func(*approverHooks) decide {
			return func(_ policy.Request, d policy.Decision, err error) (policy.Decision, error) {
				if err == nil && d.Ruling == ruling {
					f(&d)
				}
				return d, err
			}
		}
	}
	add("loses its patience", "nothing is approved before somebody has answered", func(*approverHooks) decide {
		asked := make(map[patch.Digest]int)
		return locked(func(r policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if asked[r.Digest]++; asked[r.Digest] == 3 && r.ID == "q1/pilot" && d.Ruling == policy.Pending {
				d = policy.Decision{Ruling: policy.Approved, By: "robot", Digest: r.Digest}
			}
			return d, err
		})
	})
	add("keeps an approval to itself", "an approval is told", edit(policy.Approved, func(d *policy.Decision) { *d = policy.Decision{} }))
	add("names nobody", "an approval names a person", edit(policy.Approved, func(d *policy.Decision) { d.By = "" }))
	add("names no digest", "an approval repeats the digest of the request", edit(policy.Approved, func(d *policy.Decision) { d.Digest = "" }))
	add("keeps a denial to itself", "a denial is told", edit(policy.Denied, func(d *policy.Decision) { *d = policy.Decision{} }))
	add("answers once", "an equal request is the same question", func(*approverHooks) decide {
		told := make(map[string]bool)
		return locked(func(r policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if d.Ruling == policy.Approved {
				if told[r.ID] {
					return policy.Decision{}, err
				}
				told[r.ID] = true
			}
			return d, err
		})
	})
	add("lets requesters approve", "whoever asks cannot approve", func(a *approverHooks) decide {
		return func(r policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if a.attempted[r.ID] == r.By {
				d = policy.Decision{Ruling: policy.Approved, By: r.By, Digest: r.Digest}
			}
			return d, err
		}
	})
	add("goes by the ID alone", "an approval does not outlive a change of what was asked for", func(*approverHooks) decide {
		given := make(map[string]policy.Decision)
		return locked(func(r policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if old, found := given[r.ID]; found {
				old.Digest = r.Digest
				return old, err
			}
			if d.Ruling == policy.Approved {
				given[r.ID] = d
			}
			return d, err
		})
	})
	add("approves when it fails", "an error is no answer", func(*approverHooks) decide {
		return func(r policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if err != nil {
				d = policy.Decision{Ruling: policy.Approved, By: "robot", Digest: r.Digest}
			}
			return d, err
		}
	})
	add("makes an answer of a failure", "an error is no answer", func(*approverHooks) decide {
		return func(_ policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if err != nil {
				return policy.Decision{Ruling: policy.Denied, By: "robot"}, nil
			}
			return d, nil
		}
	})
	add("fails when asked at once", "questions at once do not disturb each other", func(*approverHooks) decide {
		o := new(overlap)
		return func(_ policy.Request, d policy.Decision, err error) (policy.Decision, error) {
			if err == nil && o.meets() {
				err = errors.New("test: busy")
			}
			return d, err
		}
	})
	return all
}

// again gives a task to the device once more, under another ID.
func again(ctx context.Context, f call, t rollout.Task) {
	t.ID += "0"
	_, _ = f(ctx, t)
}
