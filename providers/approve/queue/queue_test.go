package queue_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/queue"
	"github.com/patchflow/patchflow/providers/journal/memjournal"
	"github.com/patchflow/patchflow/providers/providertest"
	"github.com/patchflow/patchflow/rollout"
)

func noon() time.Time { return time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC) }

func newQueue(t *testing.T, j rollout.Journal) *queue.Queue {
	t.Helper()
	q, err := queue.New(queue.Config{Journal: j, Now: noon})
	require.NoError(t, err)
	return q
}

func request(t inventory.Tenant, id string, people int) policy.Request {
	return policy.Request{ID: id, Tenant: t, Rollout: "q1", Ring: "pilot", Devices: 3, Patches: []patch.ID{"x:1"}, Digest: patch.Digest("sha256:" + string(t) + id),
		By: "olga", At: noon().Add(-time.Hour), Needs: []policy.Need{{Quorum: people}}}
}

func says(ruling policy.Ruling, by string, r policy.Request) policy.Decision {
	return policy.Decision{Ruling: ruling, By: by, Digest: r.Digest}
}

func open(t *testing.T, q *queue.Queue, tenant inventory.Tenant) (ids []string) {
	t.Helper()
	for it, err := range q.Open(t.Context(), tenant) {
		require.NoError(t, err)
		ids = append(ids, string(it.Request.Tenant)+":"+it.Request.ID)
	}
	return ids
}

// failing is a journal that cannot be reached.
type failing struct{ rollout.Journal }

func (failing) Load(context.Context, rollout.Key) (rollout.Record, error) {
	return rollout.Record{}, errors.New("no disk")
}

func TestApprover(t *testing.T) {
	answer := func(ruling policy.Ruling) func(*testing.T, policy.Approver, policy.Request, string) {
		return func(t *testing.T, a policy.Approver, r policy.Request, by string) {
			_, err := a.(*queue.Queue).Answer(t.Context(), r.Tenant, r.ID, says(ruling, by, r))
			if by != r.By {
				require.NoError(t, err)
			}
		}
	}
	providertest.Approver(t, providertest.ApproverHarness{
		New:     func(t *testing.T) policy.Approver { return newQueue(t, new(memjournal.Journal)) },
		Approve: answer(policy.Approved), Deny: answer(policy.Denied),
		Broken: func(t *testing.T) policy.Approver { return newQueue(t, failing{new(memjournal.Journal)}) },
	})
}

