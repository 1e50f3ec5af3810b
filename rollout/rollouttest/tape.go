package rollouttest

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/patchflow/patchflow/rollout"
)

// A tape runs a machine together with its journal and with shadows: machines replayed from the journal as it was after each
// step. All of them must go on alike.
type tape struct {
	plan    rollout.Plan // with the devices that have joined
	live    *rollout.Machine
	entries [][]byte
	shadows []shadow
}

type shadow struct {
	after int // as many entries
	m     *rollout.Machine
}

// refusedError is a signal that the machine did not take.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

func newTape(plan rollout.Plan) (*tape, error) {
	m, err := rollout.NewMachine(plan)
	return &tape{plan: plan, live: m}, err
}

// step gives s to the machine and to its shadows. An error is a [refusedError], or says where they part company.
func (t *tape) step(s rollout.Signal) (rollout.Batch, error) {
	before := viewOf(t.live, t.live.Now())
	b, err := t.live.Step(s)
	if err != nil {
		if diff := before.differs(viewOf(t.live, t.live.Now())); diff != "" {
			return b, fmt.Errorf("%w; a signal that is refused has changed the machine (-before +after):\n%s", err, diff)
		}
		for _, sh := range t.shadows {
			if _, serr := sh.m.Step(s); serr == nil || serr.Error() != err.Error() {
				return b, fmt.Errorf("%w; the machine replayed after entry %d says: %v", err, sh.after, serr)
			}
		}
		return b, &refusedError{err}
	}
	entry := rollout.EncodeBatch(nil, b)
	now := viewOf(t.live, b.At)
	for _, sh := range t.shadows {
		sb, err := sh.m.Step(s)
		if err == nil {
			err = sameBatch(entry, &b, &sb)
		}
		if err == nil {
			err = now.same(viewOf(sh.m, b.At))
		}
		if err != nil {
			return b, fmt.Errorf("the machine replayed after entry %d parts company: %w", sh.after, err)
		}
	}
	if b.Empty() {
		return b, nil
	}
	if err := t.torn(s, entry, &b); err != nil {
		return b, err
	}
	t.entries = append(t.entries, entry)
	t.plan = *t.live.Plan()
	return b, t.check(b.At, now)
}

// check replays what there is, and keeps the machine as a shadow.
func (t *tape) check(at time.Time, now view) error {
	m, err := t.replay(at)
	if err != nil {
		return err
	}
	if err := now.same(viewOf(m, at)); err != nil {
		return fmt.Errorf("the machine replayed from all %d entries differs: %w", len(t.entries), err)
	}
	t.shadows = append(t.shadows, shadow{len(t.entries), m})
	return nil
}

// replay makes the machine anew and lets it know the time, which must not matter.
func (t *tape) replay(at time.Time) (*rollout.Machine, error) {
	m, did, err := rollout.Replay(t.plan, sequence(t.entries))
	switch {
	case err != nil:
		return nil, err
	case did.Torn != nil || did.Entries != uint64(len(t.entries)):
		return nil, fmt.Errorf("replay found %d entries of %d, torn: %v", did.Entries, len(t.entries), did.Torn)
	}
	b, err := m.Step(rollout.Tick{At: at})
	if err != nil {
		return nil, err
	}
	if !b.Empty() {
		return nil, fmt.Errorf("the machine replayed from %d entries decides more at the same instant: %q", len(t.entries), lines(b.Events))
	}
	return m, nil
}

// torn replays a journal whose last entry, of signal s, was cut off, and then brings the signal again.
func (t *tape) torn(s rollout.Signal, entry []byte, want *rollout.Batch) error {
	if len(t.entries) == 0 {
		return nil
	}
	for _, n := range []int{0, 1, len(entry) / 2, len(entry) - 1} {
		m, did, err := rollout.Replay(t.plan, sequence(append(slices.Clip(t.entries), entry[:n])))
		if err != nil {
			return err
		}
		if did.Torn == nil || did.Entries != uint64(len(t.entries)) {
			return fmt.Errorf("an entry cut off after %d of %d bytes was not found: %+v", n, len(entry), did)
		}
		b, err := m.Step(s)
		if err == nil {
			err = sameBatch(entry, want, &b)
		}
		if err != nil {
			return fmt.Errorf("the signal again, after its entry was torn at byte %d of %d: %w", n, len(entry), err)
		}
	}
	return nil
}

// crash throws the machine away and goes on with a replayed one.
func (t *tape) crash(at time.Time) error {
	m, err := t.replay(at)
	if err == nil {
		t.live, t.plan = m, *m.Plan()
	}
	return err
}

func sequence(entries [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func sameBatch(entry []byte, want, got *rollout.Batch) error {
	if again := rollout.EncodeBatch(nil, *got); !bytes.Equal(entry, again) {
		return fmt.Errorf("other events (-want +got):\n%s", cmp.Diff(lines(want.Events), lines(got.Events)))
	}
	if diff := cmp.Diff(lines(want.Actions), lines(got.Actions)); diff != "" {
		return fmt.Errorf("other actions (-want +got):\n%s", diff)
	}
	if !slices.Equal(want.Freed, got.Freed) {
		return fmt.Errorf("freed %v, want %v", got.Freed, want.Freed)
	}
	return nil
}

func lines[T any](all []T) []string {
	var ls []string
	for _, x := range all {
		ls = append(ls, fmt.Sprintf("%T %+v", x, x))
	}
	return ls
}

// A view is everything that a machine can be asked.
type view struct {
	Status       rollout.Status
	Pending      []string
	Sessions     []int32
	Wanted       []int32
	Next         time.Time
	Devices      []rollout.DeviceStatus
	Tasks        []rollout.Task
	Explanations []rollout.Explanation
	Quarantine   []rollout.Quarantine
	Reviews      []rollout.Review
}

func viewOf(m *rollout.Machine, at time.Time) view {
	v := view{Status: m.Status(), Sessions: slices.Collect(m.Sessions()), Quarantine: m.Quarantine(), Reviews: m.Reviews()}
	// What can be asked with a time must not change anything, whatever the time.
	m.Wanted(at.AddDate(0, 0, 40), 0)
	m.Explain(m.Plan().Devices[0], at.AddDate(0, 0, 40))
	v.Pending = lines(slices.Collect(m.Pending()))
	v.Wanted = append(v.Wanted, m.Wanted(at, 0)...)
	v.Next, _ = m.Next()
	for d, id := range m.Plan().Devices {
		v.Devices = append(v.Devices, m.Device(d))
		v.Explanations = append(v.Explanations, m.Explain(id, at))
		if task, ok := m.Task(int32(d)); ok {
			v.Tasks = append(v.Tasks, task)
		}
	}
	return v
}

func (v view) differs(o view) string {
	if reflect.DeepEqual(v, o) { // much faster, and nearly always true
		return ""
	}
	return cmp.Diff(v, o, cmpopts.EquateEmpty())
}

func (v view) same(o view) error {
	if diff := v.differs(o); diff != "" {
		return errors.New("(-want +got):\n" + diff)
	}
	return nil
}
