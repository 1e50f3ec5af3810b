package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/policy"
)

// A Message is a text for people as data: a code and its parameters, for a vendor to translate. String renders it in
// English.
type Message struct {
	Code   string  `json:"code"`
	Params []Param `json:"params,omitempty"`
}

// A Param is one named parameter of a [Message].
type Param struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func message(code string, pairs ...string) Message {
	m := Message{Code: code}
	for i := 0; i+1 < len(pairs); i += 2 {
		m.Params = append(m.Params, Param{pairs[i], pairs[i+1]})
	}
	return m
}

// Get returns the value of a parameter, "" if there is none of that name.
func (m Message) Get(name string) string {
	for _, p := range m.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// english maps a code to its text. {name} stands for a parameter; a part in [brackets] is left out if one of its parameters
// is empty.
func english(code string) (string, bool) {
	switch code {
	case "began":
		return "rollout begins, plan {digest}", true
	case "adopted":
		return "taken over by {by}", true
	case "ring-asked":
		return "ring {ring}: {by} asks leave for {devices}[ ({patches})][, {whole}][, of {needs}]", true
	case "ring-approved":
		return "ring {ring}: approved by {by}[: {reason}]", true
	case "ring-approved-partly":
		return "ring {ring}: {by} approves[: {reason}]; {short} more must", true
	case "ring-emergency":
		return "ring {ring}: approved by {by} in an emergency: {reason}; bypassed: {bypassed}; review due {due}", true
	case "reviewed":
		return "ring {ring}: approval in an emergency reviewed by {by}: {reason}", true
	case "ring-denied":
		return "ring {ring}: denied by {by}[: {reason}]", true
	case "ring-refused":
		return "ring {ring}: answer of {by} does not count: {why}", true
	case "ring-opened":
		return "ring {ring} opens", true
	case "ring-soaking":
		return "ring {ring} soaks until {until}", true
	case "ring-unsettled":
		return "ring {ring} is open again", true
	case "ring-held":
		return "ring {ring} is held: {code}", true
	case "gate-pass":
		return "gate of ring {ring}: pass, {succeeded} of {denominator} succeeded, {bad} failed[ ({reason})][; of {begun} begun {lost} failed, e-value {above}][; proof to pass {below}][; rate {low} to {high}][; {treatedfailed} of {treated} worse beside {controlfailed} of {control} that got nothing, e-value {odds}][; {broke} of {answers} people say that it broke something][; {retried} tried again by hand][, {retrying} of them still]", true
	case "gate-promoted":
		return "gate of ring {ring}: promoted by {by}, {succeeded} of {denominator} succeeded, {bad} failed[: {reason}][; of {begun} begun {lost} failed, e-value {above}][; proof to pass {below}][; rate {low} to {high}][; {treatedfailed} of {treated} worse beside {controlfailed} of {control} that got nothing, e-value {odds}][; {broke} of {answers} people say that it broke something][; {retried} tried again by hand][, {retrying} of them still]", true
	case "gate-fail":
		return "gate of ring {ring}: fail, {bad} of {denominator} failed[ ({reason})][; of {begun} begun {lost} failed, e-value {above}][; proof to pass {below}][; rate {low} to {high}][; {treatedfailed} of {treated} worse beside {controlfailed} of {control} that got nothing, e-value {odds}][; {broke} of {answers} people say that it broke something][; {retried} tried again by hand][, {retrying} of them still]", true
	case "gate-open":
		return "gate of ring {ring}: inconclusive, {succeeded} of {denominator} succeeded, {bad} failed[ ({reason})][; of {begun} begun {lost} failed, e-value {above}][; proof to pass {below}][; rate {low} to {high}][; {treatedfailed} of {treated} worse beside {controlfailed} of {control} that got nothing, e-value {odds}][; {broke} of {answers} people say that it broke something][; {retried} tried again by hand][, {retrying} of them still]", true
	case "issued":
		return "{op} {devices}", true
	case "issued-absent":
		return "verify {devices}, gone", true
	case "succeeded":
		return "{devices}: succeeded", true
	case "report-failed":
		return "{devices}: reported failed ({fault})[: {message}]", true
	case "report":
		return "{devices}: reported {phase}", true
	case "late":
		return "{devices}: late report, {phase}", true
	case "timed-out":
		return "{devices}: no answer in time", true
	case "postponed":
		return "{op} {devices} again at {until}[ ({fault})]", true
	case "restart-waits":
		return "{devices}: to be restarted {until}", true
	case "escalated":
		return "{patch} has become urgent on {devices}[: {causes}]", true
	case "downloaded":
		return "{devices}: downloaded", true
	case "download-failed":
		return "{devices}: not downloaded ahead[ ({fault})]", true
	case "looked-unknown":
		return "{devices}: not known whether it waits for a restart[ ({fault})], and patched all the same", true
	case "looked-clear":
		return "{devices}: waits for no restart", true
	case "looked-pending":
		return "{devices}: waits for a restart, which comes first", true
	case "looked-still":
		return "{devices}: waits for a restart after one, so left as it is", true
	case "remedy-unknown":
		return "{devices}: no end of the remedy for {of} is known[ ({fault})]", true
	case "remedy-done":
		return "{devices}: remedy for {of} done", true
	case "remedy-failed":
		return "{devices}: remedy for {of} failed[ ({fault})], and tried again all the same", true
	case "wait-remedy":
		return "it gets a remedy for {of} first, {begun} of at most {max} so far", true
	case "wait-look":
		return "it is not known yet whether it waits for a restart: {tries} of {attempts} tries have failed", true
	case "wait-restart-before":
		return "it is restarted before anything is installed", true
	case "probed-left-out":
		return "{devices}: not well before[, {down} not up][ ({fault})], so left out", true
	case "probed-before":
		return "{devices}: looked at before[, {down} not up][ ({fault})]", true
	case "probed-well":
		return "{devices}: up", true
	case "probed-failed":
		return "{devices}: {down} not up after the installation[ ({fault})]", true
	case "probed-unwell":
		return "{devices}: {down} not up after the installation[ ({fault})], so worse than before", true
	case "is-down":
		return "not up, and was not known to be down before: {down}", true
	case "wait-precheck":
		return "its probes are not known yet: {tries} of {attempts} tries have failed", true
	case "wait-probes":
		return "not up yet: {down}; that is waited for until {until}", true
	case "backed-up":
		return "{devices}: backed up", true
	case "backup-waived":
		return "{devices}: not backed up[ ({fault})], and patched all the same", true
	case "backup-lacking":
		return "{devices}: not backed up[ ({fault})], so left as it is", true
	case "wait-backup":
		return "it has no backup yet: {tries} of {attempts} tries have failed", true
	case "wait-unended":
		return "an earlier {ops} has no known end and may still be running: waits for its end, at most until {until}", true
	case "wait-download":
		return "downloads ahead from {at}[ ({local})]", true
	case "window-missed":
		return "{devices}: away when the window closed: {then}", true
	case "returned":
		return "{devices}: seen again", true
	case "overdue":
		return "{devices}: no outcome in time, counted as failed", true
	case "pooled":
		return "elsewhere {failed} of {devices} devices of {tenants} tenants failed with {patch}: e-value {above} against the {tolerate} of ring {ring}", true
	case "lapsed":
		return "{devices}: unreachable for too long to wait for", true
	case "settled":
		return "{devices}: {outcome}[ ({fault})][, {owes}]", true
	case "admitted":
		return "{devices} joins ring {ring}[, since ring {own} takes nobody any more]", true
	case "left-retired":
		return "{devices}: no longer there[, says {by}][: {reason}][; {amid} was being worked on]", true
	case "left-moved":
		return "{devices}: belongs to another tenant now, and is not touched any more[, says {by}][: {reason}][; what {amid} was at is not known to have ended]", true
	case "left-relabelled":
		return "{devices}: would come into {ring} now, and stays where it is[, says {by}][: {reason}]", true
	case "left-reimaged":
		return "{devices}: made anew, so that what is known of it is true no more[, says {by}][: {reason}][; {amid} was being worked on]", true
	case "retried":
		return "{devices}: tried again by hand, by {by}[: {reason}]", true
	case "by-hand":
		return "tried again by hand, times: {times}; installations begun so: {begun}; of its own: {own} of {max}", true
	case "reopened":
		return "{devices}: open again", true
	case "has-retired":
		return "it is no longer there", true
	case "has-moved":
		return "it belongs to another tenant now", true
	case "would-move":
		return "it would come into {ring} now, and stays in ring {own}: a plan does not change with its devices", true
	case "acknowledged":
		return "{devices}: acknowledged by {by}[: {reason}]", true
	case "stop-asked":
		return "stop {devices}", true
	case "undo-began":
		return "roll back {devices}[, by {by}][: {reason}]", true
	case "raised":
		return "{level} is to know of ring {ring}: {why}[, {devices}]", true
	case "cleared":
		return "{level} need not know of ring {ring} any more: {why}[, {devices}]", true
	case "wait-raised":
		return "escalated to {levels}", true
	case "undo-now":
		return "rollbacks do not wait for windows, by {by}: {reason}", true
	case "undo-halted":
		return "rollbacks are halted: {failed} of {of} have failed", true
	case "wait-undo":
		return "rollbacks are halted until a person decides: {failed} of {of} have failed", true
	case "undo-refused":
		return "{devices} not rolled back: {why}", true
	case "is-quarantined":
		return "patch {patch} is in quarantine since {since}: it is not installed again until that is released, or the patch superseded[ ({reason})]", true
	case "quarantined":
		return "quarantine {patches}[ on {device}]: {reason}", true
	case "released":
		return "{patch} released from quarantine by {by}[: {reason}]", true
	case "withdrawn":
		return "{patch} is withdrawn by {by}[: {reason}]", true
	case "staged":
		return "rollout is {stage}[, by {by}][: {reason}]", true
	case "wait-settled":
		return "settled: {outcome}[ ({fault})][, installations begun: {begun}]", true
	case "wait-running":
		return "{op} is running since {since}", true
	case "wait-stage":
		return "the rollout is {stage}", true
	case "wait-ring":
		return "ring {ring} is not open: it waits for ring {before}, {succeeded} of {denominator} succeeded[ ({rate} < {want})], {bad} failed[, {missing} missing][; of {begun} begun {lost} failed, e-value {above}][; proof to pass {below}][; rate {low} to {high}][; {treatedfailed} of {treated} worse beside {controlfailed} of {control} that got nothing, e-value {odds}]", true
	case "wait-approval":
		return "ring {ring} waits for approval[: {lack}]", true
	case "wait-freeze":
		return "freeze {freeze} is on: work may begin {at}[ ({local})]", true
	case "wait-spread":
		return "starts are spread: its turn comes {at}", true
	case "wait-guests":
		return "waits for its guests {guests}, {open} of {all}[; {lost} of these are unreachable for too long]", true
	case "wait-restart":
		return "waits to be restarted: the next window for that opens {at}[ ({local})]", true
	case "wait-window":
		return "the next window opens {at}[ ({local})]", true
	case "wait-retry":
		return "{op} is tried again at {at}[ ({fault})]", true
	case "wait-offline":
		return "unreachable since {since}, and nothing is at work there: what it is to get waits for it[, until {until}]", true
	case "wait-silent":
		return "unreachable since {since}, and what was begun there may be at work or have taken effect: it is looked at before anything else", true
	case "wait-unanswered":
		return "no answer since {since}, and what was begun there may be at work or have taken effect: it is looked at before anything else", true
	case "wait-limit":
		return "{active} of {limit} devices are being worked on[ in ring {ring}]", true
	case "wait-ramp":
		return "{placed} of {places} places in ring {ring} are taken: there are more once devices are well", true
	case "wait-rate":
		return "rate {count} in {every}[ of budget {budget} at {domain}]: next at {at}", true
	case "wait-breaker":
		return "breaker[ of budget {budget} at {domain}][ of {patch}] has tripped, {failed} of {tries} tries failed[ ({fault})]: one is begun at {at}", true
	case "wait-breaker-try":
		return "breaker[ of budget {budget} at {domain}][ of {patch}] has tripped, {failed} of {tries} tries failed[ ({fault})]: waits for what becomes of {device}", true
	case "breaker-tripped":
		return "breaker[ of budget {budget} at {domain}][ of {patch}] trips: {failed} of {tries} tries failed[ ({fault})], so none is begun until {at}", true
	case "breaker-again":
		return "breaker[ of budget {budget} at {domain}][ of {patch}] trips again: {device} failed[ ({fault})], so none is begun until {at}", true
	case "breaker-tried":
		return "breaker[ of budget {budget} at {domain}][ of {patch}]: one try, on {device}", true
	case "breaker-closed":
		return "breaker[ of budget {budget} at {domain}][ of {patch}] closes: {device} has been installed", true
	case "wait-budget":
		return "budget {budget}: {used} of {limit} disrupted at {domain}[; not acknowledged since their rollouts are over: {left}]", true
	case "wait-held":
		return "ring {ring} is held: {code}", true
	case "wait-samples":
		return "ring {ring}: it is not known whether {devices} devices are well", true
	case "is-worse":
		return "worse than before: {metric} {after} after {before}, limit {limit}", true
	case "wait-announced":
		return "is restarted {at}: put off {times} of {max} times, until {deadline} at the latest", true
	case "announced":
		return "{devices}: restart announced, to be put off until {deadline} at the latest", true
	case "deferred":
		return "{device}: {by} puts the restart off until {until}", true
	case "not-deferred":
		return "{device}: {by} may not put the restart off: {why}", true
	case "voiced":
		return "{device}: {by} says {word}[: {text}]", true
	case "measured":
		return "{devices}: {metric} measured[, {values}]", true
	case "regressed":
		return "{devices}: worse than before, {metric}[ {after} after {before}][, limit {limit}]", true
	case "paired":
		return "ring {ring}: {devices} watched beside {controls}, which get nothing yet, until {until}[; {alone} beside nobody]", true
	case "paired-none":
		return "ring {ring}: nobody to compare {alone} of its devices with", true
	case "control-worse":
		return "{devices}: got nothing, and worse than before, {metric}[ {after} after {before}][, limit {limit}]", true
	case "compared":
		return "ring {ring}: {treatedfailed} of {treated} worse beside {controlfailed} of {control} that got nothing[; nothing known of {silent}]", true
	case "wait-compared":
		return "ring {ring}: {open} of its devices are watched beside others that get nothing, until {until}", true
	case "wait-control":
		return "ring {ring}: {control} devices that got nothing were counted, and it takes {least}", true
	case "wait-soaking":
		return "ring {before} soaks until {until}", true
	case "restart-shared":
		return "{devices}: restart shared with rollout {rollout}", true
	case "restart-yielded":
		return "{devices}: let go before the restart, rollout {rollout} would install there now: one restart serves both", true
	case "wait-kept":
		return "was let go for rollout {rollout} to install first: is restarted once for both, or if that has not begun by {until}", true
	case "wait-yielded":
		return "let rollout {rollout} install first: one restart serves both", true
	case "is-shared":
		return "its restart was that of rollout {rollout}, or came while that was at work there", true
	case "superseded-by":
		return "{devices}: superseded by rollout {rollout}", true
	case "is-superseded":
		return "rollout {rollout} has brought what supersedes it", true
	case "wait-newer":
		return "rollout {rollout} is bringing what supersedes this", true
	case "wait-newest":
		return "rollout {rollout} has brought something newer there, which has to be taken back first", true
	case "is-conflict":
		return "rollout {rollout} brings other versions of the same packages, and neither supersedes the other ({packages}); it goes first: {why}", true
	case "wait-holder":
		return "rollout {rollout} is working on it", true
	case "wait-linger":
		return "a task of rollout {rollout} has no known end and may still be running there: waits for its end, at most until {until}", true
	case "wait-hold":
		return "{why}", true
	case "wait-priority":
		return "rollout {rollout} comes first: its priority is {priority}, and {own} here", true
	case "wait-turn":
		return "its turn has come", true
	case "unknown-device":
		return "{device} is not in the plan", true
	}
	if text, ok := englishSum(code); ok {
		return text, true
	}
	return englishDrain(code)
}

// String renders m in English.
func (m Message) String() string {
	text, ok := english(m.Code)
	if !ok {
		return fmt.Sprintf("%s%v", m.Code, m.Params)
	}
	var b strings.Builder
	for text != "" {
		open := strings.IndexAny(text, "[{")
		if open < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:open])
		closing := "}"
		if text[open] == '[' {
			closing = "]"
		}
		inner, rest, _ := strings.Cut(text[open+1:], closing)
		text = rest
		if closing == "}" {
			b.WriteString(m.Get(inner))
			continue
		}
		if filled, whole := m.fill(inner); whole {
			b.WriteString(filled)
		}
	}
	return b.String()
}

