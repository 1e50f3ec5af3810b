package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// Errors of [Queue.Answer].
var (
	// ErrSettled is wrapped by the error for an answer that comes too late.
	ErrSettled = errors.New("settled already")
	// ErrRefused is wrapped by the error for an answer that does not count. Nothing was stored.
	ErrRefused = errors.New("answer does not count")
)

// Config says what a [Queue] is made of.
type Config struct {
	Journal rollout.Journal  // where requests are kept; for them alone
	Keys    *policy.KeyRing  // if set, every answer must be signed, and groups are those of the key ring
	Now     func() time.Time // nil means [time.Now]
}

// A Queue is an approver whose requests wait for people. It is safe for concurrent use, also by several processes that share
// one journal.
type Queue struct {
	journal rollout.Journal
	keys    *policy.KeyRing
	now     func() time.Time
}

var (
	_ policy.Approver = (*Queue)(nil)
	_ policy.Panel    = (*Queue)(nil)
)

// New makes a queue. It fails without a journal.
func New(cfg Config) (*Queue, error) {
	if cfg.Journal == nil {
		return nil, errors.New("queue: Config.Journal is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Queue{journal: cfg.Journal, keys: cfg.Keys, now: cfg.Now}, nil
}

// An Item is a request with what was answered so far, and what that comes to now.
type Item struct {
	Request    policy.Request    `json:"request"`
	Decisions  []policy.Decision `json:"decisions,omitempty"`
	Settlement policy.Settlement `json:"settlement"`
}

// Decide implements [policy.Approver]: it puts r into the queue, unless it is there, and returns the decision that settled it.
// If another request is there under the same tenant and ID, with another digest, r takes its place and nothing is answered.
func (q *Queue) Decide(ctx context.Context, r policy.Request) (policy.Decision, error) {
	it, err := q.ask(ctx, r)
	if err != nil {
		return policy.Decision{}, err
	}
	if it.Settlement.Ruling == policy.Pending {
		return policy.Decision{}, nil
	}
	var last policy.Decision
	for i, v := range it.Settlement.Votes {
		if v.Code == policy.VoteCounts {
			last = it.Decisions[i]
		}
	}
	return last, nil
}

// Decisions implements [policy.Panel]. It puts r into the queue as [Queue.Decide] does.
func (q *Queue) Decisions(ctx context.Context, r policy.Request) ([]policy.Decision, error) {
	it, err := q.ask(ctx, r)
	return it.Decisions, err
}

// Open yields the requests of a tenant, and of those below it, that are not settled; all for "". They come in the byte order
// of tenant and ID. An error ends the sequence and is its last pair.
func (q *Queue) Open(ctx context.Context, t inventory.Tenant) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for h, err := range q.journal.Heads(ctx, rollout.HeadQuery{Tenant: t, Unfinished: true}) {
			if err != nil {
				yield(Item{}, fmt.Errorf("queue: %w", err))
				return
			}
			rec, err := q.load(ctx, h.Key)
			if err != nil {
				yield(Item{}, fmt.Errorf("queue: %s: %w", h.Key, err))
				return
			}
			if rec.item.Settlement.Ruling == policy.Pending && !yield(rec.item, nil) {
				return
			}
		}
	}
}

// Get returns one request of a tenant, settled or not. It fails with [rollout.ErrNotFound] if there is none.
func (q *Queue) Get(ctx context.Context, t inventory.Tenant, id string) (Item, error) {
	k := rollout.Key{Tenant: t, ID: rollout.ID(id)}
	rec, err := q.load(ctx, k)
	if err != nil {
		return Item{}, fmt.Errorf("queue: %s: %w", k, err)
	}
	return rec.item, nil
}

// Answer takes the answer of a person in, and returns what the request has come to. The digest of d is that of the request as
// the person has seen it. The time is set here, unless d is signed.
//
// It fails with [rollout.ErrNotFound] if the tenant has no such request, with [ErrSettled] if that was settled before, and
// with [ErrRefused] if the answer does not count; [policy.ErrSignature] is wrapped too if that is why. Nothing is changed then.
// Answers that race are taken in one after the other, each by what those before it have left.
func (q *Queue) Answer(ctx context.Context, t inventory.Tenant, id string, d policy.Decision) (Item, error) {
	k := rollout.Key{Tenant: t, ID: rollout.ID(id)}
	it, err := q.answer(ctx, k, d)
	if err != nil {
		return Item{}, fmt.Errorf("queue: %s: %w", k, err)
	}
	return it, nil
}

