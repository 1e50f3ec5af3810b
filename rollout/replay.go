package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// A Replayed tells what [Replay] found.
type Replayed struct {
	Entries uint64 // whole entries, all of them applied
	Torn    error  // the last entry was torn by a crash and left out; nil if it was not
}

// Replay makes the machine of p and lets the entries of its journal change it. An entry that is torn is left out and told if
// it is the last one: what it decided was never acted upon. Anywhere else it is corruption: an error that wraps
// [ErrTorn] and names the entry, counted from 1.
func Replay(p Plan, entries iter.Seq2[[]byte, error]) (*Machine, Replayed, error) {
	m, err := NewMachine(p)
	if err != nil {
		return nil, Replayed{}, err
	}
	did, err := readEntries(p.Key, entries, func(b Batch) error {
		for i, e := range b.Events {
			if err := m.Apply(b.At, e); err != nil {
				return fmt.Errorf("event %d: %w", i+1, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, did, err
	}
	return m, did, nil
}

// readEntries decodes the entries of a journal and hands their batches on, in order.
func readEntries(k Key, entries iter.Seq2[[]byte, error], add func(Batch) error) (did Replayed, err error) {
	for entry, err := range entries {
		if err != nil {
			return did, fmt.Errorf("rollout: %s: entry %d: %w", k, did.Entries+1, err)
		}
		if did.Torn != nil {
			return did, fmt.Errorf("rollout: %s: entry %d, which is not the last: %w", k, did.Entries+1, did.Torn)
		}
		b, err := DecodeBatch(entry)
		if errors.Is(err, ErrTorn) {
			did.Torn = err
			continue
		}
		if err != nil {
			return did, fmt.Errorf("rollout: %s: entry %d: %w", k, did.Entries+1, err)
		}
		if err := add(b); err != nil {
			return did, fmt.Errorf("entry %d, %w", did.Entries+1, err)
		}
		did.Entries++
	}
	if did.Entries == 0 {
		return did, fmt.Errorf("rollout: %s: %w: the journal is empty", k, ErrReplay)
	}
	return did, nil
}

// EncodePlan writes a plan as a journal keeps it: as it was made, without devices that have joined since.
func EncodePlan(p *Plan) ([]byte, error) {
	b, err := json.Marshal(p.Made())
	if err != nil {
		return nil, fmt.Errorf("rollout: plan %s: %w", p.Key, err)
	}
	return b, nil
}

// DecodePlan is the inverse of [EncodePlan]. The plan is checked by [Plan.Valid].
func DecodePlan(b []byte) (Plan, error) {
	var p Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return Plan{}, fmt.Errorf("rollout: plan: %w", err)
	}
	return p, p.Valid()
}
