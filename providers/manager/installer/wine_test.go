//go:build unix

package installer_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/internal/need"
	"github.com/patchflow/patchflow/internal/replay"
	"github.com/patchflow/patchflow/internal/winetest"
	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/installer"
	"github.com/patchflow/patchflow/providers/transport"
	"github.com/patchflow/patchflow/rollout"
)

// A source of a package, whose newer versions replace older ones. An extra element may stand in it.
const wxs = `<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="*" Name="Acme %[1]s" UpgradeCode="%[2]s" Language="1033" Version="%[3]s" Manufacturer="Acme">
    <Package Id="*" Description="%[1]s" Manufacturer="Acme" InstallerVersion="200" Languages="1033" Compressed="yes" InstallScope="perMachine"/>
    <Media Id="1" Cabinet="a.cab" EmbedCab="yes"/>
    %[4]s
    <Directory Id="TARGETDIR" Name="SourceDir"><Directory Id="%[5]s"><Directory Id="INSTALLDIR" Name="%[1]s">
      <Component Id="Main" Guid="*"><File Id="F" Name="about.txt" Source="about.txt" KeyPath="yes"/></Component>
    </Directory></Directory></Directory>
    <Feature Id="All" Level="1"><ComponentRef Id="Main"/></Feature>
  </Product>
</Wix>
`

// The script of a setup program, which installs over what is there.
const nsi = `Target amd64-unicode
Name "Acme Torch"
OutFile "%[2]s"
InstallDir "C:\Torch"
RequestExecutionLevel admin
!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\AcmeTorch"
Section
  SetRegView 64
  SetOutPath "$INSTDIR"
  FileOpen $0 "$INSTDIR\about.txt" w
  FileWrite $0 "Torch %[1]s"
  FileClose $0
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKLM "${KEY}" "DisplayName" "Acme Torch %[1]s"
  WriteRegStr HKLM "${KEY}" "DisplayVersion" "%[1]s"
  %[3]s
SectionEnd
Section Uninstall
  SetRegView 64
  Delete "$INSTDIR\about.txt"
  DeleteRegKey HKLM "${KEY}"
SectionEnd
`

const upgrade = `<MajorUpgrade DowngradeErrorMessage="a newer one is installed"/>`

// A bed is a Windows of wine, and packages on it.
type bed struct {
	*winetest.Windows
	stage string
	to    transport.Transport
}