func (q *Queue) answer(ctx context.Context, k rollout.Key, d policy.Decision) (Item, error) {
	switch {
	case d.Rule != "":
		return Item{}, fmt.Errorf("%w: rule %q is not a person", ErrRefused, d.Rule)
	case d.Digest == "":
		return Item{}, fmt.Errorf("%w: it does not say what the person has seen: the digest is missing", ErrRefused)
	}
	if q.keys != nil {
		known, err := q.keys.Verify(d)
		if err != nil {
			return Item{}, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		d = known
	} else {
		d.At, d.Signature = q.now().UTC(), nil
	}
	if d.Emergency != nil {
		d.Emergency = &policy.Emergency{Reason: d.Emergency.Reason, ReviewDue: d.Emergency.ReviewDue, Bypass: d.Emergency.Bypass}
	}
	for {
		rec, err := q.load(ctx, k)
		if err != nil {
			return Item{}, err
		}
		if s := rec.item.Settlement; s.Ruling != policy.Pending {
			return Item{}, fmt.Errorf("%w: %s by %s", ErrSettled, s.Ruling, s.By)
		}
		next := rec.item
		next.Decisions = append(next.Decisions[:len(next.Decisions):len(next.Decisions)], d)
		next.Settlement = policy.Settle(next.Request, next.Decisions, q.now())
		if code := next.Settlement.Votes[len(next.Decisions)-1].Code; code != policy.VoteCounts {
			return Item{}, fmt.Errorf("%w: %s", ErrRefused, code.Text())
		}
		err = q.append(ctx, rec.head, next.Settlement.Ruling, entry{Decision: &d})
		if errors.Is(err, rollout.ErrConflict) && ctx.Err() == nil {
			continue // somebody else was faster: look again
		}
		return next, err
	}
}

// An entry is one line of a request's record: one of these.
type entry struct {
	Asked    *policy.Request  `json:"asked,omitempty"`    // this is what is asked for from now on
	Decision *policy.Decision `json:"decision,omitempty"` // a person has answered
	Reopened bool             `json:"reopened,omitempty"` // answers have expired before they were used
}

// format stands in place of a plan, so that a rollout is not taken for a request.
const format = "patchflow approval 1"

// maxEntries bounds the record of one request.
const maxEntries = 200

type record struct {
	head rollout.Head
	item Item
}

// ask puts r into the queue, unless it is there.
func (q *Queue) ask(ctx context.Context, r policy.Request) (Item, error) {
	k := rollout.Key{Tenant: r.Tenant, ID: rollout.ID(r.ID)}
	if r.ID == "" {
		return Item{}, errors.New("queue: a request without an ID")
	}
	for {
		rec, err := q.load(ctx, k)
		switch {
		case errors.Is(err, rollout.ErrNotFound):
			err = q.create(ctx, k, r)
		case err != nil:
		case rec.item.Request.Digest != r.Digest:
			err = q.append(ctx, rec.head, policy.Pending, entry{Asked: &r})
		case rec.item.Settlement.Ruling == policy.Pending && rec.head.Stage.Final():
			err = q.append(ctx, rec.head, policy.Pending, entry{Reopened: true})
		default:
			return rec.item, nil
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, rollout.ErrConflict) && !errors.Is(err, rollout.ErrExists)) {
			return Item{}, fmt.Errorf("queue: %s: %w", k, err)
		}
	}
}

func (q *Queue) create(ctx context.Context, k rollout.Key, r policy.Request) error {
	data, err := json.Marshal(entry{Asked: &r})
	if err != nil {
		return err
	}
	now := q.now().UTC()
	h := rollout.Head{Key: k, Entries: 1, Stage: rollout.StageActive, Created: now, Updated: now}
	return q.journal.Create(ctx, h, []byte(format), [][]byte{data})
}

// append adds an entry, if nobody else has added one since the record was loaded.
func (q *Queue) append(ctx context.Context, h rollout.Head, ruling policy.Ruling, e entry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if h.Entries >= maxEntries {
		return fmt.Errorf("%d answers and changes are more than one request can hold", maxEntries)
	}
	h.Entries, h.Updated = h.Entries+1, q.now().UTC()
	switch ruling {
	case policy.Approved:
		h.Stage = rollout.StageDone
	case policy.Denied:
		h.Stage = rollout.StageDenied
	default:
		h.Stage = rollout.StageActive
	}
	return q.journal.Append(ctx, h, [][]byte{data})
}

func (q *Queue) load(ctx context.Context, k rollout.Key) (record, error) {
	stored, err := q.journal.Load(ctx, k)
	if err != nil {
		return record{}, err
	}
	if string(stored.Plan) != format {
		return record{}, errors.New("what is stored is no request: the journal is not the queue's own")
	}
	rec := record{head: stored.Head}
	asked, n := false, 0
	for data, err := range stored.Entries {
		n++
		if err != nil {
			return record{}, fmt.Errorf("entry %d: %w", n, err)
		}
		e, err := decode(data)
		if err != nil {
			return record{}, fmt.Errorf("entry %d: %w", n, err)
		}
		switch {
		case e.Asked != nil:
			asked, rec.item = true, Item{Request: *e.Asked}
		case e.Decision != nil && asked:
			rec.item.Decisions = append(rec.item.Decisions, *e.Decision)
		}
	}
	if !asked || rec.item.Request.Tenant != k.Tenant || rec.item.Request.ID != string(k.ID) {
		return record{}, errors.New("what is stored is another request: the journal is damaged")
	}
	rec.item.Settlement = policy.Settle(rec.item.Request, rec.item.Decisions, q.now())
	return rec, nil
}

// decode reads an entry.
func decode(data []byte) (entry, error) {
	var e entry
	if err := json.Unmarshal(data, &e); err != nil {
		return entry{}, fmt.Errorf("not readable: %w", err)
	}
	if e.Asked == nil && e.Decision == nil && !e.Reopened {
		return entry{}, errors.New("it says nothing that this version knows")
	}
	return e, nil
}
