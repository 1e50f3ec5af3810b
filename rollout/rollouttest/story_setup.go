package rollouttest

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/internal/script"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/rollout"
)

// A scene is what a story says before it starts a rollout. It stays as it is for the next one, but a ring after a start
// begins a new list of rings.
type scene struct {
	policy  policy.Policy
	limit   int // of the agenda
	patches []rollout.Pinned
	devices []sceneDevice
	played  bool
}

type sceneDevice struct {
	name    string
	zone    string
	labels  map[string]string
	patches []string
	ring    int16
}

// setup carries out a command that sets the scene, and says whether c is one.
func (s *scene) setup(c *script.Command) (bool, error) {
	switch c.Name {
	case "ring":
		// ring canary devices=ada,bob size=5 share=10% rest min=1 shows=10% approval maxactive=2 ramp=1 window="sat,sun 22:00-04:00 Europe/Oslo; mon 01:00-02:00"
		//     quorum=2 approvers=hans,group:board valid=3d byrule emergency bypass=windows,freezes
		//     denominator=reached minsuccess=90% maxfailed=10% minsample=3 coverage=80% soak=24h manual timeout=72h on-timeout=fail
		return true, s.ring(c)
	case "policy":
		// policy leave=2 (people, for the whole rollout) leave-bypass=windows attempts=3 backoff=10m max-backoff=6h busy-every=5m busy-limit=12 offline-every=1h grace=24h timeout=4h
		//     reboot=if-required reboot-timeout=30m reboot-window="..." download-window="..." on-fail=rollout irreversible=yes undo-wait=6h undo-maxfailed=10% undo-failures=2 undo-windows=yes backup=required backup-age=24h maxactive=10 window="..." missed=asap
		//     strata=site,role joiners=admit
		//     hosts=host guests=await-in-grace: the label by which devices say what they run on, and how long that waits for them
		//     metric="boot up 30% least 5 samples 2 required": a number that devices report, and when it is worse
		//     level="helpdesk 2 10% 4h": who is told after so many failed attempts, at such a share of a ring, or after so long; 0 for never
		//     probe=till (a service of that name) probes-before=leave-out probes-failed=unwell probes-within=15m probes-every=1m
		//     remedy="corrupt 2": how often a device that has failed so gets a remedy before the next try
		//     reboot-before=if-pending: devices that wait for a restart are restarted before anything is installed
		//     quiet="daily 22:00-06:00": when nobody is disturbed by a restart or its announcement
		//     deferrals="2 notice 1h each 4h deadline 3d": how often people may put a restart off
		//     feedback="3 20% devices answers 5": how many complaints make a gate fail
		//     budget="oslo: site,role 2 10% 5/1h of role=db": at most 2 or 10%, and 5 in 1h of each site and role; rate=20/1h
		//     budget="mirrors: site trips 3 of 5 in 2h for 30m": after so many failed tries of the last 5 begin none at a site; breaker="3 for 30m" of each patch
		//     budget="west: - 1 drained of role=node": its devices are taken out of service first; drain-timeout=15m
		//     freeze=2024-01-05/2024-01-06T12:00 (of UTC) priority=5 limit=3 (of the agenda)
		return true, c.Each(s.option)
	case "patch": // patch p1 reversal=none exploited reboot=always supersedes=p0 package="curl 2": without it there is one, p1, that can be taken back
		return true, s.patch(c)
	case "device": // device eve zone=Europe/Oslo patches=p1,p2 site=oslo (any other word is a label): a device by share, or more about one that a ring names
		return true, s.device(c)
	case "devices": // devices 20: as many devices by share, called d1 to d20
		n, err := strconv.Atoi(arg(c, 0))
		for i := range n {
			s.devices = append(s.devices, sceneDevice{name: fmt.Sprintf("d%d", i+1), ring: rollout.ByShare})
		}
		return true, err
	}
	return false, nil
}

func text(to encoding.TextUnmarshaler, value string) error { return to.UnmarshalText([]byte(value)) }

func number(to *int, value string) error {
	n, err := strconv.Atoi(value)
	*to = n
	return err
}

