package installer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/patch/version"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/installer"
	"github.com/patchflow/patchflow/providers/manager/internal/windows"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

func lamp(v string) patch.Package {
	return patch.Package{Ecosystem: installer.Manager, Name: "Acme.Lamp", Fixed: version.Version{Scheme: version.WinGet, Text: v}}
}

func catalogue() installer.Config {
	one := func(v, sum string) installer.Package {
		return installer.Package{Version: v, File: `C:\stage\lamp-` + v + `.msi`, SHA256: strings.Repeat(sum, 32), Args: []string{"DESKTOPICON=0"}}
	}
	return installer.Config{Logs: `C:\logs`, Products: []installer.Product{
		{Name: "Acme.Lamp", Arch: "x64", Title: "acme lamp {version}", Packages: []installer.Package{one("1.6.0", "16"), one("1.7.1", "17")}},
	}}
}

// torches are a product of NSIS.
func torches() installer.Config {
	one := func(v, sum string) installer.Package {
		return installer.Package{Version: v, File: `C:\stage\torch-` + v + `.exe`, SHA256: strings.Repeat(sum, 32), Args: []string{"/S"}}
	}
	return installer.Config{Products: []installer.Product{{Name: "Acme.Torch", Arch: "x64", NSIS: &installer.NSIS{Key: "AcmeTorch", Remove: []string{`C:\Torch\uninstall.exe`, "/S"}},
		Packages: []installer.Package{one("1.6.0", "16"), one("1.7.1", "17")}}}}
}

func torch(v string) patch.Package {
	k := lamp(v)
	k.Name = "Acme.Torch"
	return k
}

func kit() replay.Kit[*manager.Fleet] {
	return replay.Kit[*manager.Fleet]{
		File: "testdata/device.txt", Package: lamp("1.7.1"), From: "1.6.0", There: []string{"new"},
		New: func(c manager.Config) (*manager.Fleet, error) {
			all := catalogue()
			all.Config = c
			return installer.New(all)
		},
		Change:  func(c *manager.Config, p *replay.Player) { p.Windows(c, windows.Script) },
		Install: []string{"msiexec.exe", "/i", `C:\stage\lamp-1.7.1.msi`},
		Fails:   "fails", Fault: patch.Permanent,
	}
}

func TestConformance(t *testing.T) { kit().Conformance(t) }

func TestWhatIsRefused(t *testing.T) {
	p := replay.Open(t, "testdata/other.txt")
	f := kit().Open(t, p)
	wrongSum := lamp("1.7.1")
	wrongSum.Artefacts = []patch.Artefact{{Digest: patch.Digest("sha256:" + strings.Repeat("18", 32))}}
	for n, row := range []struct {
		state string
		k     patch.Package
		want  patch.Fault
		says  string
	}{
		{"tampered", lamp("1.7.1"), patch.Untrusted, "has the SHA-256 1818"},
		{"nofile", lamp("1.7.1"), patch.Permanent, "Das System kann die angegebene Datei nicht finden"},
		{"nocertutil", lamp("1.7.1"), patch.Permanent, "cannot be told"},
		{"twosums", lamp("1.7.1"), patch.Permanent, "cannot be told"},
		{"oldfile", lamp("1.7.1"), patch.Busy, "another installation is in progress"},
		{"back", wrongSum, patch.Untrusted, "wanted is 1818"},
		{"back", lamp("1.8.0"), patch.Permanent, "the catalogue has no Acme.Lamp 1.8.0"},
		{"busy", lamp("1.7.1"), patch.Busy, "installer is at work"},
		{"empty", lamp("1.7.1"), patch.NotApplicable, ""},
		{"foreign", lamp("1.7.1"), patch.NotApplicable, ""},
		{"odd", lamp("1.7.1"), patch.Corrupt, "not known"},
		{"garbage", lamp("1.7.1"), patch.Corrupt, "no answer"},
		{"denied", lamp("1.7.1"), patch.Permanent, "may not be read"},
		{"back", lamp("1;7"), patch.Permanent, "no version"},
		{"leaves", lamp("1.7.1"), patch.Transient, "what was there before was put back"},
	} {
		replay.Refused(t, p, f, n, row.state, row.k, row.want, row.says)
	}
	require.Equal(t, "back", p.State())
}

// That a restart is due is what msiexec has said, where the registry has no sign of it.
func TestRollback(t *testing.T) {
	p := replay.Open(t, "testdata/device.txt")
	f := kit().Open(t, p)
	r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, lamp("1.7.1")))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.Equal(t, patch.Yes, r.Reboot)
	r, err = f.Rollback(t.Context(), replay.Task(2, rollout.OpRollback, lamp("1.7.1")))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	require.Equal(t, patch.No, r.Reboot)
	require.Equal(t, "old", p.State())
}