func TestAnswersAreTakenInOrRefused(t *testing.T) {
	r := request("acme", "q1/pilot", 2)
	for _, c := range []struct {
		name   string
		before []policy.Decision
		answer policy.Decision
		want   policy.Ruling
		err    error
		text   string
	}{
		{"the first of two", nil, says(policy.Approved, "ann", r), policy.Pending, nil, ""},
		{"the second of two", []policy.Decision{says(policy.Approved, "ann", r)}, says(policy.Approved, "bob", r), policy.Approved, nil, ""},
		{"the same again", []policy.Decision{says(policy.Approved, "ann", r)}, says(policy.Approved, "Ann", r), policy.Pending, nil, ""},
		{"a denial", []policy.Decision{says(policy.Approved, "ann", r)}, says(policy.Denied, "bob", r), policy.Denied, nil, ""},
		{"too late", []policy.Decision{says(policy.Denied, "ann", r)}, says(policy.Approved, "bob", r), 0, queue.ErrSettled, "queue: acme:q1/pilot: settled already: denied by [ann]"},
		{"who asks", nil, says(policy.Approved, "olga", r), 0, queue.ErrRefused, "queue: acme:q1/pilot: answer does not count: who asks cannot approve"},
		{"who asks takes it back", nil, says(policy.Denied, "olga", r), policy.Denied, nil, ""},
		{"nobody", nil, says(policy.Approved, "", r), 0, queue.ErrRefused, "queue: acme:q1/pilot: answer does not count: it names nobody"},
		{"without a digest", nil, policy.Decision{Ruling: policy.Denied, By: "ann"}, 0, queue.ErrRefused, "queue: acme:q1/pilot: answer does not count: it does not say what the person has seen: the digest is missing"},
		{"something else", nil, says(policy.Approved, "ann", request("acme", "q2", 1)), 0, queue.ErrRefused, "queue: acme:q1/pilot: answer does not count: it is about something else: the digest differs"},
		{"a rule", nil, policy.Decision{Ruling: policy.Approved, By: "ann", Digest: r.Digest, Rule: "x"}, 0, queue.ErrRefused, `queue: acme:q1/pilot: answer does not count: rule "x" is not a person`},
		{"no ruling", nil, says(policy.Pending, "ann", r), 0, queue.ErrRefused, "queue: acme:q1/pilot: answer does not count: it decides nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueue(t, new(memjournal.Journal))
			_, err := q.Decide(t.Context(), r)
			require.NoError(t, err)
			for _, d := range c.before {
				_, err := q.Answer(t.Context(), r.Tenant, r.ID, d)
				require.NoError(t, err)
			}
			before, err := q.Get(t.Context(), r.Tenant, r.ID)
			require.NoError(t, err)
			it, err := q.Answer(t.Context(), r.Tenant, r.ID, c.answer)
			after, gerr := q.Get(t.Context(), r.Tenant, r.ID)
			require.NoError(t, gerr)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.EqualError(t, err, c.text)
				require.Equal(t, before, after, "nothing is changed")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, it.Settlement.Ruling)
			require.Equal(t, it, after)
			require.Equal(t, noon(), after.Decisions[len(after.Decisions)-1].At)
			ds, err := q.Decisions(t.Context(), r)
			require.NoError(t, err)
			require.Equal(t, after.Decisions, ds)
			require.Equal(t, c.want == policy.Pending, len(open(t, q, "acme")) == 1)
		})
	}
}

// Whatever the caller claims, the time and what was bypassed are not theirs to say.
func TestTheCallerDoesNotSayEverything(t *testing.T) {
	q, r := newQueue(t, new(memjournal.Journal)), request("acme", "q1", 2)
	_, err := q.Decide(t.Context(), r)
	require.NoError(t, err)
	d := says(policy.Approved, "ann", r)
	d.At, d.Signature = noon().AddDate(1, 0, 0), []byte("x")
	d.Emergency = &policy.Emergency{Reason: "worm", ReviewDue: noon().Add(time.Hour), Bypassed: []string{"all"}}
	it, err := q.Answer(t.Context(), r.Tenant, r.ID, d)
	require.NoError(t, err)
	require.Equal(t, noon(), it.Decisions[0].At)
	require.Empty(t, it.Decisions[0].Signature)
	require.Empty(t, it.Decisions[0].Emergency.Bypassed)
	require.Equal(t, []string{"all"}, d.Emergency.Bypassed, "the caller's value is left alone")
}

func TestOfRacingAnswersOneWins(t *testing.T) {
	for people, want := range map[int]int{1: 1, 3: 3} {
		j := new(memjournal.Journal)
		r := request("acme", "q1", people)
		_, err := newQueue(t, j).Decide(t.Context(), r)
		require.NoError(t, err)
		const racers = 12
		errs := make([]error, racers)
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range racers {
			q := newQueue(t, j) // each in its own process, as it were
			all.Go(func() {
				<-start
				_, errs[i] = q.Answer(t.Context(), r.Tenant, r.ID, says(policy.Approved, fmt.Sprintf("p%d", i), r))
			})
		}
		close(start)
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, queue.ErrSettled)
		}
		require.Equal(t, want, won)
		it, err := newQueue(t, j).Get(t.Context(), r.Tenant, r.ID)
		require.NoError(t, err)
		require.Len(t, it.Settlement.By, people)
		require.Len(t, it.Decisions, people)
	}
}

