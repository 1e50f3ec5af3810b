package policy

import (
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy/calendar"
)

// A Policy is one document. Its zero value installs nothing anywhere: it has no rule that approves and no ring.
type Policy struct {
	Name     string   `json:"name" yaml:"name"`
	Rules    []Rule   `json:"rules,omitempty" yaml:"rules,omitempty"`
	Rings    []Ring   `json:"rings,omitempty" yaml:"rings,omitempty"`      // in the order in which they open
	Windows  []Window `json:"windows,omitempty" yaml:"windows,omitempty"`  // when work may begin; none means always
	Download Download `json:"download,omitzero" yaml:"download,omitempty"` // when what is to be installed is brought to devices beforehand
	Freezes  []Freeze `json:"freezes,omitempty" yaml:"freezes,omitempty"`  // when no work begins, whatever windows say
	Fit      Fit      `json:"fit,omitzero" yaml:"fit,omitempty"`           // how much of an opening must be left
	Missed   Missed   `json:"missed,omitempty" yaml:"missed,omitempty"`    // what becomes of a device that was away while its window was open
	Need     Need     `json:"need,omitzero" yaml:"need,omitempty"`         // leave for the whole rollout, asked for before its first ring; none unless set
	Salt     string   `json:"salt,omitempty" yaml:"salt,omitempty"`        // the same in several rollouts makes the same devices their canaries; "" makes it others in each
	Strata   []string `json:"strata,omitempty" yaml:"strata,omitempty"`    // labels, or facts such as device.os, after which rings with a size or a share are alike; none leaves it to chance
	Covers   []Cover  `json:"covers,omitempty" yaml:"covers,omitempty"`    // what of the fleet the first ring is to be like
	Joiners  Joiners  `json:"joiners,omitempty" yaml:"joiners,omitempty"`  // what becomes of devices that turn up while a rollout is under way
	// StartJitter spreads the first installations of each ring over so much time, from the opening of a window or of the ring if that is later,
	// so that not all devices ask for the same files at once. Which comes when follows from a hash of the rollout and the device. It is cut
	// short where the window closes before. Devices that are urgent, need not wait for a window, have downloaded ahead, or are tried again
	// have no turn to wait for, nor have hosts that have waited for their guests. 0 spreads nothing; at most 7d.
	StartJitter Duration `json:"startJitter,omitempty" yaml:"startJitter,omitempty"`

	// HostLabel is the label, or fact, by which a device names the device that it runs on: a virtual machine its hypervisor. A host is not begun
	// before every guest of it in the same rollout is settled, and stands in no earlier ring than one of them: see Plan of package rollout. "" means that
	// nothing runs on anything.
	HostLabel string `json:"hostLabel,omitempty" yaml:"hostLabel,omitempty"`
	Guests    Guests `json:"guests,omitempty" yaml:"guests,omitempty"` // how long a host waits for those that run on it; needs HostLabel

	Priority  int      `json:"priority,omitempty" yaml:"priority,omitempty"`   // among the rollouts of a tenant: on a device that several want, the highest is next; 0 to 1000, and 0 waits for its turn
	MaxActive int      `json:"maxActive,omitempty" yaml:"maxActive,omitempty"` // devices worked on at once in all rings together; 0 means no limit
	Rate      Rate     `json:"rate,omitzero" yaml:"rate,omitempty"`            // how many devices are begun in a while, in all rings together
	Budgets   []Budget `json:"budgets,omitempty" yaml:"budgets,omitempty"`     // how many devices of one failure domain may be disrupted at once, or begun in a while
	Drain     Drain    `json:"drain,omitzero" yaml:"drain,omitempty"`          // how devices are taken out of service and put back that a budget drains
	Retry     Retry    `json:"retry,omitzero" yaml:"retry,omitempty"`
	Breaker   Breaker  `json:"breaker,omitzero" yaml:"breaker,omitempty"` // of each patch: after how many failed tries it is not begun any more for a while; never unless set
	Backup    Backup   `json:"backup,omitzero" yaml:"backup,omitempty"`   // what must be kept of a device before anything is installed there
	Reboot    Reboot   `json:"reboot,omitzero" yaml:"reboot,omitempty"`
	Rollback  Rollback `json:"rollback,omitzero" yaml:"rollback,omitempty"`
	Health    Health   `json:"health,omitzero" yaml:"health,omitempty"` // by what devices are known to be well

	Escalation []EscalationLevel `json:"escalation,omitempty" yaml:"escalation,omitempty"` // who is told when devices fail again and again, or a person is waited for too long

	Deadlines  []Deadline   `json:"deadlines,omitempty" yaml:"deadlines,omitempty"`   // by when patches must be installed
	Exceptions []Exception  `json:"exceptions,omitempty" yaml:"exceptions,omitempty"` // what persons decided to leave out
	Holds      []KnownIssue `json:"holds,omitempty" yaml:"holds,omitempty"`           // what must not be installed before it is fixed
}

