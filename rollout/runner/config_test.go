package runner_test

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
	"github.com/patchflow/patchflow/rollout/runner"
)

// A setting shows what one field of a Config changes: it plays the same twice, with the field and without, and returns what
// could be seen of it each time.
type setting func(t *testing.T) (without, with any)

// played lets a rollout of ten devices with seven minutes of latency run to its end in a bubble.
func played(t *testing.T, change func(*runner.Config), look func(f *memory.Fleet, took time.Duration) any) (seen any) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin0 := time.Now()
		f := fleet(nil, 10)
		f.Behave = behave(memory.Behaviour{Latency: 7 * time.Minute})
		cfg := config(f, new(memjournal.Journal))
		change(&cfg)
		r := start(t, cfg)
		begin(t, r, key("q1"), all())
		ends(t, r, key("q1"))
		seen = look(f, time.Since(begin0).Round(time.Second))
	})
	return seen
}

func took(_ *memory.Fleet, took time.Duration) any { return took }

func settings() map[string]setting {
	nothing := func(*runner.Config) {}
	plan := func(t *testing.T, change func(*runner.Config)) any {
		t.Helper()
		f := fleet(nil, 10)
		cfg := config(f, new(memjournal.Journal))
		change(&cfg)
		p, err := newRunner(t, cfg).Plan(t.Context(), runner.PlanRequest{Key: key("q1"), Policy: all(), By: "olga"})
		if err != nil {
			return err.Error()
		}
		return p.Plan.Contents
	}
	return map[string]setting{
		"Patches": func(t *testing.T) (any, any) {
			curl := new(memory.Fleet)
			curl.AddPatch(fix("curl"))
			return plan(t, nothing), plan(t, func(c *runner.Config) { c.Patches = []patch.Source{curl} })
		},
		"Enrich": func(t *testing.T) (any, any) {
			withdraws := enricher(func(c *patch.Catalog) (changed []patch.Patch) {
				x, _ := c.Get(fix("openssl").ID)
				y := *x
				y.Withdrawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				return append(changed, y)
			})
			return plan(t, nothing), plan(t, func(c *runner.Config) { c.Enrich = []patch.Enricher{withdraws} })
		},
		"Devices": func(t *testing.T) (any, any) {
			return plan(t, nothing), plan(t, func(c *runner.Config) { c.Devices = new(memory.Fleet) })
		},
		"Deployer": func(t *testing.T) (any, any) {
			installs := func(f *memory.Fleet, _ time.Duration) any { return f.Installs("dev-000") }
			other := fleet(nil, 10)
			return played(t, nothing, installs), played(t, func(c *runner.Config) {
				other = fleet(nil, 10)
				c.Deployer = other
			}, installs)
		},
		"Approver": func(t *testing.T) (any, any) {
			asks := func(c *runner.Config) (stage any) {
				synctest.Test(t, func(t *testing.T) {
					cfg := config(fleet(nil, 1), new(memjournal.Journal))
					cfg.Approver = c.Approver
					r := start(t, cfg)
					p := all()
					p.Rings[0].Approval = true
					begin(t, r, key("q1"), p)
					pass(time.Hour)
					s, _, err := r.Status(t.Context(), key("q1"))
					require.NoError(t, err)
					stage = s.Stage
				})
				return stage
			}
			return asks(new(runner.Config)), asks(&runner.Config{Approver: policy.ApproverFunc(
				func(_ context.Context, q policy.Request) (policy.Decision, error) { return yes("hans", q), nil })})
		},
		"Journal": func(t *testing.T) (any, any) {
			j := new(memjournal.Journal)
			count := func(*memory.Fleet, time.Duration) any {
				n := 0
				for range j.Heads(t.Context(), rollout.HeadQuery{}) {
					n++
				}
				return n
			}
			return played(t, nothing, count), played(t, func(c *runner.Config) { c.Journal = j }, count)
		},
		"Poll": func(t *testing.T) (any, any) {
			return played(t, nothing, took), played(t, func(c *runner.Config) { c.Poll = 5 * time.Minute }, took)
		},
		"Workers": func(t *testing.T) (any, any) {
			slow := func(c *runner.Config) {
				f := c.Deployer.(*memory.Fleet)
				c.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
					pass(10 * time.Second)
					return f.Deploy(ctx, t)
				}}
			}
			begins := func(f *memory.Fleet, _ time.Duration) any {
				times := make(map[time.Time]bool)
				for _, e := range f.Log() {
					if e.Op == rollout.OpInstall && e.Phase == rollout.PhaseRunning {
						times[e.At] = true
					}
				}
				return len(times)
			}
			return played(t, slow, begins), played(t, func(c *runner.Config) { slow(c); c.Workers = 3 }, begins)
		},
		"CallTimeout": func(t *testing.T) (any, any) {
			hangs := func(c *runner.Config) {
				f := c.Deployer.(*memory.Fleet)
				c.Deployer = &deployer{Fleet: f, deploy: func(ctx context.Context, t rollout.Task) (rollout.Report, error) {
					if t.Device == "dev-003" && t.Handle.Seq == 1 {
						<-ctx.Done()
						return rollout.Report{}, ctx.Err()
					}
					return f.Deploy(ctx, t)
				}}
			}
			longer := func(_ *memory.Fleet, took time.Duration) any { return took > time.Hour }
			return played(t, hangs, longer), played(t, func(c *runner.Config) { hangs(c); c.CallTimeout = time.Minute }, longer)
		},
		"Limit": func(t *testing.T) (any, any) {
			at := func(f *memory.Fleet, _ time.Duration) any { return most(sessions(t, f)) }
			return played(t, nothing, at), played(t, func(c *runner.Config) { c.Limit = 3 }, at)
		},
		"Hold": func(t *testing.T) (any, any) {
			return played(t, nothing, took), played(t, func(c *runner.Config) {
				until := time.Now().Add(3 * time.Hour)
				c.Hold = func(_ inventory.Tenant, _ inventory.DeviceID, _ *rollout.Content, now time.Time) (policy.Reason, bool) {
					return policy.Reason{}, now.Before(until)
				}
			}, took)
		},
		"Name": func(t *testing.T) (any, any) {
			by := func(name string) (by any) {
				synctest.Test(t, func(t *testing.T) {
					j := new(memjournal.Journal)
					cfg := config(fleet(nil, 1), j)
					cfg.Name = name
					r := newRunner(t, cfg)
					begin(t, r, key("q1"), all())
					run(t, r)
					ends(t, r, key("q1"))
					_, batches := history(t, j, key("q1"))
					adopted, _ := events[rollout.Adopted](batches)
					by = adopted[0].By
				})
				return by
			}
			require.Equal(t, "runner", by(""))
			return by(""), by("ada's laptop")
		},
		"Clock": func(t *testing.T) (any, any) {
			virtual := func(c *runner.Config) {
				clock := newClock()
				c.Clock = clock
				c.Deployer.(*memory.Fleet).Now = clock.Now
			}
			return played(t, nothing, took), played(t, virtual, took)
		},
		"Logger": func(t *testing.T) (any, any) {
			var l log
			hangs := func(c *runner.Config) {
				c.Deployer = &deployer{Fleet: c.Deployer.(*memory.Fleet), deploy: func(context.Context, rollout.Task) (rollout.Report, error) { panic("x") }}
			}
			silent := playedUntil(t, hangs, &l)
			return silent, playedUntil(t, func(c *runner.Config) { hangs(c); c.Logger = l.logger() }, &l)
		},
		"Observe": func(t *testing.T) (any, any) {
			var mu sync.Mutex
			seen := 0
			count := func(*memory.Fleet, time.Duration) any { return seen > 0 }
			return played(t, nothing, count), played(t, func(c *runner.Config) {
				c.Observe = func(context.Context, runner.Transition) {
					mu.Lock()
					defer mu.Unlock()
					seen++
				}
			}, count)
		},
	}
}