func (s *scene) option(key, value string) error {
	p := &s.policy
	switch key {
	case "leave":
		return number(&p.Need.Quorum, value)
	case "leave-bypass": // leave that one person may give in an emergency
		p.Need.Emergency = true
		return bypass(&p.Need.Bypass, value)
	case "attempts":
		return number(&p.Retry.Attempts, value)
	case "backoff":
		return text(&p.Retry.Backoff, value)
	case "max-backoff":
		return text(&p.Retry.MaxBackoff, value)
	case "busy-every":
		return text(&p.Retry.BusyEvery, value)
	case "busy-limit":
		return number(&p.Retry.BusyLimit, value)
	case "offline-every":
		return text(&p.Retry.OfflineEvery, value)
	case "offline-deadline":
		return text(&p.Retry.OfflineDeadline, value)
	case "grace":
		return text(&p.Retry.Grace, value)
	case "timeout":
		return text(&p.Retry.Timeout, value)
	case "drain-timeout":
		return text(&p.Drain.Timeout, value)
	case "reboot":
		return text(&p.Reboot.Mode, value)
	case "backup":
		return text(&p.Backup.Need, value)
	case "backup-age":
		return text(&p.Backup.MaxAge, value)
	case "reboot-timeout":
		return text(&p.Reboot.Timeout, value)
	case "on-fail":
		return text(&p.Rollback.On, value)
	case "undo-maxfailed":
		return p.Rollback.MaxFailed.UnmarshalText([]byte(value))
	case "undo-failures":
		return number(&p.Rollback.MaxFailures, value)
	case "undo-windows":
		p.Rollback.InWindows = value == "yes"
	case "undo-wait":
		return p.Rollback.Wait.UnmarshalText([]byte(value))
	case "irreversible":
		p.Rollback.Irreversible = value == "yes"
	case "jitter":
		return text(&p.StartJitter, value)
	case "maxactive":
		return number(&p.MaxActive, value)
	case "joiners":
		return text(&p.Joiners, value)
	case "hosts":
		p.HostLabel = value
	case "guests":
		return text(&p.Guests, value)
	case "strata":
		p.Strata = strings.Split(value, ",")
	case "remedy": // "corrupt 2"
		r := policy.Remedy{}
		fault, most, _ := strings.Cut(value, " ")
		err := text(&r.Fault, fault)
		if most != "" {
			err = errors.Join(err, number(&r.Max, most))
		}
		p.Retry.Remedies = append(p.Retry.Remedies, r)
		return err
	case "reboot-before":
		return text(&p.Reboot.Before, value)
	case "deferrals":
		return s.deferrals(value)
	case "feedback":
		return s.feedback(value)
	case "level": // "helpdesk 2 10% 4h"
		return s.level(value)
	case "metric":
		return s.metric(value)
	case "probe", "probes-before", "probes-failed", "probes-within", "probes-every":
		return s.probes(key, value)
	case "rate":
		return rate(&p.Rate, value)
	case "breaker": // of each patch
		return breaker(&p.Breaker, value)
	case "budget":
		return s.budget(value)
	case "priority":
		return number(&p.Priority, value)
	case "limit":
		return number(&s.limit, value)
	case "window":
		return windows(&p.Windows, value)
	case "download-window":
		return windows(&p.Download.Windows, value)
	case "quiet":
		return windows(&p.Reboot.Quiet, value)
	case "reboot-window":
		return windows(&p.Reboot.Windows, value)
	case "missed":
		return text(&p.Missed, value)
	case "freeze":
		f := policy.Freeze{Name: fmt.Sprintf("freeze %d", len(p.Freezes)+1), Zone: "UTC"}
		from, until, _ := strings.Cut(value, "/")
		p.Freezes = append(p.Freezes, f)
		last := &p.Freezes[len(p.Freezes)-1]
		return errors.Join(text(&last.From, from), text(&last.Until, until))
	default:
		return fmt.Errorf("unknown option %q", key)
	}
	return nil
}

// bypass reads "windows,freezes".
func bypass(to *policy.Bypass, value string) error {
	for what := range strings.SplitSeq(value, ",") {
		switch what {
		case "windows":
			to.Windows = true
		case "freezes":
			to.Freezes = true
		default:
			return fmt.Errorf("%q cannot be bypassed", what)
		}
	}
	return nil
}

// rate reads "20/1h".
func rate(to *policy.Rate, value string) error {
	n, every, _ := strings.Cut(value, "/")
	return errors.Join(number(&to.Count, n), text(&to.Every, every))
}