// A Rule gives a verdict on the findings that it matches. A rule that rejects or holds wins over every other, wherever it
// stands; among the rest the first that matches decides. A rule that approves a feature update, a driver, firmware, an
// optional patch, or one of unknown classification must name that classification or the very patch. See [Policy.Decide].
type Rule struct {
	Name    string   `json:"name" yaml:"name"`
	Match   Match    `json:"match" yaml:"match"`
	Verdict Verdict  `json:"verdict" yaml:"verdict"`
	For     Duration `json:"for,omitempty" yaml:"for,omitempty"`       // with the verdict defer: for how long
	Reason  string   `json:"reason,omitempty" yaml:"reason,omitempty"` // for people

	Approvers []string `json:"approvers,omitempty" yaml:"approvers,omitempty"` // with the verdict require-approval: people and groups; none means anybody
	Quorum    int      `json:"quorum,omitempty" yaml:"quorum,omitempty"`       // with that verdict: how many different people must approve; 0 means 1

	From Since `json:"from,omitempty" yaml:"from,omitempty"` // with the verdict defer: what For counts from
}

// A Match says which findings a rule is about. Every field that is set must hold; an empty field holds always. The zero
// Match is refused: a rule about everything must say so with All.
type Match struct {
	All             bool                   `json:"all,omitempty" yaml:"all,omitempty"`
	IDs             []patch.ID             `json:"ids,omitempty" yaml:"ids,omitempty"` // one of these patches; a trailing * matches the rest of a name
	Classifications []patch.Classification `json:"classifications,omitempty" yaml:"classifications,omitempty"`
	MinSeverity     patch.Severity         `json:"minSeverity,omitempty" yaml:"minSeverity,omitempty"` // this severity or worse; an unrated patch does not match
	Packages        []string               `json:"packages,omitempty" yaml:"packages,omitempty"`       // one of its packages or source packages; a trailing * as above
	Exploited       bool                   `json:"exploited,omitempty" yaml:"exploited,omitempty"`     // known to be exploited
	Devices         inventory.Selector     `json:"devices,omitzero" yaml:"devices,omitempty"`          // devices that match
	MinAge          Duration               `json:"minAge,omitempty" yaml:"minAge,omitempty"`           // released at least this long ago; an unknown date does not match
	Where           Where                  `json:"where,omitzero" yaml:"where,omitempty"`              // a condition, for all that the other fields cannot say
}