// Nothing is removed before the file that takes its place was looked at. What is removed and does not come back is told.
func TestRollbackThatFails(t *testing.T) {
	p := replay.Open(t, "testdata/other.txt")
	f := kit().Open(t, p)
	p.Become("oldfile") // it is written down what would have been replaced
	_, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, lamp("1.7.1")))
	require.NoError(t, err)
	p.Become("kept")
	r, err := f.Rollback(t.Context(), replay.Task(2, rollout.OpRollback, lamp("1.7.1")))
	require.NoError(t, err)
	require.Equal(t, patch.Permanent, r.Fault, r.Message)
	require.Zero(t, p.Count("msiexec.exe", "/x"))
	p.Become("newer")
	r, err = f.Rollback(t.Context(), replay.Task(3, rollout.OpRollback, lamp("1.7.1")))
	require.NoError(t, err)
	require.Equal(t, rollout.PhaseFailed, r.Phase, r.Message)
	require.Contains(t, r.Message, "exit code 1603")
	require.Equal(t, "lost", p.State())
}

// A setup of NSIS is played; what is left of one version is removed before an older one is installed, where the catalogue says how.
func TestNSIS(t *testing.T) {
	for _, removes := range []bool{true, false} {
		p := replay.Open(t, "testdata/nsis.txt")
		k := kit()
		k.New = func(c manager.Config) (*manager.Fleet, error) {
			all := torches()
			all.Config = c
			if !removes {
				all.Products[0].NSIS.Remove = nil
			}
			return installer.New(all)
		}
		f := k.Open(t, p)
		for n, row := range []struct {
			state string
			want  patch.Fault
			says  string
		}{
			{"cancelled", patch.NeedsUser, "a user has cancelled it"},
			{"gives up", patch.Transient, "its script has given up"},
			{"msi", patch.NotApplicable, ""},
			{"full", patch.DiskFull, "the disk is full"},
		} {
			p.Become(row.state)
			r, err := f.Deploy(t.Context(), replay.Task(10+n, rollout.OpInstall, torch("1.7.1")))
			require.NoError(t, err)
			require.Equal(t, row.want, r.Fault, r.Message)
			require.Contains(t, r.Message, row.says)
		}
		p.Become("old")
		r, err := f.Deploy(t.Context(), replay.Task(1, rollout.OpInstall, torch("1.7.1")))
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		require.Equal(t, patch.Yes, r.Reboot)
		if removes {
			p.Become("stays") // the uninstaller has ended well
			r, err = f.Rollback(t.Context(), replay.Task(2, rollout.OpRollback, torch("1.7.1")))
			require.NoError(t, err)
			require.Equal(t, patch.Busy, r.Fault, r.Message)
			require.Contains(t, r.Message, "is still registered")
			p.Become("new")
		}
		r, err = f.Rollback(t.Context(), replay.Task(3, rollout.OpRollback, torch("1.7.1")))
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		require.Equal(t, "old", p.State())
		require.Equal(t, removes, p.Count(`C:\Torch\uninstall.exe`) > 0)
	}
}

func TestScan(t *testing.T) {
	p := replay.Open(t, "testdata/other.txt")
	f := kit().Open(t, p)
	scan := func(state string) inventory.Scan {
		p.Become(state)
		s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
		require.NoError(t, err)
		return s
	}
	s := scan("both")
	require.Len(t, s.Software, 2)
	require.Equal(t, inventory.Complete, s.Coverage[0].Status)
	require.Equal(t, "x64", s.Software[0].Arch)
	s = scan("odd")
	require.Empty(t, s.Software)
	require.Equal(t, inventory.Partial, s.Coverage[0].Status)
	require.Empty(t, scan("foreign").Software, "Windows Installer has not marked it as its own")
}

