package rollout

import (
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
)

// The kinds of events in a journal. A number is never used for another event.
const (
	kindBegan byte = 1 + iota
	kindAdopted
	kindRingAsked
	kindRingDecided
	kindRingOpened
	kindRingSoaking
	kindRingUnsettled
	kindRingHeld
	kindJudged
	kindIssued
	kindAnswered
	kindLate
	kindTimedOut
	kindPostponed
	kindReturned
	kindLapsed
	kindDeviceSettled
	kindStopAsked
	kindUndoBegan
	kindQuarantined
	kindReleased
	kindStaged
	kindReviewed
)

const (
	kindWindowMissed byte = 24
	kindEscalated    byte = 25
	kindDownloaded   byte = 26

	kindOverdue byte = 32
	kindPooled  byte = 33

	kindAdmitted byte = 40
	kindDeparted byte = 41
	kindReopened byte = 42
	kindRetried  byte = 43

	kindBreakerTripped byte = 44
	kindBreakerTried   byte = 45
	kindBreakerClosed  byte = 46

	kindRemedied byte = 47

	kindAcknowledged byte = 48

	kindLooked byte = 49

	kindDraining    byte = 50
	kindPuttingBack byte = 51
	kindPutBack     byte = 52

	kindMeasured  byte = 56
	kindRegressed byte = 57
	kindVoiced    byte = 58

	kindRestartAnnounced byte = 59
	kindRestartDeferred  byte = 60

	kindProbed byte = 61

	kindWithdrawn byte = 64

	kindUndoHalted byte = 65
	kindRaised     byte = 66
	kindCleared    byte = 67

	kindSupersededBy byte = 68

	kindRestartShared  byte = 69
	kindRestartYielded byte = 70

	kindBackedUp byte = 72

	kindPaired       byte = 73
	kindControlWorse byte = 74
	kindCompared     byte = 75
)

func (Began) kind() byte         { return kindBegan }
func (Adopted) kind() byte       { return kindAdopted }
func (RingAsked) kind() byte     { return kindRingAsked }
func (RingDecided) kind() byte   { return kindRingDecided }
func (RingOpened) kind() byte    { return kindRingOpened }
func (RingSoaking) kind() byte   { return kindRingSoaking }
func (RingUnsettled) kind() byte { return kindRingUnsettled }
func (RingHeld) kind() byte      { return kindRingHeld }
func (Judged) kind() byte        { return kindJudged }
func (Issued) kind() byte        { return kindIssued }
func (Answered) kind() byte      { return kindAnswered }
func (Late) kind() byte          { return kindLate }
func (TimedOut) kind() byte      { return kindTimedOut }
func (Postponed) kind() byte     { return kindPostponed }
func (Returned) kind() byte      { return kindReturned }
func (WindowMissed) kind() byte  { return kindWindowMissed }
func (Escalated) kind() byte     { return kindEscalated }
func (Overdue) kind() byte       { return kindOverdue }
func (Pooled) kind() byte        { return kindPooled }
func (Downloaded) kind() byte    { return kindDownloaded }
func (Acknowledged) kind() byte  { return kindAcknowledged }
func (Admitted) kind() byte      { return kindAdmitted }
func (Lapsed) kind() byte        { return kindLapsed }
func (DeviceSettled) kind() byte { return kindDeviceSettled }
func (StopAsked) kind() byte     { return kindStopAsked }
func (UndoBegan) kind() byte     { return kindUndoBegan }
func (Quarantined) kind() byte   { return kindQuarantined }
func (Released) kind() byte      { return kindReleased }
func (Staged) kind() byte        { return kindStaged }
func (Reviewed) kind() byte      { return kindReviewed }
func (Withdrawn) kind() byte     { return kindWithdrawn }

func (v Began) encode(e *encoder)         { e.string(string(v.Digest)); e.int(v.Engine) }
func (v Adopted) encode(e *encoder)       { e.string(v.By) }
func (v RingAsked) encode(e *encoder)     { e.int(v.Ring); e.json(v.Request) }
func (v RingOpened) encode(e *encoder)    { e.int(v.Ring) }
func (v RingSoaking) encode(e *encoder)   { e.int(v.Ring); e.time(v.Until) }
func (v RingUnsettled) encode(e *encoder) { e.int(v.Ring) }
func (v RingHeld) encode(e *encoder)      { e.int(v.Ring); e.string(v.Code) }
func (v Answered) encode(e *encoder)      { e.reports(v.Reports) }
func (v Late) encode(e *encoder)          { e.reports(v.Reports) }
func (v TimedOut) encode(e *encoder)      { e.devices(v.Devices) }
func (v Returned) encode(e *encoder)      { e.devices(v.Devices) }
func (v Escalated) encode(e *encoder) {
	e.string(string(v.Patch))
	e.json(v.Causes)
	e.devices(v.Devices)
	e.times(v.Due)
}

