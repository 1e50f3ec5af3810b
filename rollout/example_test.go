package rollout_test

import (
	"fmt"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers"
	"github.com/patchflow/patchflow/providers/memory"
	"github.com/patchflow/patchflow/rollout"
)

func morning() time.Time { return time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) }

// smallPlan puts four devices into two rings.
func smallPlan(id rollout.ID) rollout.Plan {
	in := rollout.PlanInput{
		Key: rollout.Key{Tenant: "acme", ID: id}, By: "olga", At: morning(), Salt: "example",
		Policy: policy.Policy{Name: "p", Rings: []policy.Ring{
			{Name: "canary", Share: 2500, Gate: policy.Gate{Soak: policy.Duration(24 * time.Hour)}},
			{Name: "broad", Rest: true},
		}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "debian:openssl=2", Reversal: patch.ReversalReinstall}}}},
	}
	for _, d := range []inventory.DeviceID{"ada", "bob", "cyd", "dee"} {
		in.Targets = append(in.Targets, rollout.Target{Device: d, Ring: rollout.ByShare})
	}
	p, err := rollout.NewPlan(in)
	if err != nil {
		panic(err)
	}
	return p
}

// A host in its simplest form: devices answer at once, and time jumps to where something is due.
func ExampleMachine() {
	plan := smallPlan("q1")
	m, err := rollout.NewMachine(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	var agenda rollout.Agenda
	now := morning()
	step := func(s rollout.Signal) rollout.Batch {
		b, err := m.Step(s)
		if err != nil {
			panic(err)
		}
		for _, e := range b.Events { // a real host appends them to its journal here, before it acts
			for _, text := range plan.Describe(e) {
				fmt.Println(now.Format("02 15:04"), text)
			}
		}
		return b
	}
	step(rollout.Begin{At: now})
	for !m.Stage().Final() {
		if granted := agenda.Grant(m, now); len(granted) > 0 {
			agenda.Note(m, step(rollout.Granted{At: now, Devices: granted}), granted)
		}
		var reports []rollout.TaskReport
		for d := range m.Running() {
			task, _ := m.Task(d)
			reports = append(reports, rollout.TaskReport{Handle: task.Handle, Report: rollout.Report{Phase: rollout.PhaseSucceeded}})
		}
		if len(reports) > 0 {
			agenda.Note(m, step(rollout.Reported{At: now, Reports: reports}), nil)
			continue
		}
		now, _ = m.Next()
		step(rollout.Tick{At: now})
	}
	// Output:
	// 02 09:00 rollout begins, plan sha256:90e7a16bd576
	// 02 09:00 rollout is active, by olga
	// 02 09:00 ring canary opens
	// 02 09:00 install cyd
	// 02 09:00 cyd: reported succeeded
	// 02 09:00 verify cyd
	// 02 09:00 cyd: reported succeeded
	// 02 09:00 cyd: succeeded
	// 02 09:00 ring canary soaks until 2026-03-03 09:00 UTC
	// 03 09:00 gate of ring canary: pass, 1 of 1 succeeded, 0 failed
	// 03 09:00 ring broad opens
	// 03 09:00 install dee bob ada
	// 03 09:00 dee bob ada: reported succeeded
	// 03 09:00 verify dee bob ada
	// 03 09:00 dee bob ada: reported succeeded
	// 03 09:00 dee bob ada: succeeded
	// 03 09:00 gate of ring broad: pass, 3 of 3 succeeded, 0 failed
	// 03 09:00 rollout is done
}

func ExampleMachine_Explain() {
	m, err := rollout.NewMachine(smallPlan("q1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := m.Step(rollout.Begin{At: morning()}); err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range []inventory.DeviceID{"cyd", "ada", "eve"} {
		for _, reason := range m.Explain(d, morning()).Reasons {
			fmt.Printf("%s: %s (%s)\n", d, reason, reason.Code)
		}
	}
	// Output:
	// cyd: its turn has come (wait-turn)
	// ada: ring broad is not open: it waits for ring canary, 0 of 1 succeeded (0% < 100%), 0 failed, 1 device missing (wait-ring)
	// eve: eve is not in the plan (unknown-device)
}

func ExampleReplay() {
	plan := smallPlan("q1")
	m, err := rollout.NewMachine(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	var journal [][]byte
	for _, s := range []rollout.Signal{rollout.Begin{At: morning()}, rollout.Granted{At: morning(), Devices: []int32{0}}} {
		b, err := m.Step(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		journal = append(journal, rollout.EncodeBatch(nil, b))
	}
	again, did, err := rollout.Replay(plan, func(yield func([]byte, error) bool) {
		for _, entry := range journal {
			if !yield(entry, nil) {
				return
			}
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(did.Entries, "entries, stage", again.Stage())
	for action := range again.Pending() { // to be done again, under the same task IDs
		for _, d := range action.(rollout.Run).Devices {
			task, _ := again.Task(d)
			fmt.Println(task.ID)
		}
	}
	// Output:
	// 2 entries, stage active
	// acme:q1/canary/cyd/install/1
}

func ExampleAgenda() {
	var agenda rollout.Agenda
	for _, id := range []rollout.ID{"q1", "q2"} { // both want cyd first
		m, err := rollout.NewMachine(smallPlan(id))
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := m.Step(rollout.Begin{At: morning()}); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(id, "wants", len(m.Wanted(morning(), 0)), "and is granted", len(agenda.Grant(m, morning())))
	}
	holder, _ := agenda.Holder(inventory.Ref{Tenant: "acme", Device: "cyd"})
	fmt.Println("cyd is worked on by", holder)
	// Output:
	// q1 wants 1 and is granted 1
	// q2 wants 1 and is granted 0
	// cyd is worked on by acme:q1
}

func ExampleAbility() {
	fleet := new(memory.Fleet)
	routed := providers.Router(func(rollout.Task) rollout.Deployer { return fleet })
	_, plain := any(routed).(rollout.Rollbacker)
	_, able := rollout.Ability[rollout.Rollbacker](routed, rollout.Task{Device: "ada"})
	fmt.Println("by type assertion:", plain)
	fmt.Println("by Ability:", able)
	// Output:
	// by type assertion: false
	// by Ability: true
}

// The proof of a backup comes with the last report of its task, and the installation follows it.
func ExampleBackedUp() {
	p := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: "q1"}, By: "olga", At: morning(), Zones: []string{"UTC"},
		Policy: policy.Policy{Name: "p", Rings: []policy.Ring{{Name: "all", Rest: true}},
			Backup: policy.Backup{Need: policy.BackupRequired, MaxAge: policy.Duration(24 * time.Hour)}},
		Contents: []rollout.Content{{Patches: []rollout.Pinned{{ID: "debian:openssl=2", Reversal: patch.ReversalSnapshot}}}},
		Targets:  []rollout.Target{{Device: "ada", Ring: rollout.ByShare}},
	}
	plan, err := rollout.NewPlan(p)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := rollout.NewMachine(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range []rollout.Signal{
		rollout.Begin{At: morning()}, rollout.Granted{At: morning(), Devices: []int32{0}},
		rollout.Reported{At: morning().Add(time.Minute), Reports: []rollout.TaskReport{{Handle: rollout.Handle{Device: 0, Seq: 1},
			Report: rollout.Report{Phase: rollout.PhaseSucceeded, Backup: rollout.Backup{ID: "snap-7", At: morning()}}}}},
	} {
		b, err := m.Step(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, e := range b.Events[max(0, len(b.Events)-2):] {
			fmt.Println(plan.Describe(e)[0])
		}
	}
	for d, b := range m.Backups() {
		fmt.Println(plan.Devices[d], "can be taken back to", b.ID, "of", b.At.Format("15:04"))
	}
	// Output:
	// rollout is active, by olga
	// ring all opens
	// backup ada
	// ada: backed up
	// install ada
	// ada can be taken back to snap-7 of 09:00
}

func ExampleApportion() {
	fmt.Println(rollout.Apportion(50, []int{100, 900, 9000}, nil))
	fmt.Println(rollout.Apportion(3, []int{100, 900, 9000}, []int{1, 1, 0}))
	// Output:
	// [1 4 45]
	// [1 1 1]
}

func ExampleParseTaskID() {
	name, err := rollout.ParseTaskID("acme/berlin:q1/canary/ada/install/2")
	fmt.Println(name.Rollout.Tenant, name.Rollout.ID, name.Ring, name.Device, name.Op, name.Seq, err)
	// Output: acme/berlin q1 canary ada install 2 <nil>
}

func ExampleReadTimeline() {
	plan := smallPlan("q1")
	m, err := rollout.NewMachine(plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	at := func(minutes int) time.Time { return morning().Add(time.Duration(minutes) * time.Minute) }
	answer := func(minutes int, seq uint32, phase rollout.Phase, fault patch.Fault) rollout.Signal {
		return rollout.Reported{At: at(minutes), Reports: []rollout.TaskReport{{
			Handle: rollout.Handle{Device: 0, Seq: seq}, Report: rollout.Report{Phase: phase, Fault: fault}}}}
	}
	var journal [][]byte // as a host keeps it
	for _, s := range []rollout.Signal{
		rollout.Begin{At: at(0)}, rollout.Granted{At: at(1), Devices: []int32{0}}, answer(2, 1, rollout.PhaseFailed, patch.Busy),
		rollout.Granted{At: at(10), Devices: []int32{0}}, answer(14, 2, rollout.PhaseSucceeded, 0), answer(15, 3, rollout.PhaseSucceeded, 0),
	} {
		b, err := m.Step(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		journal = append(journal, rollout.EncodeBatch(nil, b))
	}

	t, _, err := rollout.ReadTimeline(plan, func(yield func([]byte, error) bool) {
		for _, entry := range journal {
			if !yield(entry, nil) {
				return
			}
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range t.Device(0) {
		fmt.Println(s.Device, s.Patch, s.Outcome)
		fmt.Println("  offered  ", s.Offered.Format("15:04"))
		fmt.Println("  started  ", s.Started.Format("15:04"))
		fmt.Println("  installed", s.Installed.Format("15:04"))
		fmt.Println("  verified ", s.Verified.Format("15:04"))
	}
	for _, x := range t.Tries(0) {
		fmt.Println(" ", x.Seq, x.Op, x.Issued.Format("15:04"), x.Phase, x.Fault)
	}
	for _, l := range t.Lines()[2:] {
		fmt.Println(l.From.Format("02 15:04"), l)
	}
	// Output:
	// cyd debian:openssl=2 succeeded
	//   offered   09:00
	//   started   09:01
	//   installed 09:14
	//   verified  09:15
	//   1 install 09:01 failed busy
	//   2 install 09:10 succeeded none
	//   3 verify 09:14 succeeded none
	// 02 09:00 ring canary opens
	// 02 09:01 2 installations begun, 1 succeeded, 1 busy and later again
	// 02 09:15 ring canary soaks until 2026-03-03 09:15 UTC
}
