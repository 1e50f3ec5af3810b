package simulate

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/rollout"
)

// Learn makes a model of what past journals tell: of each kind of device, by os, how often which faults came, how often and
// for how long devices could not be reached, how often installations wanted a restart, and how long tasks and approvals
// took. A nil os takes all devices for alike; another must not answer "". An error of the sequence ends it and is returned.
//
// Chances are plain shares of what was observed. A fault in which every try of a device ended, of at least two, is taken to
// last; every other one is drawn for each try. Rates are of all patches together, and of each patch that was installed by
// itself on at least 30 devices of a kind: patches that are installed together fail together, so nothing can be said of one of
// them. What is feared of a new patch is for the caller to add. Tasks that nobody answered in
// time, or that were stopped, are left out. How long a device is away is known by its tries alone: it is told as the time to the
// next try that reached it, which is longer than it was.
func Learn(os func(inventory.DeviceID) string, journals iter.Seq2[*rollout.Timeline, error]) (Model, error) {
	l := learner{kinds: make(map[kind]*learned)}
	for t, err := range journals {
		if err != nil {
			return Model{}, err
		}
		l.add(os, t)
	}
	return l.model(os), nil
}

type learner struct {
	names    []kind
	kinds    map[kind]*learned
	took     [rollout.OpUncordon + 1][]time.Duration
	approval []time.Duration
	restarts int
	installs int // that succeeded
}

// A kind is what rates are told for: devices of an OS, and one patch, or "" for all of them.
type kind struct {
	os    string
	patch patch.ID
}

// patchSample is on how many devices a patch must have been installed for its own rates to be told.
const patchSample = 30

// learned is what was observed of one kind.
type learned struct {
	devices, gone int // that were tried, and of those that were never reached
	tries         [rollout.OpUncordon + 1]int
	faults        []seenFault
	first, away   int // first tries of devices that were reached in the end, and those of them that did not reach them
	absences      []time.Duration
}

type seenFault struct {
	op     rollout.Op
	fault  patch.Fault
	tries  int
	lasted int // devices
}

func (k *learned) fault(op rollout.Op, f patch.Fault) *seenFault {
	i := slices.IndexFunc(k.faults, func(x seenFault) bool { return x.op == op && x.fault == f })
	if i < 0 {
		k.faults = append(k.faults, seenFault{op: op, fault: f})
		i = len(k.faults) - 1
	}
	return &k.faults[i]
}

func (l *learner) add(os func(inventory.DeviceID) string, t *rollout.Timeline) {
	for _, r := range t.Rings() {
		if !r.Asked.IsZero() && !r.Approved.IsZero() {
			l.approval = append(l.approval, r.Approved.Sub(r.Asked))
		}
	}
	for i, id := range t.Plan().Devices {
		tries := t.Tries(i)
		if len(tries) == 0 {
			continue
		}
		name := ""
		if os != nil {
			name = os(id)
		}
		outcome := t.Machine().Device(i).Outcome
		l.of(kind{os: name}).device(tries, outcome)
		if ids := t.Plan().Contents[t.Plan().Content[i]].IDs(); len(ids) == 1 {
			l.of(kind{name, ids[0]}).device(tries, outcome)
		}
		l.times(tries)
	}
}

// of returns what is observed of a kind.
func (l *learner) of(name kind) *learned {
	k, ok := l.kinds[name]
	if !ok {
		k = new(learned)
		l.kinds[name] = k
		l.names = append(l.names, name)
	}
	return k
}

// times takes in how long tasks took that went well, and whether installations wanted a restart.
func (l *learner) times(tries []rollout.Try) {
	for i := range tries {
		x := &tries[i]
		if !counts(x) || x.Phase != rollout.PhaseSucceeded {
			continue
		}
		l.took[x.Op] = append(l.took[x.Op], x.Ended.Sub(x.Issued))
		if x.Op == rollout.OpInstall {
			l.installs++
			if x.Reboot == patch.Yes {
				l.restarts++
			}
		}
	}
}