// playedUntil lets a rollout run for an hour, and says whether anything was logged.
func playedUntil(t *testing.T, change func(*runner.Config), l *log) (logged bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := config(fleet(nil, 1), new(memjournal.Journal))
		change(&cfg)
		begin(t, start(t, cfg), key("q1"), all())
		pass(time.Hour)
		logged = l.String() != ""
	})
	return logged
}

func TestEverySettingChangesSomething(t *testing.T) {
	all := settings()
	for _, f := range reflect.VisibleFields(reflect.TypeFor[runner.Config]()) {
		show := all[f.Name]
		delete(all, f.Name)
		t.Run(f.Name, func(t *testing.T) {
			require.NotNil(t, show, "nothing shows what it does")
			without, with := show(t)
			require.NotEqual(t, without, with)
		})
	}
	require.Empty(t, all, "there are no such settings")
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	_, err := runner.New(runner.Config{Poll: -1, Workers: -1, CallTimeout: -1, Limit: -1})
	for _, want := range []string{"runner: ", "Config.Deployer is missing", "Config.Journal is missing", "negative Config.Poll",
		"negative Config.Workers", "negative Config.CallTimeout", "negative Config.Limit"} {
		require.ErrorContains(t, err, want)
	}
	order := strings.Index(err.Error(), "Poll") < strings.Index(err.Error(), "Workers") &&
		strings.Index(err.Error(), "Workers") < strings.Index(err.Error(), "CallTimeout")
	require.True(t, order, "always in the same order: %v", err)
	_, err = runner.New(runner.Config{Deployer: new(memory.Fleet), Journal: new(memjournal.Journal)})
	require.NoError(t, err)
}

// What is observed is what is written down: all of it, in order, and never before it is.
func TestObserveSeesEverythingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleet(nil, 30)
		f.Behave = func(d inventory.DeviceID, t rollout.Task) memory.Behaviour {
			return memory.Behaviour{Latency: time.Duration(d[6]) * time.Second}
		}
		j := new(memjournal.Journal)
		var w watcher
		cfg := config(f, j)
		cfg.Observe = func(ctx context.Context, x runner.Transition) {
			h, _ := entries(t, j, x.Key)
			w.observe(ctx, x)
			require.GreaterOrEqual(t, h.Entries, uint64(len(w.seen)), "it is written down before")
		}
		r := start(t, cfg)
		begin(t, r, key("q1"), rings())
		s := ends(t, r, key("q1"))
		require.Equal(t, s, w.seen[len(w.seen)-1].Status)
		_, written := entries(t, j, key("q1"))
		require.Len(t, w.seen, len(written))
		for i, x := range w.seen {
			require.Equal(t, written[i], rollout.EncodeBatch(nil, x.Batch), "entry %d", i)
			require.Equal(t, key("q1"), x.Plan.Key)
		}
	})
}