// breaker reads "3 of 5 in 2h for 30m", of which all but the first may be missing.
func breaker(to *policy.Breaker, value string) error {
	w := strings.Fields(value)
	if len(w)%2 == 0 {
		return fmt.Errorf("breaker %q: want failures, and pairs of words", value)
	}
	err := number(&to.Failures, w[0])
	for i := 1; i < len(w) && err == nil; i += 2 {
		switch w[i] {
		case "of":
			err = number(&to.Of, w[i+1])
		case "in":
			err = text(&to.Within, w[i+1])
		case "for":
			err = text(&to.Pause, w[i+1])
		default:
			err = fmt.Errorf("breaker %q: unknown %q", value, w[i])
		}
	}
	return err
}

// budget reads "oslo: site,role 2 10% 5/1h of role=db": a name, the labels that tell the domains apart or - for none, a count, a share,
// a rate, and the devices, of which the last four may be missing.
func (s *scene) budget(value string) error {
	name, rest, _ := strings.Cut(value, ": ")
	rest, of, _ := strings.Cut(rest, " of ")
	b := policy.Budget{Name: name}
	rest, trips, _ := strings.Cut(rest, " trips ")
	if trips != "" {
		if err := breaker(&b.Breaker, trips); err != nil {
			return err
		}
	}
	for i, word := range strings.Fields(rest) {
		var err error
		switch {
		case i == 0 && word != "-":
			b.Per = strings.Split(word, ",")
		case i == 0:
		case word == "drained":
			b.Drain = true
		case strings.Contains(word, "/"):
			err = rate(&b.Rate, word)
		case strings.HasSuffix(word, "%"):
			err = text(&b.Share, word)
		default:
			err = number(&b.Count, word)
		}
		if err != nil {
			return err
		}
	}
	if of != "" {
		if err := text(&b.Devices, of); err != nil {
			return err
		}
	}
	s.policy.Budgets = append(s.policy.Budgets, b)
	return nil
}

// windows reads "sat,sun 22:00-04:00 Europe/Oslo; daily 01:00-02:00".
func windows(to *[]policy.Window, value string) error {
	for w := range strings.SplitSeq(value, ";") {
		fields := strings.Fields(w)
		if len(fields) < 2 || len(fields) > 3 {
			return fmt.Errorf("window %q: want days, hours and perhaps a zone", w)
		}
		var window policy.Window
		if fields[0] != "daily" {
			if err := text(&window.Days, fields[0]); err != nil {
				return err
			}
		}
		from, end, _ := strings.Cut(fields[1], "-")
		if err := text(&window.Start, from); err != nil {
			return err
		}
		if err := text(&window.End, end); err != nil {
			return err
		}
		if len(fields) == 3 {
			window.Zone = fields[2]
		}
		*to = append(*to, window)
	}
	return nil
}

func (s *scene) ring(c *script.Command) error {
	if s.played {
		s.policy.Rings, s.devices, s.played = nil, nil, false
	}
	ring := policy.Ring{Rest: c.Flag("rest"), Approval: c.Flag("approval")}
	ring.Gate.Manual = c.Flag("manual")
	ring.Gate.Evidence.Pooled = c.Flag("pooled")
	ring.Need.ByRule, ring.Need.Emergency = c.Flag("byrule"), c.Flag("emergency")
	ring.Name = arg(c, 0)
	index := int16(len(s.policy.Rings))
	g := &ring.Gate
	err := c.Each(func(key, value string) error {
		switch key {
		case "devices":
			for name := range strings.SplitSeq(value, ",") {
				d, _ := s.find(name)
				d.ring = index
			}
		case "share":
			return text(&ring.Share, value)
		case "ramp":
			return number(&ring.Ramp, value)
		case "size":
			return number(&ring.Size, value)
		case "min":
			return number(&ring.MinDevices, value)
		case "shows":
			return text(&ring.Shows, value)
		case "maxactive":
			return number(&ring.MaxActive, value)
		case "quorum":
			return number(&ring.Need.Quorum, value)
		case "approvers":
			ring.Need.Approvers = strings.Split(value, ",")
		case "bypass":
			return bypass(&ring.Need.Bypass, value)
		case "valid":
			return text(&ring.Need.Valid, value)
		case "download-window":
			return windows(&ring.Download.Windows, value)
		case "window":
			return windows(&ring.Windows, value)
		case "denominator":
			return text(&g.Denominator, value)
		case "minsuccess":
			return text(&g.MinSuccess, value)
		case "maxfailed":
			return text(&g.MaxFailed, value)
		case "minsample":
			return number(&g.MinSample, value)
		case "coverage":
			return text(&g.MinCoverage, value)
		case "soak":
			return text(&g.Soak, value)
		case "timeout":
			return text(&g.Timeout, value)
		case "on-timeout":
			return text(&g.OnTimeout, value)
		case "tolerate":
			return text(&g.Evidence.Tolerate, value)
		case "below":
			return text(&g.Evidence.Below, value)
		case "confidence":
			return text(&g.Evidence.Confidence, value)
		case "within":
			return text(&g.Evidence.Within, value)
		case "control":
			return number(&g.Control.Devices, value)
		case "watched":
			return text(&g.Control.Within, value)
		case "least":
			return number(&g.Control.Least, value)
		case "sure":
			return text(&g.Control.Confidence, value)
		default:
			return fmt.Errorf("unknown option %q", key)
		}
		return nil
	})
	s.policy.Rings = append(s.policy.Rings, ring)
	return err
}