// counts says whether a try tells how such tasks end.
func counts(x *rollout.Try) bool {
	return !x.TimedOut && !x.Absent && x.Op <= rollout.OpUncordon && (x.Phase == rollout.PhaseSucceeded || x.Phase == rollout.PhaseFailed)
}

func (k *learned) device(tries []rollout.Try, outcome rollout.Outcome) {
	k.devices++
	if outcome == rollout.Unreachable || outcome == rollout.Away {
		k.gone++
		return
	}
	k.first++
	if tries[0].Fault == patch.Unreachable {
		k.away++
	}
	var since time.Time
	var ended [rollout.OpUncordon + 1][]patch.Fault
	for i := range tries {
		x := &tries[i]
		if x.Fault == patch.Unreachable {
			if since.IsZero() {
				since = x.Issued
			}
			continue
		}
		if !since.IsZero() {
			k.absences = append(k.absences, x.Issued.Sub(since))
			since = time.Time{}
		}
		if !counts(x) {
			continue
		}
		k.tries[x.Op]++
		if x.Phase == rollout.PhaseSucceeded {
			ended[x.Op] = append(ended[x.Op], patch.NoFault)
			continue
		}
		f := x.Fault
		if f == patch.NoFault && x.Op != rollout.OpVerify && x.Op != rollout.OpLook {
			f = patch.Transient // as the machine takes it
		}
		k.fault(x.Op, f).tries++
		ended[x.Op] = append(ended[x.Op], f)
	}
	for op, fs := range ended {
		if len(fs) >= 2 && fs[0] != patch.NoFault && len(slices.Compact(fs)) == 1 {
			f := k.fault(rollout.Op(op), fs[0])
			f.lasted++
			f.tries -= len(fs)
			k.tries[op] -= len(fs)
		}
	}
}

func share(n, of int) float64 { return float64(n) / float64(max(of, 1)) }

func (l *learner) model(os func(inventory.DeviceID) string) Model {
	m := Model{OS: os, Restarts: share(l.restarts, l.installs), Approval: DurationsOf(l.approval),
		Install: DurationsOf(l.took[rollout.OpInstall]), Reboot: DurationsOf(l.took[rollout.OpReboot]),
		Verify: DurationsOf(l.took[rollout.OpVerify]), Rollback: DurationsOf(l.took[rollout.OpRollback])}
	slices.SortFunc(l.names, func(a, b kind) int { return cmp.Or(cmp.Compare(a.os, b.os), cmp.Compare(a.patch, b.patch)) })
	for _, name := range l.names {
		k := l.kinds[name]
		if name.patch != "" && k.devices-k.gone < patchSample {
			continue
		}
		slices.SortFunc(k.faults, func(a, b seenFault) int { return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.fault, b.fault)) })
		for _, f := range k.faults {
			if f.lasted > 0 {
				m.Rates = append(m.Rates, Rate{OS: name.os, Patch: name.patch, Op: f.op, Fault: f.fault, Chance: share(f.lasted, k.devices-k.gone), Lasts: true})
			}
		}
		before := make([]int, len(k.tries)) // rates are asked in turn: each is of those tries that came past the ones before
		for _, f := range k.faults {
			if f.tries > 0 {
				m.Rates = append(m.Rates, Rate{OS: name.os, Patch: name.patch, Op: f.op, Fault: f.fault, Chance: share(f.tries, k.tries[f.op]-before[f.op])})
				before[f.op] += f.tries
			}
		}
		if name.patch != "" {
			continue // who can be reached has nothing to do with the patch
		}
		if k.gone > 0 {
			m.Presence = append(m.Presence, Presence{OS: name.os, Share: share(k.gone, k.devices), Gone: true})
		}
		if k.away > 0 {
			slices.Sort(k.absences)
			p := Presence{OS: name.os, Share: 1, Away: share(k.away, k.first)}
			if len(k.absences) > 0 {
				p.Stretch = max(k.absences[len(k.absences)/2], time.Minute)
			}
			m.Presence = append(m.Presence, p)
		}
	}
	return m
}
