package manager

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/rollout"
)

// Probe implements [rollout.Prober]. An application is looked up by its name in the database of the package manager, and a service by the
// name of its unit where the device runs systemd: "nginx" is nginx.service. A unit that is starting, or that systemd does not know, is not
// up. On devices with Windows it is looked up by its key, "Spooler", with sc.exe; one that is starting or paused is not up.
// The registry is that of such devices, read by reg.exe; others have none. Of custom checks nothing is known here: a vendor that has some
// answers them in a deployer around this one.
func (f *Forward) Probe(ctx context.Context, t rollout.Task) (rollout.Report, error) {
	return f.begin(ctx, t, desk.Begun{Op: t.Op}, func(ctx context.Context, w *work, cancelled <-chan struct{}) rollout.Report {
		var r rollout.Report
		look := func(ctx context.Context) (err error) { r, err = w.probe(ctx, t.Probes); return err }
		if ended := prepared(ctx, cancelled, look); ended != nil {
			return *ended
		}
		return r
	})
}

func (w *work) probe(ctx context.Context, probes []policy.Probe) (rollout.Report, error) {
	r := rollout.Report{Phase: rollout.PhaseSucceeded}
	var sight *Sight
	for i := range probes {
		p := &probes[i]
		result := rollout.ProbeResult{Name: p.Name, Message: fmt.Sprintf("%s knows no check %s", w.name, p.Of)}
		var err error
		switch p.Check {
		case policy.ProbeVersion:
			if sight == nil {
				sight, err = w.Look(ctx)
			}
			if err == nil {
				result = installed(*p, sight)
				r.BootID = sight.Scan.BootID
			}
		case policy.ProbeService:
			result, err = w.service(ctx, p)
		case policy.ProbeRegistry:
			result, err = w.registry(ctx, p)
		}
		if err != nil {
			return rollout.Report{}, fmt.Errorf("%s: probe %s: %w", w.name, p.Name, err)
		}
		r.Probes = append(r.Probes, result)
	}
	return r, nil
}

// installed says what a look shows of a version. A database that cannot be read proves nothing.
func installed(p policy.Probe, s *Sight) rollout.ProbeResult {
	if s.Scan.Software == nil {
		return rollout.ProbeResult{Name: p.Name, Message: fmt.Sprintf("what is installed is not known: %v", s.Wrong)}
	}
	return rollout.CheckVersion(p, s.Scan.Software)
}

// A device whose files lie in a folder has no services of its own.
const serviceScript = `[ -z "$1" ] && [ -d /run/systemd/system ] || exit 0
systemctl show --property=LoadState --property=ActiveState -- "$2"`

func (w *work) service(ctx context.Context, p *policy.Probe) (rollout.ProbeResult, error) {
	r := rollout.ProbeResult{Name: p.Name}
	if s, ok := w.Tool.(Servicer); ok {
		var err error
		r.Up, r.Message, err = s.Service(ctx, p.Of)
		return r, err
	}
	if !unitName(p.Of) {
		r.Message = fmt.Sprintf("%.100q is no name of a unit", p.Of)
		return r, nil
	}
	res, err := w.m.Script(ctx, serviceScript, nil, w.m.Root(), p.Of)
	if err == nil && res.Ended && res.Code == 127 {
		r.Message = "the device has no shell or no systemctl"
		return r, nil
	}
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil {
		return r, err
	}
	is := make(map[string]string)
	for line := range bytes.Lines(res.Stdout) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), "=")
		is[key] = value
	}
	switch {
	case is["ActiveState"] == "":
		r.Message = "the device does not run systemd"
	case is["LoadState"] == "not-found":
		r.Up, r.Message = patch.No, "there is no unit "+p.Of
	default:
		r.Up = patch.TriOf(is["ActiveState"] == "active")
		r.Message = p.Of + " is " + is["ActiveState"]
	}
	return r, nil
}

func (w *work) registry(ctx context.Context, p *policy.Probe) (rollout.ProbeResult, error) {
	r := rollout.ProbeResult{Name: p.Name, Message: w.name + " knows of no registry"}
	tool, ok := w.Tool.(Registrar)
	if !ok {
		return r, nil
	}
	c, err := p.Registry()
	if err != nil {
		r.Message = err.Error()
		return r, nil
	}
	r.Up, r.Message, err = tool.Registry(ctx, c)
	return r, err
}

// unitName passes the names of units, and no patterns or options (systemd.unit(5)).
func unitName(name string) bool {
	const others = ":-_.\\@"
	if name == "" || len(name) > 255 || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.Contains(others, string(c)) {
			return false
		}
	}
	return true
}
