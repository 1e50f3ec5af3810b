package sshfleet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// ailing are devices on which an upgrade fails, by their numbers, with what is done to them and the class that this is of. Where there is
// none the rollout leaves the device out when it plans: what its owner holds is not offered.
func ailing() map[int]struct {
	harm string
	want patch.Fault
} {
	return map[int]struct {
		harm string
		want patch.Fault
	}{
		3:  {"touch /etc/wants-failure", patch.Permanent},
		7:  {"apt-mark hold ledger vault", patch.NoFault},
		11: {"mount -t tmpfs -o size=64k tmpfs /var/cache/apt/archives && mkdir /var/cache/apt/archives/partial", patch.DiskFull},
	}
}

// playbook does with a package what a rollout does: it fetches the indices, upgrades, and looks at what is there.
const playbook = `- hosts: all
  gather_facts: false
  tasks:
  - name: indices
    apt: {update_cache: true}
  - name: upgrade
    apt: {name: "ledger=1.1", only_upgrade: true}
  - name: look
    command: dpkg-query -W -f ${Version} ledger
    register: seen
    failed_when: seen.stdout != "1.1"
`

// The same upgrade on the same devices, once by Ansible, and once by a rollout with its journal. Both work on as many devices at once, and
// Ansible has what makes it fast (connections that last, no files for its modules). Times are printed and not compared: they are of this
// machine and this hour.
func TestBesideAnsible(t *testing.T) {
	if os.Getenv("PATCHFLOW_LONG") == "" {
		t.Skip("takes a minute: PATCHFLOW_LONG=1")
	}
	ansible := need.Tool(t, "ansible-playbook")
	const n = 50
	s := newSite(t, n)
	s.publishWith(t, `if [ -e /etc/wants-failure ]; then echo "it cannot migrate" >&2; exit 3; fi`)
	o := s.orders(t, 0, 1)
	o.Policy.Windows = nil
	o.Policy.Rings = []policy.Ring{{Name: "all", Rest: true, Gate: policy.Gate{MaxFailed: 2000}}}
	o.Policy.Rules[0].Match = policy.Match{IDs: []patch.ID{"debian:stable/vault=1.1"}} // the other one is for Ansible
	o.Policy.Retry.Attempts = 1
	c, err := newController(o)
	require.NoError(t, err)
	for i, a := range ailing() {
		r, err := c.ssh[o.Names[i]].Run(t.Context(), transport.Command{Argv: []string{"sh", "-c", a.harm}})
		require.NoError(t, err)
		require.True(t, r.OK(), "%s", r.Stderr)
	}

	began := time.Now()
	said := s.play(t, ansible)
	t.Logf("Ansible: %s for indices, upgrade and look", since(began))
	recap := regexp.MustCompile(`(?m)^(\S+) +: ok=(\d+) .* unreachable=(\d+) +failed=(\d+)`).FindAllStringSubmatch(said, -1)
	require.Len(t, recap, n, "%s", said)
	for _, m := range recap {
		i := number(o, inventory.DeviceID(m[1]))
		_, ill := ailing()[i]
		require.Equal(t, ill, m[4] != "0", "%s\n%s", m[0], said)
	}
	for _, fatal := range regexp.MustCompile(`(?m)^fatal: .*$`).FindAllString(said, -1) {
		t.Logf("Ansible says: %.200s", fatal)
	}

	began = time.Now()
	at := began
	require.True(t, live(t, o, func(what string, _ func()) {
		switch what {
		case "refreshed", "planned", "finished":
			t.Logf("rollout: %s until it is %s", since(at), what)
			at = time.Now()
		}
	}))
	t.Logf("rollout: %s for indices, a scan of every device, the plan, upgrade, look, and the journal of it", since(began))
	told := timeline(t, o.Dir)
	require.Equal(t, rollout.StageDone, told.Machine().Stage())
	left := make(map[int]bool)
	for i := range o.Names {
		left[i] = true
	}
	for d, id := range told.Plan().Devices {
		i := number(o, id)
		delete(left, i)
		state := told.Machine().Device(d)
		r, err := c.ssh[id].Run(t.Context(), query())
		require.NoError(t, err)
		has := string(r.Stdout)
		a, ill := ailing()[i]
		if !ill {
			require.Equal(t, rollout.Succeeded, state.Outcome, "%s", id)
			require.Equal(t, "ledger 1.1 ii \nvault 1.1 ii \n", has)
			continue
		}
		require.Equal(t, a.want, state.Fault, "%s: %v", id, told.Tries(d))
		require.NotEqual(t, rollout.Succeeded, state.Outcome)
		require.Contains(t, has, "vault 1.0 ", "%s is as it was", id)
		for _, x := range told.Tries(d) {
			if x.Phase == rollout.PhaseFailed {
				t.Logf("rollout says of %s: %s: %.150s", id, x.Fault, x.Message)
			}
		}
	}
	require.Equal(t, map[int]bool{7: true}, left)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Millisecond) }

func number(o orders, id inventory.DeviceID) int {
	for i := range o.Names {
		if o.Names[i] == id {
			return i
		}
	}
	return -1
}

// play has Ansible do it, and returns what it says.
func (s *site) play(t *testing.T, ansible string) string {
	t.Helper()
	dir := t.TempDir()
	hosts := ""
	for _, d := range s.Devices {
		host, _, _ := strings.Cut(d.Addr, ":")
		hosts += fmt.Sprintf("%s ansible_host=%s\n", d.Name, host)
	}
	for name, text := range map[string]string{"hosts": hosts, "play.yml": playbook,
		"ansible.cfg": fmt.Sprintf(`[defaults]
forks = 16
remote_user = root
private_key_file = %s
interpreter_python = /usr/bin/python3
nocows = true
[ssh_connection]
pipelining = true
ssh_args = -F none -o UserKnownHostsFile=%s -o StrictHostKeyChecking=yes -o ControlMaster=auto -o ControlPersist=60s
control_path_dir = %s/cp
`, s.Key, s.KnownHosts, dir)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	c := exec.CommandContext(t.Context(), ansible, "-i", "hosts", "play.yml")
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "ANSIBLE_CONFIG=" + filepath.Join(dir, "ansible.cfg")}
	out, _ := c.CombinedOutput() // its exit code says that some have failed
	return string(out)
}