func TestOfAnApprovalAndADenialThatRaceOneWins(t *testing.T) {
	for range 50 {
		j := new(memjournal.Journal)
		q, r := newQueue(t, j), request("acme", "q1", 1)
		_, err := q.Decide(t.Context(), r)
		require.NoError(t, err)
		var yes, no error
		var both sync.WaitGroup
		both.Go(func() { _, yes = q.Answer(t.Context(), "acme", "q1", says(policy.Approved, "ann", r)) })
		both.Go(func() { _, no = q.Answer(t.Context(), "acme", "q1", says(policy.Denied, "bob", r)) })
		both.Wait()
		require.NotEqual(t, yes == nil, no == nil, "%v, %v", yes, no)
		d, err := q.Decide(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, map[bool]policy.Ruling{true: policy.Approved, false: policy.Denied}[yes == nil], d.Ruling)
	}
}

func TestAnotherDigestIsAnotherQuestion(t *testing.T) {
	q, r := newQueue(t, new(memjournal.Journal)), request("acme", "q1", 1)
	_, err := q.Decide(t.Context(), r)
	require.NoError(t, err)
	_, err = q.Answer(t.Context(), "acme", "q1", says(policy.Approved, "ann", r))
	require.NoError(t, err)
	require.Empty(t, open(t, q, ""))
	r.Digest = "sha256:other"
	ds, err := q.Decisions(t.Context(), r)
	require.NoError(t, err)
	require.Empty(t, ds)
	require.Equal(t, []string{"acme:q1"}, open(t, q, ""))
}

func TestAnApprovalThatExpiresUnusedOpensTheRequestAgain(t *testing.T) {
	now := noon()
	q, err := queue.New(queue.Config{Journal: new(memjournal.Journal), Now: func() time.Time { return now }})
	require.NoError(t, err)
	r := request("acme", "q1", 1)
	_, err = q.Decide(t.Context(), r)
	require.NoError(t, err)
	d := says(policy.Approved, "ann", r)
	d.Expires = noon().Add(time.Hour)
	_, err = q.Answer(t.Context(), "acme", "q1", d)
	require.NoError(t, err)
	require.Empty(t, open(t, q, ""))
	now = noon().Add(time.Hour)
	got, err := q.Decide(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, policy.Pending, got.Ruling)
	require.Equal(t, []string{"acme:q1"}, open(t, q, ""))
	_, err = q.Answer(t.Context(), "acme", "q1", says(policy.Approved, "bob", r))
	require.NoError(t, err)
}

func TestWithAKeyRingEveryAnswerIsSigned(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	ring, err := policy.NewKeyRing(policy.Person{Name: "ann", Groups: []string{"board"}, Key: key.Public().(ed25519.PublicKey)})
	require.NoError(t, err)
	q, err := queue.New(queue.Config{Journal: new(memjournal.Journal), Keys: ring, Now: noon})
	require.NoError(t, err)
	r := request("acme", "q1", 1)
	r.Needs = []policy.Need{{Approvers: []string{"group:board"}}}
	_, err = q.Decide(t.Context(), r)
	require.NoError(t, err)
	d := says(policy.Approved, "ann", r)
	d.Groups, d.At = []string{"board"}, noon().Add(-time.Minute)
	_, err = q.Answer(t.Context(), "acme", "q1", d)
	require.ErrorIs(t, err, policy.ErrSignature)
	require.ErrorIs(t, err, queue.ErrRefused)
	d.Groups = nil
	d, err = d.Sign(key)
	require.NoError(t, err)
	it, err := q.Answer(t.Context(), "acme", "q1", d)
	require.NoError(t, err)
	require.Equal(t, policy.Approved, it.Settlement.Ruling)
	require.Equal(t, d.At, it.Decisions[0].At, "a signed time is kept")
}