// A Ring is a step of a rollout. Exactly one of Devices, Size, Share and Rest says who belongs to it. Rings with Devices are
// filled first, in their order, then those with Size; what remains is divided among the rings with Share, and Rest takes what
// is left.
//
// How many devices a ring with Size, Share or Rest has does not depend on [Policy.Strata], but which it has does: devices that have the
// same values of all these labels and facts are a stratum, of which each ring gets its part, rounded up or down. So with Strata
// device.os and site a test ring of a tenth holds a tenth of the servers in Oslo, and not by chance none.
//
// A share of a small fleet is a ring of one or two devices, which prove nothing: a patch that fails on every tenth device passes a
// ring of two four times in five. With Shows a ring is made as large as it takes to see such a patch fail. Nothing is done about it unless Shows or
// MinDevices is set, since a larger first ring is also one on which more breaks; [Lint] warns of rings that are too small.
//
// With Ramp, a device takes a place from when it is begun until its success has been verified, or it turns out that there is
// nothing to do; one that failed, or waits to be tried again, keeps its place. There are Ramp places; when as many devices are well as
// there are places, these are doubled, and so on: with 5, there are 10 places after 5 successes, 20 after 15, 40 after 35. So a
// patch that breaks every device touches no more than Ramp of them. A device that is unreachable has no place, and takes one
// when it is back. MaxActive holds as well. A ring all of whose places are taken by devices that failed is held, and a
// promotion lifts the ramp.
type Ring struct {
	Name       string             `json:"name" yaml:"name"`
	Devices    inventory.Selector `json:"devices,omitzero" yaml:"devices,omitempty"`
	Size       int                `json:"size,omitempty" yaml:"size,omitempty"`   // exactly so many of the devices that no ring with Devices claimed, while there are enough
	Share      Share              `json:"share,omitempty" yaml:"share,omitempty"` // of the devices that no ring with Devices or Size has
	Rest       bool               `json:"rest,omitempty" yaml:"rest,omitempty"`
	MinDevices int                `json:"minDevices,omitempty" yaml:"minDevices,omitempty"` // with Share: at least so many, if there are enough; 0 means 1
	Shows      Share              `json:"shows,omitempty" yaml:"shows,omitempty"`           // with Share: at least so many as show a patch that fails on this part of all devices, see [Ring.Least]; 0 asks for none
	Approval   bool               `json:"approval,omitempty" yaml:"approval,omitempty"`     // ask before the ring opens
	Need       Need               `json:"need,omitzero" yaml:"need,omitempty"`              // whose leave it takes; a ring that has it asks, with or without Approval
	MaxActive  int                `json:"maxActive,omitempty" yaml:"maxActive,omitempty"`   // devices worked on at once; 0 means no limit of its own
	Ramp       int                `json:"ramp,omitempty" yaml:"ramp,omitempty"`             // so many devices are begun at first, twice as many once these are well, and so on; 0 means no ramp
	Windows    []Window           `json:"windows,omitempty" yaml:"windows,omitempty"`       // instead of the policy's
	Download   Download           `json:"download,omitzero" yaml:"download,omitempty"`      // instead of the policy's
	Gate       Gate               `json:"gate,omitzero" yaml:"gate,omitempty"`
}

// A Gate says what must hold before the ring after it opens. The zero Gate tolerates no failure, waits for every device,
// does not soak, and has no time limit.
//
// The rate of success is succeeded / denominator, the rate of failure failed / denominator. Devices that were rolled back
// count as failed. Devices for which there was nothing to do prove nothing: they are done, but are not counted at all. A gate is judged after every change and whenever
// time matters, while its ring is open, soaking, waiting or paused:
//
//   - Fail, at once, when more than MaxFailed of the denominator have failed, of at least MinSample settled devices.
//     With the denominator assigned this is also judged before the sample is complete, if the ring can no longer end otherwise.
//   - Pass, when at least MinSuccess have succeeded, MinSample devices are settled, MinCoverage is reached, the soak is
//     over, and nobody must promote by hand.
//   - Inconclusive otherwise. A ring in which nothing can change any more stays inconclusive: it holds and asks. So does one none of whose
//     devices needed anything, since those that come next would be the first. The last ring passes then, unless it is Manual.
//
// With Evidence a gate also fails by proof, and may have to pass by proof, and with Control by a comparison; the thresholds stay in force beside them. A gate that is to
// be left to the proof alone has a MaxFailed of 100 %: nothing exceeds it, and what it leaves for MinSuccess is nothing.
type Gate struct {
	Denominator Denominator `json:"denominator,omitempty" yaml:"denominator,omitempty"`
	MinSuccess  Share       `json:"minSuccess,omitempty" yaml:"minSuccess,omitempty"`   // 0 means all but MaxFailed
	MaxFailed   Share       `json:"maxFailed,omitempty" yaml:"maxFailed,omitempty"`     // 0 means none
	MinSample   int         `json:"minSample,omitempty" yaml:"minSample,omitempty"`     // settled devices; 0 means 1
	MinCoverage Share       `json:"minCoverage,omitempty" yaml:"minCoverage,omitempty"` // share of the ring that must have been reached; 0 means no floor
	Soak        Duration    `json:"soak,omitempty" yaml:"soak,omitempty"`               // how long the ring is watched once it is good enough
	Manual      bool        `json:"manual,omitempty" yaml:"manual,omitempty"`           // only a person's promotion opens the next ring
	Timeout     Duration    `json:"timeout,omitempty" yaml:"timeout,omitempty"`         // since the ring opened, paused time not counted; 0 means none
	OnTimeout   OnTimeout   `json:"onTimeout,omitempty" yaml:"onTimeout,omitempty"`
	Evidence    Evidence    `json:"evidence,omitzero" yaml:"evidence,omitempty"` // failures as proof, however often it is looked at; none unless set
	Control     Control     `json:"control,omitzero" yaml:"control,omitempty"`   // health beside devices that get nothing yet; not compared unless set
}