// fill puts parameters into an optional part, and says whether all of them have a value.
func (m Message) fill(part string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(part, "{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, _ := strings.Cut(rest, "}")
		v := m.Get(name)
		if v == "" {
			return "", false
		}
		b.WriteString(v)
		part = after
	}
}

// namesShown is how many devices or patches a message names before it counts.
const namesShown = 5

// Describe tells what an event says, in one message or more, for people who know the plan.
func (p *Plan) Describe(e Event) []Message {
	ring := func(r int) string {
		if r < 0 || r >= len(p.Rings) {
			return strconv.Itoa(r)
		}
		return p.Rings[r].Name
	}
	gate := func(code string, e Judged) Message {
		return message(code, append([]string{"ring", ring(e.Ring), "by", e.By, "reason", e.Reason, "succeeded", strconv.Itoa(e.Counts.Succeeded),
			"bad", strconv.Itoa(e.Counts.Bad()), "denominator", strconv.Itoa(e.Counts.Denominator)}, slices.Concat(e.Evidence.params(), e.Counts.voices(), e.Counts.hands())...)...)
	}
	switch e := e.(type) {
	case Began:
		digest := string(e.Digest)
		return []Message{message("began", "digest", digest[:min(len(digest), 19)])}
	case Adopted:
		return []Message{message("adopted", "by", e.By)}
	case RingAsked:
		return []Message{asked(ring(e.Ring), &e.Request)}
	case RingDecided:
		return []Message{decision(ring(e.Ring), &e)}
	case Reviewed:
		return []Message{message("reviewed", "ring", p.ringOf(e.Request), "by", e.By, "reason", e.Reason)}
	case RingOpened:
		return []Message{message("ring-opened", "ring", ring(e.Ring))}
	case RingSoaking:
		return []Message{message("ring-soaking", "ring", ring(e.Ring), "until", clock(e.Until))}
	case RingUnsettled:
		return []Message{message("ring-unsettled", "ring", ring(e.Ring))}
	case RingHeld:
		return []Message{message("ring-held", "ring", ring(e.Ring), "code", e.Code)}
	case Judged:
		switch {
		case e.Result == Pass && e.By != "":
			return []Message{gate("gate-promoted", e)}
		case e.Result == Pass:
			return []Message{gate("gate-pass", e)}
		case e.Result == Fail:
			return []Message{gate("gate-fail", e)}
		}
		return []Message{gate("gate-open", e)}
	case Issued:
		code := "issued"
		if e.Absent && e.Op == OpVerify {
			code = "issued-absent"
		}
		return []Message{message(code, "op", e.Op.String(), "devices", p.names(e.Devices))}
	case Answered:
		return p.reports(e.Reports, false)
	case Late:
		return p.reports(e.Reports, true)
	case TimedOut:
		return []Message{message("timed-out", "devices", p.names(e.Devices))}
	case Postponed:
		first := time.Time{}
		for _, t := range e.Until {
			if first.IsZero() || t.Before(first) {
				first = t
			}
		}
		fault := ""
		if e.Fault != 0 {
			fault = e.Fault.String()
		}
		if e.Op == OpReboot && (e.Frees || e.Absent && e.Fault == 0) {
			return []Message{message("restart-waits", "devices", p.names(e.Devices), "until", clock(first))}
		}
		return []Message{message("postponed", "op", e.Op.String(), "devices", p.names(e.Devices), "until", clock(first), "fault", fault)}
	case Returned:
		return []Message{message("returned", "devices", p.names(e.Devices))}
	case Downloaded:
		code, fault := "downloaded", ""
		if e.Failed {
			code = "download-failed"
		}
		if e.Fault != 0 {
			fault = e.Fault.String()
		}
		return []Message{message(code, "devices", p.names(e.Devices), "fault", fault)}
	case Remedied:
		return []Message{e.describe(p)}
	case Draining:
		return []Message{e.describe(p)}
	case PuttingBack:
		return []Message{e.describe(p)}
	case PutBack:
		return []Message{e.describe(p)}
	case Looked:
		return []Message{e.describe(p)}
	case Probed:
		return e.describe(p)
	case RestartYielded:
		return []Message{e.describe(p)}
	case RestartShared:
		return []Message{e.describe(p)}
	case SupersededBy:
		return []Message{message("superseded-by", "devices", p.names(e.Devices), "rollout", e.By.String())}
	case BackedUp:
		return []Message{p.backedUp(&e)}
	case Escalated:
		causes := make([]string, len(e.Causes))
		for i, c := range e.Causes {
			causes[i] = c.String()
		}
		return []Message{message("escalated", "patch", string(e.Patch), "devices", p.names(e.Devices), "causes", strings.Join(causes, ", and "))}
	case WindowMissed:
		then := "to be left out"
		if e.Then == policy.MissedRuns {
			then = "to begin outside of it"
		}
		return []Message{message("window-missed", "devices", p.names(e.Devices), "then", then)}
	case Paired, ControlWorse, Compared:
		return p.comparison(e)
	case Overdue:
		return []Message{message("overdue", "devices", p.names(e.Devices))}
	case Pooled:
		tolerate := ""
		if e.Ring >= 0 && e.Ring < len(p.Rings) {
			tolerate = p.Rings[e.Ring].Gate.Evidence.Tolerate.String()
		}
		return []Message{message("pooled", "failed", strconv.Itoa(e.Outcomes.Failed), "devices", strconv.Itoa(e.Outcomes.Devices),
			"tenants", strconv.Itoa(e.Outcomes.Tenants), "patch", string(e.Outcomes.Patch), "above", number(e.Above), "tolerate", tolerate, "ring", ring(e.Ring))}
	case RestartAnnounced:
		return []Message{message("announced", "devices", p.names(e.Devices), "deadline", clock(e.Deadline))}
	case RestartDeferred:
		if e.Refused != "" {
			why := "it was put off often enough"
			if e.Refused == deferredLate {
				why = "the deadline is over"
			}
			return []Message{message("not-deferred", "device", p.names([]int32{e.Device}), "by", e.By, "why", why, "code", e.Refused)}
		}
		return []Message{message("deferred", "device", p.names([]int32{e.Device}), "by", e.By, "until", clock(e.Until))}
	case Voiced:
		return []Message{message("voiced", "device", p.names([]int32{e.Device}), "by", e.By, "word", e.Word.String(), "text", e.Text)}
	case Measured:
		return []Message{e.describe(p)}
	case Regressed:
		return e.describe(p)
	case Lapsed:
		return []Message{message("lapsed", "devices", p.names(e.Devices))}
	case DeviceSettled:
		fault, owes := "", ""
		if e.Fault != 0 {
			fault = e.Fault.String()
		}
		if e.Owes {
			owes = "a restart is owed"
		}
		return []Message{message("settled", "devices", p.names(e.Devices), "outcome", e.Outcome.String(), "fault", fault, "owes", owes)}
	case Admitted:
		return p.tellAdmitted(e)
	case Departed:
		return p.tellDeparted(&e)
	case BreakerTripped:
		if e.Again {
			return []Message{p.tellBreaker("breaker-again", &e, e.Device)}
		}
		return []Message{p.tellBreaker("breaker-tripped", &e, e.Device)}
	case BreakerTried:
		return []Message{p.tellBreaker("breaker-tried", &BreakerTripped{Circuit: e.Circuit}, e.Device)}
	case BreakerClosed:
		return []Message{p.tellBreaker("breaker-closed", &BreakerTripped{Circuit: e.Circuit}, e.Device)}
	case Reopened:
		return []Message{message("reopened", "devices", p.names(e.Devices))}
	case Retried:
		return []Message{message("retried", "devices", p.names(e.Devices), "by", e.By, "reason", e.Reason)}
	case Acknowledged:
		return []Message{message("acknowledged", "devices", p.names(e.Devices), "by", e.By, "reason", e.Reason)}
	case Withdrawn:
		return []Message{message("withdrawn", "patch", string(e.Patch), "by", e.By, "reason", e.Reason)}
	case StopAsked:
		return []Message{message("stop-asked", "devices", p.names(e.Devices))}
	case UndoBegan:
		var ms []Message
		if len(e.Devices) > 0 {
			ms = append(ms, message("undo-began", "devices", p.names(e.Devices), "by", e.By, "reason", e.Reason, "scope", e.Scope))
		}
		if len(e.Refused) > 0 {
			ms = append(ms, message("undo-refused", "devices", p.names(e.Refused), "why", e.Why))
		}
		if e.Now {
			ms = append(ms, message("undo-now", "by", e.By, "reason", e.Reason))
		}
		return ms
	case Raised:
		return []Message{p.tellRaised("raised", &e)}
	case Cleared:
		return []Message{p.tellRaised("cleared", (*Raised)(&e))}
	case UndoHalted:
		return []Message{message("undo-halted", "failed", strconv.Itoa(e.Failed), "of", strconv.Itoa(e.Of))}
	case Quarantined:
		return []Message{message("quarantined", "patches", some(e.Patches), "device", string(e.Device), "reason", e.Reason)}
	case Released:
		return []Message{message("released", "patch", string(e.Patch), "by", e.By, "reason", e.Reason)}
	case Staged:
		return []Message{message("staged", "stage", e.Stage.String(), "by", e.By, "reason", e.Reason, "code", e.Code)}
	}
	return []Message{message(fmt.Sprintf("%T", e))}
}