func (v Downloaded) encode(e *encoder) {
	e.devices(v.Devices)
	e.bool(v.Failed)
	e.byte(byte(v.Fault))
}

func (v WindowMissed) encode(e *encoder) {
	e.devices(v.Devices)
	e.byte(byte(v.Then))
}
func (v Pooled) encode(e *encoder)   { e.int(v.Ring); e.json(v.Outcomes); e.json(v.Above) }
func (v Overdue) encode(e *encoder)  { e.devices(v.Devices) }
func (v Admitted) encode(e *encoder) { e.json(v.Devices) }
func (v Acknowledged) encode(e *encoder) {
	e.devices(v.Devices)
	e.string(v.By)
	e.string(v.Reason)
}
func (v Withdrawn) encode(e *encoder) {
	e.string(string(v.Patch))
	e.string(v.By)
	e.string(v.Reason)
	e.devices(v.Devices)
}
func (v Lapsed) encode(e *encoder)    { e.devices(v.Devices) }
func (v StopAsked) encode(e *encoder) { e.devices(v.Devices) }
func (v Reviewed) encode(e *encoder)  { e.string(v.Request); e.string(v.By); e.string(v.Reason) }

func (v RingDecided) encode(e *encoder) {
	e.int(v.Ring)
	e.string(v.Request)
	e.json(v.Decision)
	e.string(v.Refused)
	e.int(v.Short)
}

func (v Judged) encode(e *encoder) {
	e.int(v.Ring)
	e.byte(byte(v.Result))
	e.json(v.Counts)
	e.string(v.By)
	e.string(v.Reason)
	if v.Evidence != (Evidence{}) {
		e.json(v.Evidence)
	}
}

func (v Issued) encode(e *encoder) {
	e.byte(byte(v.Op))
	e.bool(v.Absent)
	e.devices(v.Devices)
	e.time(v.StartBy)
	e.time(v.FinishBy)
}

func (v Postponed) encode(e *encoder) {
	e.byte(byte(v.Op))
	e.bool(v.Absent)
	e.byte(byte(v.Fault))
	e.bool(v.Spent)
	e.devices(v.Devices)
	e.times(v.Until)
	e.bool(v.Frees)
}

func (v DeviceSettled) encode(e *encoder) {
	e.byte(byte(v.Outcome))
	e.byte(byte(v.Fault))
	e.bool(v.Owes)
	e.devices(v.Devices)
}

func (v UndoBegan) encode(e *encoder) {
	e.string(v.Scope)
	e.string(v.By)
	e.string(v.Reason)
	e.devices(v.Devices)
	e.devices(v.Refused)
	e.string(v.Why)
	e.bool(v.Now)
}

func (v Quarantined) encode(e *encoder) {
	e.uint(uint64(len(v.Patches)))
	for _, id := range v.Patches {
		e.string(string(id))
	}
	e.string(string(v.Device))
	e.string(v.Reason)
}

func (v Released) encode(e *encoder) { e.string(string(v.Patch)); e.string(v.By); e.string(v.Reason) }

func (v Staged) encode(e *encoder) {
	e.byte(byte(v.Stage))
	e.byte(byte(v.Ending))
	e.string(v.Code)
	e.string(v.By)
	e.string(v.Reason)
}