func TestCatalogue(t *testing.T) {
	for want, change := range map[string]func(c *installer.Config){
		"Products: ":                          func(c *installer.Config) { c.Products = nil },
		"Logs: ":                              func(c *installer.Config) { c.Logs = `logs` },
		"Products[0].Name: ":                  func(c *installer.Config) { c.Products[0].Name = "--all" },
		"Products[0].Arch: ":                  func(c *installer.Config) { c.Products[0].Arch = "" },
		"Products[0].Title: ":                 func(c *installer.Config) { c.Products[0].Title = "{version}" },
		"Products[0].Packages: ":              func(c *installer.Config) { c.Products[0].Packages = nil },
		"Products[1].Name: ":                  func(c *installer.Config) { c.Products = append(c.Products, c.Products[0]) },
		"Products[0].Packages[0].Version: ":   func(c *installer.Config) { c.Products[0].Packages[0].Version = "1 0" },
		"Products[0].Packages[1].Version: ":   func(c *installer.Config) { c.Products[0].Packages[1].Version = "1.6.0" },
		"Products[0].Packages[1].SHA256: ":    func(c *installer.Config) { c.Products[0].Packages[1].SHA256 = "17" },
		"Products[0].Packages[1].Args[0]: ":   func(c *installer.Config) { c.Products[0].Packages[1].Args = []string{"/i"} },
		"Products[0].Packages[1].File: \"\" ": func(c *installer.Config) { c.Products[0].Packages[1].File = "" },
		"Products[1].Title: \"Acme Lamp {ver": func(c *installer.Config) {
			p := c.Products[0]
			p.Name, p.Title = "Acme.Other", "Acme Lamp {version}"
			c.Products = append(c.Products, p)
		},
	} {
		c := catalogue()
		change(&c)
		_, err := installer.New(c)
		require.ErrorIs(t, err, patch.ErrPermanent, want)
		require.ErrorContains(t, err, "installer: config: "+want)
	}
	for _, file := range []string{"lamp.msi", `stage\lamp.msi`, `C:lamp.msi`, `C:\..\lamp.msi`, `C:\lamp.exe`, `C:\lamp".msi`, `C:\%TEMP%\lamp.msi`, `C:\a:b.msi`, `\\\lamp.msi`,
		`https://example.com/lamp.msi`, `C:\lämp.msi`, `C:\stage\\lamp.msi`, "C:\\lamp\n.msi"} {
		c := catalogue()
		c.Products[0].Packages[0].File = file
		_, err := installer.New(c)
		require.ErrorContains(t, err, "File", file)
	}
	for _, arg := range []string{"", "A", "=1", "a=1", "TRANSFORMS=C:\\x.mst", "PATCH=C:\\x.msp", "REMOVE=ALL", "REBOOT=Force", "A=b c", `A="b"`, "/x", "A=\n", "9A=1", "A=ä"} {
		c := catalogue()
		c.Products[0].Packages[0].Args = []string{arg}
		_, err := installer.New(c)
		require.ErrorContains(t, err, "Args[0]", arg)
	}
	for want, change := range map[string]func(p *installer.Product){
		"Title: ":              func(p *installer.Product) { p.Title = "Acme Torch" },
		"NSIS.Key: ":           func(p *installer.Product) { p.NSIS.Key = `a\b` },
		"NSIS.Remove: ":        func(p *installer.Product) { p.NSIS.Remove = []string{`C:\Torch\uninstall.exe`} },
		"NSIS.Remove: [\"un":   func(p *installer.Product) { p.NSIS.Remove = []string{"uninstall.exe", "/S"} },
		"NSIS.Remove: \"a b":   func(p *installer.Product) { p.NSIS.Remove = append(p.NSIS.Remove, "a b") },
		"Packages[0].File: ":   func(p *installer.Product) { p.Packages[0].File = `C:\torch.msi` },
		"Packages[0].Args: ":   func(p *installer.Product) { p.Packages[0].Args = nil },
		"Packages[0].Args: \"": func(p *installer.Product) { p.Packages[0].Args = []string{"/S", `/D="C:\x"`} },
	} {
		c := torches()
		change(&c.Products[0])
		_, err := installer.New(c)
		require.ErrorIs(t, err, patch.ErrPermanent, want)
		require.ErrorContains(t, err, "installer: config: Products[0]."+want)
	}
	c := torches()
	c.Products = append(c.Products, torches().Products...)
	c.Products[1].Name, c.Products[1].NSIS.Key = "Acme.Other", "acmetorch"
	_, err := installer.New(c)
	require.ErrorContains(t, err, "Products[1].NSIS.Key: ")
	_, err = installer.New(torches())
	require.ErrorContains(t, err, "Reach is nil")
}

func TestFaults(t *testing.T) {
	replay.Classes(t, "testdata/faults.txt", 26, installer.Classify)
	require.Equal(t, patch.Transient, patch.FaultOf(installer.Classify(transport.Result{})), "no end seen")
}

func ExampleClassify() {
	for _, code := range []int{1618, 1638, 3010} {
		fmt.Println(installer.Classify(transport.Result{Ended: true, Code: code}))
	}
	// Output:
	// exit code 1618: another installation is in progress: busy
	// exit code 1638: another version of the product is installed: permanent failure
	// <nil>
}