// find returns the device of that name, made if there is none, and whether it was there.
func (s *scene) find(name string) (*sceneDevice, bool) {
	for i := range s.devices {
		if s.devices[i].name == name {
			return &s.devices[i], true
		}
	}
	s.devices = append(s.devices, sceneDevice{name: name, ring: rollout.ByShare})
	return &s.devices[len(s.devices)-1], false
}

func (s *scene) device(c *script.Command) error {
	d, _ := s.find(arg(c, 0))
	return c.Each(func(key, value string) error {
		switch key {
		case "zone":
			d.zone = value
		case "patches":
			d.patches = strings.Split(value, ",")
		default:
			if d.labels == nil {
				d.labels = make(map[string]string)
			}
			d.labels[key] = value
		}
		return nil
	})
}

func (s *scene) patch(c *script.Command) error {
	p := rollout.Pinned{Reversal: patch.ReversalReinstall, Exploited: patch.No}
	if c.Flag("exploited") {
		p.Exploited = patch.Yes
	}
	p.ID = patch.ID(arg(c, 0))
	err := c.Each(func(key, value string) error {
		switch key {
		case "reversal":
			return text(&p.Reversal, value)
		case "reboot":
			return text(&p.Reboot, value)
		case "supersedes":
			for id := range strings.SplitSeq(value, ",") {
				p.Supersedes = append(p.Supersedes, patch.ID(id))
			}
			return nil
		case "package": // "curl 2", of dpkg
			name, v, _ := strings.Cut(value, " ")
			p.Packages = append(p.Packages, patch.Package{Ecosystem: "Debian:12", Name: name, Fixed: version.Version{Scheme: version.Deb, Text: v}})
			return nil
		}
		return fmt.Errorf("unknown option %q", key)
	})
	s.patches = append(s.patches, p)
	return err
}

// plan makes the plan of a rollout.
func (s *scene) plan(c *script.Command, now time.Time) (rollout.Plan, error) {
	s.played = true
	if len(s.patches) == 0 {
		s.patches = []rollout.Pinned{{ID: "p1", Reversal: patch.ReversalReinstall, Exploited: patch.No}}
	}
	in := rollout.PlanInput{Key: rollout.Key{Tenant: "acme", ID: rollout.ID(arg(c, 0))}, By: "olga", At: now, Zones: []string{"UTC"}}
	var names, patches []string
	err := c.Each(func(key, value string) error {
		switch key {
		case "by":
			in.By = value
		case "salt":
			in.Salt = value
		case "devices":
			names = strings.Split(value, ",")
		case "patches":
			patches = strings.Split(value, ",")
		default:
			return s.option(key, value)
		}
		return nil
	})
	if err != nil {
		return rollout.Plan{}, err
	}
	in.Policy = s.policy
	in.Policy.Rings = slices.Clone(s.policy.Rings)
	domains := rollout.NewDomains(in.Policy.Budgets)
	strata, hosts := rollout.NewStrata(&in.Policy), rollout.NewHosts(&in.Policy)
	for i := range s.devices {
		d := &s.devices[i]
		device := d.inventory(in.Tenant)
		place := domains.Add(&device)
		if names != nil && !slices.Contains(names, d.name) {
			continue
		}
		zone := cmp.Or(d.zone, "UTC")
		z := slices.Index(in.Zones, zone)
		if z < 0 {
			z = len(in.Zones)
			in.Zones = append(in.Zones, zone)
		}
		want := patches
		if d.patches != nil {
			want = d.patches
		}
		n, err := s.content(&in, want)
		if err != nil {
			return rollout.Plan{}, err
		}
		in.Targets = append(in.Targets, rollout.Target{Device: inventory.DeviceID(d.name), Content: n, Place: place, Ring: d.ring, Zone: uint16(z),
			Stratum: strata.Of(&device), Host: hosts.Of(&device)})
	}
	domains.Fill(&in)
	strata.Fill(&in)
	hosts.Fill(&in)
	return rollout.NewPlan(in)
}

