package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/tenancy"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// A tenancy of two: sister tenants, under one agenda, with devices of the same IDs and rollouts of the same ID.
type sisters struct {
	agenda Agenda
	berlin *Machine
	bonn   *Machine
	now    time.Time
}

func newSisters(t *testing.T, limit int, budgets ...policy.Budget) *sisters {
	t.Helper()
	s := &sisters{agenda: Agenda{Limit: limit}}
	for _, tenant := range []inventory.Tenant{"acme/berlin", "acme/bonn"} {
		in := input(3, policy.Ring{Name: "all", Rest: true})
		in.Key.Tenant, s.now = tenant, in.At
		in.Policy.Budgets = budgets
		domains := NewDomains(budgets)
		for i := range in.Targets {
			in.Targets[i].Place = domains.Add(&inventory.Device{Tenant: tenant, ID: in.Targets[i].Device})
		}
		domains.Fill(&in)
		p, err := NewPlan(in)
		require.NoError(t, err)
		m, err := NewMachine(p)
		require.NoError(t, err)
		_, err = m.Step(Begin{in.At})
		require.NoError(t, err)
		if tenant == "acme/berlin" {
			s.berlin = m
		} else {
			s.bonn = m
		}
	}
	return s
}

// takes lets m have what it is granted.
func (s *sisters) takes(t *testing.T, m *Machine) []int32 {
	t.Helper()
	granted := s.agenda.Grant(m, s.now)
	b, err := m.Step(Granted{s.now, granted})
	require.NoError(t, err)
	s.agenda.Note(m, b, granted)
	return granted
}

func (s *sisters) holders(m *Machine) (all []Key) {
	for d := range m.plan.Devices {
		k, ok := s.agenda.Holder(m.ref(int32(d)))
		if ok {
			all = append(all, k)
		}
	}
	return all
}

// Every call of an agenda, for two tenants that share it and use the same IDs: neither waits for the other's devices, gets
// to know of them, or frees them.
func TestAgendaKeepsTenantsApart(t *testing.T) {
	three := func(k Key) []Key { return slices.Repeat([]Key{k}, 3) }
	tenancy.Cases(t, map[string]func(*testing.T){
		"Agenda.Grant": func(t *testing.T) {
			s := newSisters(t, 0)
			require.Len(t, s.takes(t, s.berlin), 3)
			require.Len(t, s.takes(t, s.bonn), 3, "devices of the same IDs are others")
			require.Equal(t, 6, s.agenda.Active())
			limited := newSisters(t, 4)
			require.Len(t, limited.takes(t, limited.berlin), 3)
			require.Len(t, limited.takes(t, limited.bonn), 1, "the limit is for all of the root tenant")
		},
		"Agenda.Holder": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
			require.Empty(t, s.holders(s.bonn))
		},
		"Agenda.Add": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			s.takes(t, s.bonn)
			s.agenda = Agenda{}
			s.agenda.Add(s.berlin)
			require.Empty(t, s.holders(s.bonn))
			s.agenda.Add(s.bonn)
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
			require.Equal(t, three(s.bonn.plan.Key), s.holders(s.bonn))
		},
		"Agenda.Remove": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			s.takes(t, s.bonn)
			s.agenda.Remove(s.bonn.plan.Key)
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
			require.Empty(t, s.holders(s.bonn))
		},
		"Agenda.Note": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			require.False(t, s.agenda.Note(s.bonn, Batch{Freed: []int32{0, 1, 2}}, []int32{0, 1, 2}), "bonn has nothing to free")
			require.Equal(t, three(s.berlin.plan.Key), s.holders(s.berlin))
		},
		"Agenda.Explain": func(t *testing.T) {
			s := newSisters(t, 0)
			s.takes(t, s.berlin)
			for d := range s.bonn.plan.Devices {
				_, held := s.agenda.Explain(s.bonn.ref(int32(d)), s.bonn.plan.Key)
				require.False(t, held, "nothing is said of a rollout of berlin")
			}
		},
		"Agenda.ExplainBudget": func(t *testing.T) {
			s := newSisters(t, 0, policy.Budget{Name: "two", Count: 2})
			require.Len(t, s.takes(t, s.berlin), 2)
			_, full := s.agenda.ExplainBudget(s.berlin, s.berlin.plan.Devices[2])
			require.True(t, full)
			for _, d := range s.bonn.plan.Devices {
				_, full := s.agenda.ExplainBudget(s.bonn, d)
				require.False(t, full, "what is disrupted in berlin uses up nothing of bonn's")
			}
			require.Len(t, s.takes(t, s.bonn), 2)
		},
		"Agenda.KeptBack": func(t *testing.T) {
			s := newSisters(t, 0)
			s.agenda.Hold = heldIn("acme/berlin")
			require.Empty(t, s.takes(t, s.berlin))
			require.Len(t, s.takes(t, s.bonn), 3)
			require.True(t, s.agenda.KeptBack(s.berlin.plan.Key))
			require.False(t, s.agenda.KeptBack(s.bonn.plan.Key))
		},
		"Agenda.ExplainHold": func(t *testing.T) {
			s := newSisters(t, 0)
			s.agenda.Hold = heldIn("acme/berlin")
			_, held := s.agenda.ExplainHold(s.berlin, s.berlin.plan.Devices[0], s.now)
			require.True(t, held)
			_, held = s.agenda.ExplainHold(s.bonn, s.bonn.plan.Devices[0], s.now)
			require.False(t, held)
		},
	}, "Agenda.")
}

func heldIn(where inventory.Tenant) func(inventory.Tenant, inventory.DeviceID, *Content, time.Time) (policy.Reason, bool) {
	return func(t inventory.Tenant, _ inventory.DeviceID, _ *Content, _ time.Time) (policy.Reason, bool) {
		return policy.Reason{Code: policy.ReasonHeld, Subject: "h"}, t == where
	}
}
