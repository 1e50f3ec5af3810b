package sqlite

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// A headRow is a head in the form in which the file keeps it: times as text in UTC, the quarantine and the reviews as JSON.
type headRow struct {
	tenant, id       string
	entries          int64
	stage            string
	final            bool
	created, updated string
	quarantine       *string // nil if there is none
	reviews          *string // likewise
	leftover         int64
}

func encodeHead(h rollout.Head) (headRow, error) {
	stage, err := h.Stage.MarshalText()
	if err != nil {
		return headRow{}, err
	}
	created, err := h.Created.UTC().MarshalText()
	if err != nil {
		return headRow{}, fmt.Errorf("created: %w", err)
	}
	updated, err := h.Updated.UTC().MarshalText()
	if err != nil {
		return headRow{}, fmt.Errorf("updated: %w", err)
	}
	row := headRow{
		tenant: string(h.Tenant), id: string(h.ID), entries: int64(h.Entries),
		stage: string(stage), final: h.Stage.Final(), created: string(created), updated: string(updated), leftover: int64(h.Leftover),
	}
	h.Quarantine, h.Reviews = slices.Clone(h.Quarantine), slices.Clone(h.Reviews)
	inUTC(&h)
	if row.quarantine, err = list(h.Quarantine); err != nil {
		return headRow{}, fmt.Errorf("quarantine: %w", err)
	}
	if row.reviews, err = list(h.Reviews); err != nil {
		return headRow{}, fmt.Errorf("reviews: %w", err)
	}
	return row, nil
}

func list[T any](all []T) (*string, error) {
	if len(all) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(all)
	s := string(text)
	return &s, err
}

func (r headRow) decode() (rollout.Head, error) {
	h := rollout.Head{Key: r.key(), Entries: uint64(r.entries), Leftover: int(r.leftover)}
	bad := func(what string, err error) (rollout.Head, error) {
		return rollout.Head{}, fmt.Errorf("%v: the stored %s cannot be read: %w", h.Key, what, err)
	}
	if err := h.Stage.UnmarshalText([]byte(r.stage)); err != nil {
		return bad("stage", err)
	}
	if err := h.Created.UnmarshalText([]byte(r.created)); err != nil {
		return bad("time of creation", err)
	}
	if err := h.Updated.UnmarshalText([]byte(r.updated)); err != nil {
		return bad("time of update", err)
	}
	if r.quarantine != nil {
		if err := json.Unmarshal([]byte(*r.quarantine), &h.Quarantine); err != nil {
			return bad("quarantine", err)
		}
	}
	if r.reviews != nil {
		if err := json.Unmarshal([]byte(*r.reviews), &h.Reviews); err != nil {
			return bad("reviews", err)
		}
	}
	inUTC(&h)
	return h, nil
}

func (r headRow) key() rollout.Key {
	return rollout.Key{Tenant: inventory.Tenant(r.tenant), ID: rollout.ID(r.id)}
}

func inUTC(h *rollout.Head) {
	for i := range h.Quarantine {
		q := &h.Quarantine[i]
		q.Since, q.Released = q.Since.UTC(), q.Released.UTC()
	}
	for i := range h.Reviews {
		r := &h.Reviews[i]
		r.Since, r.Due, r.Closed = r.Since.UTC(), r.Due.UTC(), r.Closed.UTC()
	}
}