// Every exported call is made with one tenant's name and the other tenant's request. None may see or change anything of it.
func TestTenantsAreApart(t *testing.T) {
	type call func(ctx context.Context, q *queue.Queue, as inventory.Tenant, r policy.Request) error
	reads := func(it queue.Item, as inventory.Tenant, err error) error {
		if err == nil && it.Request.Tenant != as {
			return fmt.Errorf("%s was shown a request of %s", as, it.Request.Tenant)
		}
		return err
	}
	calls := map[string]call{
		"Decide": func(ctx context.Context, q *queue.Queue, as inventory.Tenant, r policy.Request) error {
			r.Tenant = as
			d, err := q.Decide(ctx, r)
			if err == nil && d.Ruling != policy.Pending {
				return fmt.Errorf("%s was given the answer of another tenant", as)
			}
			return err
		},
		"Decisions": func(ctx context.Context, q *queue.Queue, as inventory.Tenant, r policy.Request) error {
			r.Tenant = as
			ds, err := q.Decisions(ctx, r)
			if len(ds) > 0 {
				return fmt.Errorf("%s was given answers of another tenant", as)
			}
			return err
		},
		"Open": func(ctx context.Context, q *queue.Queue, as inventory.Tenant, _ policy.Request) error {
			for it, err := range q.Open(ctx, as) {
				if err := reads(it, as, err); err != nil {
					return err
				}
			}
			return nil
		},
		"Get": func(ctx context.Context, q *queue.Queue, as inventory.Tenant, r policy.Request) error {
			it, err := q.Get(ctx, as, r.ID)
			if err == nil || !errors.Is(err, rollout.ErrNotFound) {
				return fmt.Errorf("%s got %v, %w", as, it, err)
			}
			return nil
		},
		"Answer": func(ctx context.Context, q *queue.Queue, as inventory.Tenant, r policy.Request) error {
			for _, ruling := range []policy.Ruling{policy.Approved, policy.Denied} {
				if _, err := q.Answer(ctx, as, r.ID, says(ruling, "eve", r)); !errors.Is(err, rollout.ErrNotFound) {
					return fmt.Errorf("%s answered: %w", as, err)
				}
			}
			return nil
		},
	}
	typ := reflect.TypeFor[*queue.Queue]()
	for i := range typ.NumMethod() {
		require.Contains(t, calls, typ.Method(i).Name, "this call is not tried with another tenant's request")
	}
	// Tenants whose names begin alike, one below the other, and IDs that would run into each other if they were joined.
	pairs := [][2]inventory.Tenant{{"acme", "umbrella"}, {"acme", "acme2"}, {"acme/berlin", "acme"}, {"acme", "acme:q"}, {"a", "a/b"}}
	for _, pair := range pairs {
		for name, do := range calls {
			for i, as := range pair {
				other := pair[1-i]
				if name == "Open" && as.Contains(other) {
					continue // what is below a tenant is its own
				}
				q := newQueue(t, new(memjournal.Journal))
				theirs := request(other, "q1/pilot/approval/1", 1)
				pending, settled := theirs, request(other, "q1/broad/approval/1", 1)
				for _, r := range []policy.Request{pending, settled} {
					_, err := q.Decide(t.Context(), r)
					require.NoError(t, err)
				}
				_, err := q.Answer(t.Context(), other, settled.ID, says(policy.Approved, "ann", settled))
				require.NoError(t, err)
				for _, r := range []policy.Request{pending, settled} {
					require.NoError(t, do(t.Context(), q, as, r), "%s as %s with a request of %s", name, as, other)
				}
				it, err := q.Get(t.Context(), other, pending.ID)
				require.NoError(t, err)
				require.Equal(t, queue.Item{Request: pending, Settlement: policy.Settle(pending, nil, noon())}, it, name)
				it, err = q.Get(t.Context(), other, settled.ID)
				require.NoError(t, err)
				require.Equal(t, policy.Approved, it.Settlement.Ruling, name)
			}
		}
	}
}

func TestWhatIsNotTheQueuesIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		plan    string
		entries [][]byte
		want    string
	}{
		"a rollout":       {"{}", nil, "queue: acme:q1: what is stored is no request: the journal is not the queue's own"},
		"no entry":        {"patchflow approval 1", nil, "queue: acme:q1: what is stored is another request: the journal is damaged"},
		"another request": {"patchflow approval 1", [][]byte{[]byte(`{"asked":{"id":"q2","tenant":"acme"}}`)}, "queue: acme:q1: what is stored is another request: the journal is damaged"},
		"garbage":         {"patchflow approval 1", [][]byte{[]byte(`{`)}, "queue: acme:q1: entry 1: not readable: unexpected end of JSON input"},
		"of a later time": {"patchflow approval 1", [][]byte{[]byte(`{"moved":true}`)}, "queue: acme:q1: entry 1: it says nothing that this version knows"},
	} {
		j := new(memjournal.Journal)
		h := rollout.Head{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Stage: rollout.StageActive, Entries: uint64(len(c.entries))}
		require.NoError(t, j.Create(t.Context(), h, []byte(c.plan), c.entries))
		q := newQueue(t, j)
		_, err := q.Get(t.Context(), "acme", "q1")
		require.EqualError(t, err, c.want, name)
		for _, err := range q.Open(t.Context(), "") {
			require.EqualError(t, err, c.want, name)
		}
		_, err = q.Decide(t.Context(), request("acme", "q1", 1))
		require.EqualError(t, err, c.want, name)
	}
	_, err := queue.New(queue.Config{})
	require.EqualError(t, err, "queue: Config.Journal is missing")
	_, err = newQueue(t, new(memjournal.Journal)).Decide(t.Context(), policy.Request{})
	require.EqualError(t, err, "queue: a request without an ID")
}

func TestARecordIsBounded(t *testing.T) {
	q, r := newQueue(t, new(memjournal.Journal)), request("acme", "q1", 2)
	_, err := q.Decide(t.Context(), r)
	require.NoError(t, err)
	for range 199 {
		_, err := q.Answer(t.Context(), "acme", "q1", says(policy.Approved, "ann", r))
		require.NoError(t, err)
	}
	_, err = q.Answer(t.Context(), "acme", "q1", says(policy.Approved, "ann", r))
	require.EqualError(t, err, "queue: acme:q1: 200 answers and changes are more than one request can hold")
}

func FuzzStoredEntries(f *testing.F) {
	f.Add([]byte(`{"asked":{"id":"q1","tenant":"acme","digest":"d"}}`), []byte(`{"decision":{"ruling":"approved","by":"ann","digest":"d"}}`))
	f.Add([]byte(`{"decision":{}}`), []byte(`{"reopened":true}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		j := new(memjournal.Journal)
		h := rollout.Head{Key: rollout.Key{Tenant: "acme", ID: "q1"}, Stage: rollout.StageActive, Entries: 2}
		require.NoError(t, j.Create(t.Context(), h, []byte("patchflow approval 1"), [][]byte{a, b}))
		q := newQueue(t, j)
		it, err := q.Get(t.Context(), "acme", "q1")
		if err == nil && (it.Request.ID != "q1" || it.Request.Tenant != "acme") {
			t.Errorf("another request: %+v", it)
		}
		_, _ = q.Answer(t.Context(), "acme", "q1", policy.Decision{Ruling: policy.Denied, By: "ann", Digest: "d"})
	})
}

// Olga has asked; Ann and Bob answer at a console.
func Example() {
	ctx := context.Background()
	q, err := queue.New(queue.Config{Journal: new(memjournal.Journal), Now: noon})
	if err != nil {
		panic(err)
	}
	request := policy.Request{ID: "acme:q1/broad/approval/1", Tenant: "acme", Ring: "broad", Devices: 1200, Digest: "sha256:00aa", By: "olga",
		Needs: []policy.Need{{Quorum: 2}}}
	if _, err := q.Decide(ctx, request); err != nil { // the runner asks
		panic(err)
	}
	for it, err := range q.Open(ctx, "acme") {
		fmt.Println("open:", it.Request.ID, err)
	}
	for _, by := range []string{"olga", "ann", "bob", "carl"} {
		it, err := q.Answer(ctx, "acme", request.ID, policy.Decision{Ruling: policy.Approved, By: by, Digest: request.Digest})
		fmt.Println(by, it.Settlement.Ruling, err)
	}
	// Output:
	// open: acme:q1/broad/approval/1 <nil>
	// olga pending queue: acme:acme:q1/broad/approval/1: answer does not count: who asks cannot approve
	// ann pending <nil>
	// bob approved <nil>
	// carl pending queue: acme:acme:q1/broad/approval/1: settled already: approved by [ann bob]
}