// Retry says how often and when a device is tried again. Zero fields mean the defaults named here.
type Retry struct {
	Attempts     int      `json:"attempts,omitempty" yaml:"attempts,omitempty"`         // in all; 0 means 3
	Backoff      Duration `json:"backoff,omitempty" yaml:"backoff,omitempty"`           // after the first failure, doubled after each; 0 means 10m
	MaxBackoff   Duration `json:"maxBackoff,omitempty" yaml:"maxBackoff,omitempty"`     // 0 means 6h
	BusyEvery    Duration `json:"busyEvery,omitempty" yaml:"busyEvery,omitempty"`       // pause after a busy device; 0 means 5m
	BusyLimit    int      `json:"busyLimit,omitempty" yaml:"busyLimit,omitempty"`       // busy answers that spend no attempt; 0 means 12
	OfflineEvery Duration `json:"offlineEvery,omitempty" yaml:"offlineEvery,omitempty"` // pause after an unreachable device that is not seen; 0 means 1h
	Grace        Duration `json:"grace,omitempty" yaml:"grace,omitempty"`               // after which an unreachable device leaves the denominator reached; 0 means 24h
	// OfflineDeadline is how long the rollout waits for a device since it was first found unreachable. Until then the device comes back into its
	// ring, under the limits and rates of that, and the rollout does not end. If it is still or again unreachable then, and nothing that was
	// begun there may be at work or have taken effect, it leaves: it is not patched by this rollout any more, and counts for no gate but
	// its MinCoverage; if attempts have failed there, it has failed. Coming back for a while does not start the time anew; a rollout that is
	// not active stops it. It is not shorter than Grace. With 0 a device is waited for while the rollout goes on, which ends without it after Grace.
	OfflineDeadline Duration `json:"offlineDeadline,omitempty" yaml:"offlineDeadline,omitempty"`

	Timeout  Duration `json:"timeout,omitempty" yaml:"timeout,omitempty"`   // for one task; then its device is asked what is true; 0 means 4h
	Remedies []Remedy `json:"remedies,omitempty" yaml:"remedies,omitempty"` // what is put right on a device before its next try, by the fault of the last; none unless set
}

// Download says when devices get ahead of their windows what is to be installed there. A device whose ring is open and that waits
// for its window then downloads, once, which disrupts nobody and takes no place of those that may be worked on. What cannot be
// downloaded ahead is left to the installation, which waits for a download that still runs, as long as Retry.Timeout. The zero Download leaves everything to it.
type Download struct {
	Windows []Window `json:"windows,omitempty" yaml:"windows,omitempty"` // freezes apart
}

// Reboot says what happens when a patch wants a restart. A device that waits for one of Windows keeps no place meanwhile: others
// are worked on, and other rollouts may work on it.
type Reboot struct {
	Mode    RebootMode `json:"mode,omitempty" yaml:"mode,omitempty"`
	Timeout Duration   `json:"timeout,omitempty" yaml:"timeout,omitempty"` // for the device to come back; 0 means 30m
	Windows []Window   `json:"windows,omitempty" yaml:"windows,omitempty"` // when devices are restarted, freezes apart; none means as soon as a restart is due

	Deferrals Deferrals `json:"deferrals,omitzero" yaml:"deferrals,omitempty"` // how often people may put a restart off; never unless set

	// Quiet are times in which nobody is disturbed: no device is restarted, whatever Windows say, and no restart is announced. What would
	// be announced then is announced at the end of it, and a deadline of Deferrals that falls in one is moved to its end: nobody loses what
	// was promised. Only an emergency is not kept: an approval that lifts windows, a rollout that was stopped, or a rollback at once.
	Quiet []Window `json:"quiet,omitempty" yaml:"quiet,omitempty"`

	// Before says whether a device that waits for a restart is restarted before the first installation there, which might fail for that, or
	// have its effect mixed with what was installed earlier. Such a restart keeps the same windows and deferrals as any other. A device
	// that still waits for one afterwards has failed as busy, and nothing was installed there. One of which it is not known whether it
	// waits is patched all the same, and that is written down.
	Before RebootBefore `json:"before,omitempty" yaml:"before,omitempty"`
}