// decodeEvent reads the body of an event, or returns nil for a kind that this version does not know. The fields of the
// literals are read in the order in which they are written here, which is the order of encode.
func decodeEvent(kind byte, d *decoder) Event {
	switch kind {
	case kindBegan:
		return Began{Digest: patch.Digest(d.string()), Engine: d.int()}
	case kindAdopted:
		return Adopted{By: d.string()}
	case kindRingAsked:
		v := RingAsked{Ring: d.int()}
		d.json(&v.Request)
		return v
	case kindRingDecided:
		v := RingDecided{Ring: d.int(), Request: d.string()}
		d.json(&v.Decision)
		v.Refused, v.Short = d.string(), d.int()
		return v
	case kindRingOpened:
		return RingOpened{Ring: d.int()}
	case kindRingSoaking:
		return RingSoaking{Ring: d.int(), Until: d.time()}
	case kindRingUnsettled:
		return RingUnsettled{Ring: d.int()}
	case kindRingHeld:
		return RingHeld{Ring: d.int(), Code: d.string()}
	case kindJudged:
		v := Judged{Ring: d.int(), Result: GateResult(d.byte())}
		d.json(&v.Counts)
		v.By, v.Reason = d.string(), d.string()
		d.json(&v.Evidence)
		return v
	case kindOverdue:
		return Overdue{Devices: d.devices()}
	case kindPooled:
		v := Pooled{Ring: d.int()}
		d.json(&v.Outcomes)
		d.json(&v.Above)
		return v
	case kindIssued:
		return Issued{Op: Op(d.byte()), Absent: d.bool(), Devices: d.devices(), StartBy: d.time(), FinishBy: d.time()}
	case kindAnswered:
		return Answered{Reports: d.reports()}
	case kindLate:
		return Late{Reports: d.reports()}
	case kindTimedOut:
		return TimedOut{Devices: d.devices()}
	case kindPostponed:
		return Postponed{Op: Op(d.byte()), Absent: d.bool(), Fault: patch.Fault(d.byte()), Spent: d.bool(),
			Devices: d.devices(), Until: d.times(), Frees: d.bool()}
	case kindReturned:
		return Returned{Devices: d.devices()}
	case kindEscalated:
		v := Escalated{Patch: patch.ID(d.string())}
		d.json(&v.Causes)
		v.Devices, v.Due = d.devices(), d.times()
		return v
	case kindDownloaded:
		return Downloaded{Devices: d.devices(), Failed: d.bool(), Fault: patch.Fault(d.byte())}
	case kindWindowMissed:
		return WindowMissed{Devices: d.devices(), Then: policy.Missed(d.byte())}
	case kindAdmitted:
		var v Admitted
		d.json(&v.Devices)
		return v
	case kindDeparted:
		return decodeDeparted(d)
	case kindReopened:
		return Reopened{Devices: d.devices()}
	case kindRetried:
		return decodeRetried(d)
	case kindAcknowledged:
		return Acknowledged{Devices: d.devices(), By: d.string(), Reason: d.string()}
	case kindRestartAnnounced:
		return decodeRestartAnnounced(d)
	case kindRestartDeferred:
		return decodeRestartDeferred(d)
	case kindVoiced:
		return decodeVoiced(d)
	case kindMeasured:
		return decodeMeasured(d)
	case kindRegressed:
		return decodeRegressed(d)
	case kindPaired:
		return decodePaired(d)
	case kindControlWorse:
		return ControlWorse(decodeRegressed(d))
	case kindCompared:
		return decodeCompared(d)
	case kindBreakerTripped:
		return decodeBreakerTripped(d)
	case kindBreakerTried:
		return decodeBreakerTried(d)
	case kindBreakerClosed:
		return BreakerClosed(decodeBreakerTried(d))
	case kindRemedied:
		return decodeRemedied(d)
	case kindDraining:
		return decodeDraining(d)
	case kindPuttingBack:
		return decodePuttingBack(d)
	case kindPutBack:
		return decodePutBack(d)
	case kindLooked:
		return decodeLooked(d)
	case kindProbed:
		return decodeProbed(d)
	case kindRestartShared:
		return decodeRestartShared(d)
	case kindRestartYielded:
		return decodeRestartYielded(d)
	case kindSupersededBy:
		return SupersededBy{By: Key{Tenant: inventory.Tenant(d.string()), ID: ID(d.string())}, Devices: d.devices()}
	case kindBackedUp:
		return decodeBackedUp(d)
	case kindLapsed:
		return Lapsed{Devices: d.devices()}
	case kindDeviceSettled:
		return DeviceSettled{Outcome: Outcome(d.byte()), Fault: patch.Fault(d.byte()), Owes: d.bool(), Devices: d.devices()}
	case kindStopAsked:
		return StopAsked{Devices: d.devices()}
	case kindUndoBegan:
		return UndoBegan{Scope: d.string(), By: d.string(), Reason: d.string(), Devices: d.devices(), Refused: d.devices(),
			Why: d.string(), Now: d.bool()}
	case kindRaised:
		return decodeRaised(d)
	case kindCleared:
		return Cleared(decodeRaised(d))
	case kindUndoHalted:
		return decodeUndoHalted(d)
	case kindQuarantined:
		n := d.count(1)
		v := Quarantined{Patches: make([]patch.ID, n)}
		for i := range v.Patches {
			v.Patches[i] = patch.ID(d.string())
		}
		v.Device, v.Reason = inventory.DeviceID(d.string()), d.string()
		return v
	case kindReleased:
		return Released{Patch: patch.ID(d.string()), By: d.string(), Reason: d.string()}
	case kindStaged:
		return Staged{Stage: Stage(d.byte()), Ending: Stage(d.byte()), Code: d.string(), By: d.string(), Reason: d.string()}
	case kindWithdrawn:
		return Withdrawn{Patch: patch.ID(d.string()), By: d.string(), Reason: d.string(), Devices: d.devices()}
	case kindReviewed:
		return Reviewed{Request: d.string(), By: d.string(), Reason: d.string()}
	}
	return nil
}