// inventory returns the device as an inventory lists it.
func (d *sceneDevice) inventory(t inventory.Tenant) inventory.Device {
	return inventory.Device{Tenant: t, ID: inventory.DeviceID(d.name), Zone: d.zone, Labels: d.labels}
}

// joiner makes a device that has turned up.
func (s *scene) joiner(c *script.Command, p *rollout.Plan) (rollout.Joiner, error) {
	d := sceneDevice{name: arg(c, 0)}
	j := rollout.Joiner{Device: inventory.DeviceID(d.name), Tenant: p.Tenant, Zone: "UTC", Content: p.Contents[0], Claim: rollout.ByShare}
	err := c.Each(func(key, value string) error {
		switch key {
		case "zone":
			j.Zone = value
		case "tenant":
			j.Tenant = inventory.Tenant(value)
		case "ring":
			at := slices.IndexFunc(p.Policy.Rings, func(r policy.Ring) bool { return r.Name == value })
			if at < 0 {
				return fmt.Errorf("no ring %q", value)
			}
			j.Claim = int16(at)
		case "patches":
			var in rollout.PlanInput
			if _, err := s.content(&in, strings.Split(value, ",")); err != nil {
				return err
			}
			j.Content = in.Contents[0]
		default:
			if d.labels == nil {
				d.labels = make(map[string]string)
			}
			d.labels[key] = value
		}
		return nil
	})
	device := d.inventory(j.Tenant)
	j.Stratum, j.Host = p.Policy.Stratum(&device), p.Policy.Host(&device)
	for i := range p.Policy.Budgets {
		if values, ok := p.Policy.Budgets[i].Domain(&device); ok {
			j.Domains = append(j.Domains, rollout.Domain{Budget: i, Tenant: j.Tenant, Values: values})
		}
	}
	return j, err
}

// content returns the number of the content that holds these patches; none means all.
func (s *scene) content(in *rollout.PlanInput, names []string) (uint32, error) {
	var content rollout.Content
	for i := range s.patches {
		if names == nil || slices.Contains(names, string(s.patches[i].ID)) {
			content.Patches = append(content.Patches, s.patches[i])
		}
	}
	if names != nil && len(content.Patches) != len(names) {
		return 0, fmt.Errorf("no such patches: %s", strings.Join(names, ", "))
	}
	for i := range in.Contents {
		if slices.Equal(in.Contents[i].IDs(), content.IDs()) {
			return uint32(i), nil
		}
	}
	in.Contents = append(in.Contents, content)
	return uint32(len(in.Contents) - 1), nil
}

// level adds a level to the escalation.
func (s *scene) level(value string) error {
	w := strings.Fields(value)
	if len(w) != 4 {
		return errors.New("want a name, attempts, a share and a time")
	}
	l := policy.EscalationLevel{Name: w[0]}
	if w[3] != "0" {
		if err := text(&l.Waiting, w[3]); err != nil {
			return err
		}
	}
	s.policy.Escalation = append(s.policy.Escalation, l)
	last := &s.policy.Escalation[len(s.policy.Escalation)-1]
	if err := number(&last.Attempts, w[1]); err != nil || w[2] == "0" {
		return err
	}
	return text(&last.Failed, w[2])
}
