package sqlite

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// A headRow is a head in the form in which the file keeps it: times as text in UTC, the quarantine as JSON.
type headRow struct {
	tenant, id       string
	entries          int64
	stage            string
	final            bool
	created, updated string
	quarantine       *string // nil if there is none
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
		stage: string(stage), final: h.Stage.Final(), created: string(created), updated: string(updated),
	}
	if len(h.Quarantine) > 0 {
		q := slices.Clone(h.Quarantine)
		inUTC(q)
		text, err := json.Marshal(q)
		if err != nil {
			return headRow{}, fmt.Errorf("quarantine: %w", err)
		}
		s := string(text)
		row.quarantine = &s
	}
	return row, nil
}

func (r headRow) decode() (rollout.Head, error) {
	h := rollout.Head{Key: r.key(), Entries: uint64(r.entries)}
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
		inUTC(h.Quarantine)
	}
	return h, nil
}

func (r headRow) key() rollout.Key {
	return rollout.Key{Tenant: inventory.Tenant(r.tenant), ID: rollout.ID(r.id)}
}

func inUTC(quarantine []rollout.Quarantine) {
	for i := range quarantine {
		for _, at := range []*time.Time{&quarantine[i].Since, &quarantine[i].Released} {
			*at = at.UTC()
		}
	}
}
