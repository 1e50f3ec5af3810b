// Package providertest checks that a provider keeps the promises of the plug that it implements: [Source], [Enricher],
// [Inventory], [Approver], [Deployer], [Transport] and [Snapshotter] each take a harness, which says how to get at the provider and at the
// things it works on, and run one subtest for every promise.
//
// The promises are the doc comments of the interfaces. A subtest is named as what it checks, and when it fails it prints the
// sentence that was broken. What cannot be checked is skipped by name, never passed over in silence: abilities that a
// deployer does not have, and subtests that need a field of the harness that is nil.
//
//	func TestDeployer(t *testing.T) {
//		providertest.Deployer(t, providertest.DeployerHarness{
//			New:     func(t *testing.T) rollout.Deployer { return newDeployer(t, newDevice(t)) },
//			Device:  "ada",
//			Content: rollout.Content{Patches: []rollout.Pinned{openssl}},
//		})
//	}
//
// The suite itself is tested with providers that each break one promise: for every promise there is at least one, and it is
// caught by the subtest of that promise and by no other.
package providertest

import (
	"context"
	"testing"
	"time"
)

// A promise is one subtest. F is what it works on, made afresh for each subtest.
type promise[F any] struct {
	group string // the method that makes the promise
	name  string
	quote string // the words of the doc comment
	check func(t *testing.T, f F)
}

// run runs all promises, those of a group together. able says whether there is anything to check in a group.
func run[F any](t *testing.T, promises []promise[F], fixture func(t *testing.T) F, able func(t *testing.T, group string) bool) {
	t.Helper()
	for len(promises) > 0 {
		group := promises[0].group
		n := 0
		for n < len(promises) && promises[n].group == group {
			n++
		}
		these := promises[:n]
		promises = promises[n:]
		t.Run(group, func(t *testing.T) {
			if able != nil && !able(t, group) {
				t.Skipf("%s: the provider has no such ability", group)
			}
			for _, p := range these {
				t.Run(p.name, func(t *testing.T) {
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("the promise of %s is: %q", p.group, p.quote)
						}
					})
					p.check(t, fixture(t))
				})
			}
		})
	}
}

// need skips a subtest that cannot run without a field of the harness.
func need(t *testing.T, there bool, field string) {
	t.Helper()
	if !there {
		t.Skipf("the harness has no %s", field)
	}
}

// atOnce runs f n times at once and waits for all.
func atOnce(n int, f func(i int)) {
	start := make(chan struct{})
	done := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-start
			f(i)
		}()
	}
	close(start)
	for range n {
		<-done
	}
}

// poll asks until done says so, for at most the given time.
func poll(ctx context.Context, limit, every time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if done() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}