func (b *bed) pack(t *testing.T, name, arch, v, extra string) installer.Package {
	t.Helper()
	dir := t.TempDir()
	code, folder := "6a1d3c3e-3c5e-4f7b-9f0e-6d1f7a4b2c11", "ProgramFiles64Folder"
	if arch == "x86" {
		code, folder = "7b2e4d4f-4d6f-4a8c-8a1f-7e2a8b5c3d22", "ProgramFilesFolder"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "about.txt"), []byte(name+" "+v), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.wxs"), fmt.Appendf(nil, wxs, name, code, v, extra, folder), 0o600))
	file := fmt.Sprintf("%s-%s.msi", name, v)
	c := exec.CommandContext(t.Context(), need.Tool(t, "wixl"), "--arch", arch, "-o", filepath.Join(b.stage, file), "a.wxs")
	c.Dir = dir
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(filepath.Join(b.stage, file))
	require.NoError(t, err)
	return installer.Package{Version: v, File: `C:\stage here\` + file, SHA256: fmt.Sprintf("%x", sha256.Sum256(text))}
}

func (b *bed) setup(t *testing.T, v, extra string) installer.Package {
	t.Helper()
	name := "torch-" + v + ".exe"
	at := filepath.Join(b.stage, name)
	source := filepath.Join(t.TempDir(), "torch.nsi")
	require.NoError(t, os.WriteFile(source, fmt.Appendf(nil, nsi, v, at, extra), 0o600))
	out, err := exec.CommandContext(t.Context(), need.Tool(t, "makensis"), "-V2", source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(at)
	require.NoError(t, err)
	return installer.Package{Version: v, File: `C:\stage here\` + name, SHA256: fmt.Sprintf("%x", sha256.Sum256(text)), Args: []string{"/S"}}
}

func (b *bed) installed(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.Drive, path))
	if err != nil {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	return string(text)
}

func (b *bed) run(t *testing.T, argv ...string) int {
	t.Helper()
	r, err := b.to.Run(t.Context(), transport.Command{Argv: argv})
	require.NoError(t, err)
	return r.Code
}

func TestUnderWine(t *testing.T) {
	need.Tool(t, "wixl")
	need.Tool(t, "makensis")
	b := &bed{Windows: winetest.Open(t)}
	b.stage, b.to = filepath.Join(b.Drive, "stage here"), b.Transport()
	require.NoError(t, os.Mkdir(b.stage, 0o700))
	blocked := b.pack(t, "Lamp", "x64", "1.2.0", upgrade+`<Condition Message="never">NEVER</Condition>`)
	beside := b.pack(t, "Lamp", "x64", "1.3.0", "")
	c := installer.Config{Logs: `C:\stage here`, Products: []installer.Product{
		{Name: "Acme.Lamp", Arch: "x64", Title: "Acme Lamp", Packages: []installer.Package{
			b.pack(t, "Lamp", "x64", "1.0.0", upgrade), b.pack(t, "Lamp", "x64", "1.1.0", upgrade), blocked, beside,
		}},
		{Name: "Acme.Oil", Arch: "x86", Title: "Acme Oil", Packages: []installer.Package{b.pack(t, "Oil", "x86", "2.0.0", upgrade), b.pack(t, "Oil", "x86", "2.1.0", upgrade)}},
		{Name: "Acme.Torch", Arch: "x64", NSIS: &installer.NSIS{Key: "acmetorch", Remove: []string{`C:\Torch\uninstall.exe`, "/S"}},
			Packages: []installer.Package{b.setup(t, "1.0", ""), b.setup(t, "1.1", "SetErrorLevel 3010"), b.setup(t, "1.2", `WriteRegStr HKLM "${KEY}" "DisplayVersion" "1.1"
  SetErrorLevel 2`)}},
	}}
	ledger := t.TempDir()
	c.Lock, c.Poll = time.Minute, 100*time.Millisecond
	c.Reach = func(context.Context, inventory.Tenant, inventory.DeviceID) (manager.Device, error) {
		return manager.Device{To: b.to, User: true, Ledger: ledger}, nil
	}
	f, err := installer.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close(context.WithoutCancel(t.Context()))) })
	require.Zero(t, b.run(t, "reg.exe", "add", `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters`, "/v", "BootId", "/t", "REG_DWORD", "/d", "7", "/f"))

	versions := func() []string {
		s, err := f.Scan(t.Context(), inventory.Device{Tenant: replay.Tenant, ID: replay.Device})
		require.NoError(t, err)
		require.Equal(t, inventory.Complete, s.Coverage[0].Status)
		require.Equal(t, "7", s.BootID)
		all := []string{}
		for _, p := range s.Software {
			all = append(all, p.Name+" "+p.Arch+" "+p.Version.Text)
		}
		return all
	}
	n := 0
	do := func(what func(context.Context, rollout.Task) (rollout.Report, error), op rollout.Op, k patch.Package) rollout.Report {
		n++
		r, err := what(t.Context(), replay.Task(n, op, k))
		require.NoError(t, err)
		return r
	}
	oil := lamp("2.1.0")
	oil.Name = "Acme.Oil"
	require.Empty(t, versions())
	require.Equal(t, patch.NotApplicable, do(f.Deploy, rollout.OpInstall, lamp("1.1.0")).Fault, "it is not there")
	for _, file := range []string{"Lamp-1.0.0.msi", "Oil-2.0.0.msi"} {
		require.Zero(t, b.run(t, "msiexec.exe", "/i", `C:\stage here\`+file, "/qn"))
	}
	require.Equal(t, []string{"Acme.Lamp x64 1.0.0", "Acme.Oil x86 2.0.0"}, versions())

	t.Run("upgraded", func(t *testing.T) {
		r := do(f.Verify, rollout.OpVerify, lamp("1.1.0"))
		require.Equal(t, rollout.PhaseFailed, r.Phase)
		for _, k := range []patch.Package{lamp("1.1.0"), oil} {
			r = do(f.Deploy, rollout.OpInstall, k)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
			r = do(f.Verify, rollout.OpVerify, k)
			require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		}
		require.Equal(t, []string{"Acme.Lamp x64 1.1.0", "Acme.Oil x86 2.1.0"}, versions())
		require.Equal(t, "Lamp 1.1.0", b.installed(t, "Program Files/Lamp/about.txt"))
		require.FileExists(t, filepath.Join(b.stage, "Acme.Lamp-1.1.0-install.log"))
		require.Equal(t, patch.AlreadyInstalled, do(f.Deploy, rollout.OpInstall, lamp("1.1.0")).Fault)
	})
	t.Run("one that Windows Installer refuses", func(t *testing.T) {
		r := do(f.Deploy, rollout.OpInstall, lamp("1.2.0"))
		require.Equal(t, rollout.PhaseFailed, r.Phase)
		require.Contains(t, r.Message, "exit code 1603")
		require.Equal(t, "Lamp 1.1.0", b.installed(t, "Program Files/Lamp/about.txt"))
	})
	t.Run("one that leaves the old version behind is taken back", func(t *testing.T) {
		r := do(f.Deploy, rollout.OpInstall, lamp("1.3.0"))
		require.Equal(t, rollout.PhaseFailed, r.Phase)
		require.Contains(t, r.Message, "what was there before was put back")
		require.Equal(t, []string{"Acme.Lamp x64 1.1.0", "Acme.Oil x86 2.1.0"}, versions())
	})
	t.Run("rolled back", func(t *testing.T) {
		r := do(f.Rollback, rollout.OpRollback, lamp("1.1.0"))
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		require.Equal(t, []string{"Acme.Lamp x64 1.0.0", "Acme.Oil x86 2.1.0"}, versions())
		require.Equal(t, "Lamp 1.0.0", b.installed(t, "Program Files/Lamp/about.txt"))
		task := replay.Task(99, rollout.OpVerify, lamp("1.1.0"))
		task.Absent = true
		r, err := f.Verify(t.Context(), task)
		require.NoError(t, err)
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
	})
	t.Run("a file that was changed is not run", func(t *testing.T) {
		at := filepath.Join(b.stage, "Lamp-1.1.0.msi")
		text, err := os.ReadFile(at)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(at, append(text, 0), 0o600))
		r := do(f.Deploy, rollout.OpInstall, lamp("1.1.0"))
		require.Equal(t, patch.Untrusted, r.Fault, r.Message)
		require.NoError(t, os.Remove(at))
		r = do(f.Deploy, rollout.OpInstall, lamp("1.1.0"))
		require.Equal(t, patch.Permanent, r.Fault, r.Message)
		require.Equal(t, []string{"Acme.Lamp x64 1.0.0", "Acme.Oil x86 2.1.0"}, versions())
	})
	t.Run("a setup of NSIS", func(t *testing.T) {
		require.Zero(t, b.run(t, `C:\stage here\torch-1.0.exe`, "/S"))
		r := do(f.Deploy, rollout.OpInstall, torch("1.1"))
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		require.Equal(t, patch.Yes, r.Reboot, "it has said so")
		require.Equal(t, "Torch 1.1", b.installed(t, "Torch/about.txt"))
		r = do(f.Deploy, rollout.OpInstall, torch("1.2"))
		require.Equal(t, rollout.PhaseFailed, r.Phase)
		require.Contains(t, r.Message, "exit code 2: its script has given up")
		r = do(f.Rollback, rollout.OpRollback, torch("1.1"))
		require.Equal(t, rollout.PhaseSucceeded, r.Phase, r.Message)
		require.Equal(t, "Torch 1.0", b.installed(t, "Torch/about.txt"))
		require.Contains(t, versions(), "Acme.Torch x64 1.0")
	})
	t.Run("codes", func(t *testing.T) {
		require.Equal(t, 1605, b.run(t, "msiexec.exe", "/x", "{00000000-0000-0000-0000-000000000001}", "/qn"))
	})
}