// reports tells of reports, those that say the same in one message.
func (p *Plan) reports(rs []TaskReport, late bool) []Message {
	type same struct {
		report Report
		ds     []int32
	}
	var groups []same
	for i := range rs {
		key := Report{Phase: rs[i].Phase, Fault: rs[i].Fault, Message: rs[i].Message}
		at := -1
		for g := range groups {
			if r := &groups[g].report; r.Phase == key.Phase && r.Fault == key.Fault && r.Message == key.Message {
				at = g
				break
			}
		}
		if at < 0 {
			groups = append(groups, same{report: key})
			at = len(groups) - 1
		}
		groups[at].ds = append(groups[at].ds, rs[i].Device)
	}
	var ms []Message
	for _, g := range groups {
		code := "report"
		switch {
		case late:
			code = "late"
		case g.report.Phase == PhaseFailed:
			code = "report-failed"
		}
		fault := g.report.Fault.String()
		ms = append(ms, message(code, "devices", p.names(g.ds), "phase", g.report.Phase.String(), "fault", fault, "message", g.report.Message))
	}
	return ms
}

// names lists devices, or counts them when they are many.
func (p *Plan) names(ds []int32) string {
	if len(ds) > namesShown {
		return count(len(ds), "device")
	}
	ids := make([]inventory.DeviceID, len(ds))
	for i, d := range ds {
		ids[i] = p.name(d)
	}
	return join(ids)
}

// name returns the name of d, or its number if the plan has none.
func (p *Plan) name(d int32) inventory.DeviceID {
	if d < 0 || int(d) >= len(p.Devices) {
		return inventory.DeviceID(fmt.Sprintf("device %d", d))
	}
	return p.Devices[d]
}

func join[T ~string](ids []T) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}

func some[T ~string](ids []T) string {
	if len(ids) > namesShown {
		return count(len(ids), "patch")
	}
	return join(ids)
}

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ch"):
		return strconv.Itoa(n) + " " + what + "es"
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
