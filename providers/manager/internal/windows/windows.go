// Package windows asks a Windows device what its package managers do not tell: its boot, and whether a restart is due.
package windows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// Script tells, as an object of JSON, which boot it is, whether one of the signs of a due restart is in the registry, and whether Windows
// Installer is at work. BootId counts boots; where it is not kept the time of the boot stands for it. The signs are those of servicing, of
// Windows Update, of files that are replaced at the next boot, and of another name of the computer. Installer holds the mutex
// _MSIExecute while it installs.
const Script = `$ErrorActionPreference='Stop'
$p='HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager'
$boot=(Get-ItemProperty -Path "$p\Memory Management\PrefetchParameters" -Name BootId -ErrorAction SilentlyContinue).BootId
if($null -eq $boot){$boot=(Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('yyyyMMddHHmm')}
$due=(Test-Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending') -or (Test-Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired') -or ($null -ne (Get-ItemProperty -Path $p -Name PendingFileRenameOperations -ErrorAction SilentlyContinue))
$n='HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName'
$due=$due -or ((Get-ItemProperty "$n\ActiveComputerName").ComputerName -ne (Get-ItemProperty "$n\ComputerName").ComputerName)
$m=$null
$msi=[System.Threading.Mutex]::TryOpenExisting('Global\_MSIExecute',[ref]$m)
if($m){$m.Dispose()}
ConvertTo-Json -Compress @{boot="$boot";restart=$due;installing=$msi}`

// A System says how a device stands.
type System struct {
	Boot       string `json:"boot"`       // "" if it is not known
	Restart    *bool  `json:"restart"`    // nil if it is not known
	Installing *bool  `json:"installing"` // nil if it is not known
}

// Argv returns the command that runs a constant script of PowerShell.
func Argv(script string) []string {
	return []string{"powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", script}
}

// noProgram is the exit code of a program that is not there, see [transport.Transport].
const noProgram = 127

// Restart is the command that restarts a device.
func Restart() []string { return []string{"shutdown.exe", "/r", "/t", "0"} }

// Look asks the device: by Script, and where there is no PowerShell by the registry, of which less may be known.
func Look(ctx context.Context, m *manager.Access) (System, error) {
	return look(ctx, m, (*Registry).State)
}

// look does it, without PowerShell as the registry is given.
func look(ctx context.Context, m *manager.Access, without func(*Registry, context.Context) (System, error)) (System, error) {
	res, err := m.Run(ctx, transport.Command{Argv: Argv(Script)})
	if err == nil && res.Ended && res.Code == noProgram {
		return without(OpenRegistry(m.Run), ctx)
	}
	if err == nil {
		err = desk.Failed(res)
	}
	if err != nil {
		return System{}, fmt.Errorf("powershell: %w", err)
	}
	var s System
	if err := json.Unmarshal(res.Stdout, &s); err != nil || s.Boot == "" || s.Restart == nil || s.Installing == nil {
		return System{}, fmt.Errorf("powershell: %.200q is no answer: %w", res.Stdout, patch.ErrCorrupt)
	}
	return s, nil
}

// Due says whether a restart is due.
func (s *System) Due() patch.Tri {
	if s.Restart == nil {
		return patch.Unknown
	}
	return patch.TriOf(*s.Restart)
}

// Ready returns an error that wraps [patch.ErrBusy] while Windows Installer is at work, for as long as the configuration waits.
func Ready(ctx context.Context, m *manager.Access) error {
	return m.Wait(ctx, func() error {
		s, err := look(ctx, m, (*Registry).installing) // of nothing else, which takes a command for each key
		switch {
		case err != nil:
		case s.Installing == nil:
			err = errors.New("whether windows installer is at work is not known")
		case *s.Installing:
			err = fmt.Errorf("windows installer is at work: %w", patch.ErrBusy)
		}
		return err
	})
}