// Backup says what must be kept of a device before anything is installed there, so that it can be taken back to that. A backup is a task of
// its own, in the window of the installation and within the same limits; what proves it is written down before the installation is
// begun. After an attempt that may have changed the device its backup is kept, however old: a newer one would hold
// what is to be taken back.
type Backup struct {
	Need BackupNeed `json:"need,omitempty" yaml:"need,omitempty"`

	// MaxAge is how old a backup may be when an installation is begun. One that a device has and that is younger is taken
	// instead of a new one. With 0 each rollout makes its own.
	MaxAge Duration `json:"maxAge,omitempty" yaml:"maxAge,omitempty"`
}

// Rollback says what happens when a gate fails.
type Rollback struct {
	On OnFail `json:"on,omitempty" yaml:"on,omitempty"`

	// Irreversible allows a plan with a rollback to hold patches that cannot be taken back. Without it such a plan is refused.
	Irreversible bool `json:"irreversible,omitempty" yaml:"irreversible,omitempty"`

	// MaxFailed is the largest share of the devices that are being rolled back whose rollback may fail, and MaxFailures the largest
	// number of them. Beyond either the rollout is halted: no other rollback begins until a person resumes. 0 means no limit.
	MaxFailed   Share `json:"maxFailed,omitempty" yaml:"maxFailed,omitempty"`
	MaxFailures int   `json:"maxFailures,omitempty" yaml:"maxFailures,omitempty"`

	// InWindows lets rollbacks begin in the windows of their rings only, and the restarts that they take effect by in those for restarts.
	// An emergency is not kept: a rollout that was stopped, or a person's command that says so.
	InWindows bool `json:"inWindows,omitempty" yaml:"inWindows,omitempty"`

	// Wait is how long a device that is to be rolled back waits for the known end of a task there that had no answer in time, or was lost,
	// before its rollback has failed and a person is needed: a rollback never overlaps with what it takes back. A backup that had
	// no answer is waited for as long, before another one is made, and so do other rollouts that would begin something there. 0 means 24h.
	Wait Duration `json:"wait,omitempty" yaml:"wait,omitempty"`

	// Acknowledged says that somebody has accepted a rollout that nothing takes back. [Lint] then does not warn of it.
	Acknowledged bool `json:"acknowledged,omitempty" yaml:"acknowledged,omitempty"`
}

// A Window recurs: it opens at Start on each of Days, or of the days of On, and closes at End: on the same day if End is
// later than Start, otherwise on the next day, so that an overnight window belongs to the day on which it starts. "24:00" is
// a valid End; Start and End that are equal mean a whole day.
//
// A wall clock that does not exist because clocks go forward means the first instant after the gap; one that exists twice
// means the first of the two. With Gap a window can stay closed instead on a day whose clock does not show Start.
type Window struct {
	Days  Days                `json:"days,omitempty" yaml:"days,omitempty"` // none means every day
	On    calendar.Recurrence `json:"on,omitzero" yaml:"on,omitempty"`      // instead of Days: "2nd tue +3d", or a rule of RFC 5545
	Start Clock               `json:"start" yaml:"start"`
	End   Clock               `json:"end" yaml:"end"`
	Gap   calendar.Gap        `json:"gap,omitempty" yaml:"gap,omitempty"`   // shift or skip
	Zone  string              `json:"zone,omitempty" yaml:"zone,omitempty"` // IANA name; "" means the device's own zone
}
