package com_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	ole "github.com/go-ole/go-ole"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"github.com/patchflow/patchflow/providers/manager/wua"
	"github.com/patchflow/patchflow/providers/manager/wua/internal/fake"
)

// A thing is an object with IDispatch that this process serves. Its members are values, or functions of the arguments that return
// one; an HRESULT is thrown. Things live as long as the process.
type thing struct {
	table   *[7]uintptr
	members map[string]any
	names   []string // by their DISPIDs, from 1
}

// A factory makes the things of one class (IClassFactory).
type factory struct {
	table *[5]uintptr
	make  func() *thing
}

// A parameter list of IDispatch::Invoke (DISPPARAMS): the last argument first.
type parameters struct {
	args         *ole.VARIANT
	named        *int32
	count, names uint32
}

// A server keeps what it has handed out alive: COM holds no reference that Go's memory management sees.
type server struct {
	mu       sync.Mutex
	keep     []any
	things   *[7]uintptr
	classes  *[5]uintptr
	machines *fake.Machine
}

const (
	ok            = 0
	noInterface   = 0x80004002
	unknownName   = 0x80020006
	exception     = 0x80020009
	notImplmented = 0x80004001
)

func newServer(m *fake.Machine) *server {
	s := &server{machines: m}
	one := func(uintptr) uintptr { return 1 }
	s.things = &[7]uintptr{
		syscall.NewCallback(func(this *thing, iid *ole.GUID, out **thing) uintptr {
			*out = nil
			if ole.IsEqualGUID(iid, ole.IID_IUnknown) || ole.IsEqualGUID(iid, ole.IID_IDispatch) {
				*out = this
				return ok
			}
			return noInterface
		}),
		syscall.NewCallback(one), syscall.NewCallback(one),
		syscall.NewCallback(func(_ *thing, n *uint32) uintptr { *n = 0; return ok }),
		syscall.NewCallback(func(_ *thing, _, _ uintptr, _ *uintptr) uintptr { return notImplmented }),
		syscall.NewCallback(func(this *thing, _ *ole.GUID, names **uint16, _, _ uintptr, id *int32) uintptr {
			s.mu.Lock()
			defer s.mu.Unlock()
			name := windows.UTF16PtrToString(*names)
			if _, found := this.members[name]; !found {
				return unknownName
			}
			this.names = append(this.names, name)
			*id = int32(len(this.names))
			return ok
		}),
		syscall.NewCallback(s.invoke),
	}
	s.classes = &[5]uintptr{
		syscall.NewCallback(func(this *factory, _ *ole.GUID, out **factory) uintptr { *out = this; return ok }),
		syscall.NewCallback(one), syscall.NewCallback(one),
		syscall.NewCallback(func(this *factory, _ uintptr, _ *ole.GUID, out **thing) uintptr { *out = this.make(); return ok }),
		syscall.NewCallback(func(uintptr, uintptr) uintptr { return ok }),
	}
	return s
}

// thrown is what is written into EXCEPINFO, whose last field is the code.
type thrown struct {
	_    [2]uint16
	_    [3]uintptr // source, description and help file
	_    uint32
	_    [2]uintptr
	code uint32
}

func (s *server) invoke(this *thing, id uintptr, _ *ole.GUID, _, flags uintptr, given *parameters, result *ole.VARIANT, info *thrown, _ uintptr) uintptr {
	s.mu.Lock()
	name := this.names[int(int32(id))-1]
	member := this.members[name]
	s.mu.Unlock()
	args := make([]any, given.count)
	for i := range args {
		v := (*ole.VARIANT)(unsafe.Add(unsafe.Pointer(given.args), (len(args)-1-i)*int(unsafe.Sizeof(ole.VARIANT{}))))
		args[i] = v.Value()
		if d, isObject := args[i].(*ole.IDispatch); isObject {
			args[i] = (*thing)(unsafe.Pointer(d))
		}
	}
	const put = 4
	if uint16(flags)&put != 0 {
		s.mu.Lock()
		this.members[name] = args[0]
		s.mu.Unlock()
		return ok
	}
	if f, is := member.(func([]any) any); is {
		member = f(args)
	}
	if h, is := member.(wua.HRESULT); is {
		*info = thrown{code: uint32(h)}
		return exception
	}
	if result != nil {
		*result = variant(member)
	}
	return ok
}

func variant(v any) ole.VARIANT {
	switch v := v.(type) {
	case *thing:
		return ole.NewVariant(ole.VT_DISPATCH, int64(uintptr(unsafe.Pointer(v))))
	case string:
		return ole.NewVariant(ole.VT_BSTR, int64(uintptr(unsafe.Pointer(ole.SysAllocStringLen(v)))))
	case int:
		return ole.NewVariant(ole.VT_I4, int64(v))
	case bool:
		if v {
			return ole.NewVariant(ole.VT_BOOL, 0xffff)
		}
		return ole.NewVariant(ole.VT_BOOL, 0)
	case uint64: // a size
		return ole.NewVariant(ole.VT_DECIMAL, int64(v))
	case time.Time: // days since the end of 1899
		days := v.Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)).Hours() / 24
		return ole.NewVariant(ole.VT_DATE, int64(math.Float64bits(days)))
	}
	return ole.NewVariant(ole.VT_EMPTY, 0)
}

func (s *server) thing(members map[string]any) *thing {
	t := &thing{table: s.things, members: members}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = append(s.keep, t)
	return t
}

func collection[T any](s *server, all []T) *thing {
	return s.thing(map[string]any{"Count": len(all), "Item": func(args []any) any { return any(all[args[0].(int32)]) }})
}

// serve registers a class with COM, and by name where the system does not know it.
func (s *server) serve(t *testing.T, name, clsid string, class func() *thing) {
	t.Helper()
	k, _, err := registry.CreateKey(registry.CLASSES_ROOT, name+`\CLSID`, registry.SET_VALUE)
	require.NoError(t, err)
	require.NoError(t, k.SetStringValue("", clsid))
	require.NoError(t, k.Close())
	f := &factory{table: s.classes, make: class}
	s.keep = append(s.keep, f)
	var cookie uint32
	const inThisProcess, manyTimes = 1, 1
	register := windows.NewLazySystemDLL("ole32.dll").NewProc("CoRegisterClassObject")
	hr, _, _ := register.Call(uintptr(unsafe.Pointer(ole.NewGUID(clsid))), uintptr(unsafe.Pointer(f)), inThisProcess, manyTimes, uintptr(unsafe.Pointer(&cookie)))
	require.Zero(t, hr, "CoRegisterClassObject: %#x", hr)
}

// agent serves the classes of the Windows Update Agent, as Microsoft documents them. The machine says what happens.
func agent(t *testing.T, m *fake.Machine) *server {
	t.Helper()
	if m.Cut {
		t.Fatal("COM is not cut")
	}
	// A thread that stays in the apartment of many threads keeps what is registered there.
	up, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		up <- ole.CoInitializeEx(0, ole.COINIT_MULTITHREADED)
		<-done
	}()
	<-up
	t.Cleanup(func() { close(done) })
	_ = ole.CoInitializeEx(0, ole.COINIT_MULTITHREADED)

	s := newServer(m)
	s.serve(t, "Microsoft.Update.Session", "{4CB43D7F-7EEE-4906-8698-60DA1C38F2FE}", func() *thing {
		return s.thing(map[string]any{
			"ClientApplicationID":  "",
			"CreateUpdateSearcher": func([]any) any { return s.thing(map[string]any{"Search": s.search}) },
			"CreateUpdateDownloader": func([]any) any {
				return s.worker(map[string]func([]string) (wua.Outcome, error){"Download": s.download})
			},
			"CreateUpdateInstaller": func([]any) any {
				return s.worker(map[string]func([]string) (wua.Outcome, error){"Install": s.install, "Uninstall": s.uninstall})
			},
		})
	})
	s.serve(t, "Microsoft.Update.UpdateColl", "{13639463-00DB-4646-803D-528026140D88}", func() *thing {
		var added []*thing
		return s.thing(map[string]any{
			"Add": func(args []any) any { added = append(added, args[0].(*thing)); return len(added) - 1 },
			"ids": func([]any) any {
				ids := make([]string, len(added))
				for i, u := range added {
					ids[i] = u.members["id"].(string)
				}
				return strings.Join(ids, " ")
			},
		})
	})
	s.serve(t, "Microsoft.Update.SystemInfo", "{C01B9BA0-BEA7-41BA-B604-D0A36F469133}", func() *thing {
		return s.thing(map[string]any{"RebootRequired": func([]any) any {
			waits := false
			m.Do(func(m *fake.Machine) {
				for _, u := range m.Updates {
					waits = waits || u.Pending
				}
			})
			return waits
		}})
	})
	return s
}

// search answers the criteria that package wua asks for, and no others.
func (s *server) search(args []any) any {
	var found []*thing
	result := int64(wua.Succeeded)
	wrong := wua.HRESULT(0)
	s.machines.Do(func(m *fake.Machine) {
		if m.Result != 0 {
			result = m.Result
		}
		switch criteria := args[0].(string); {
		case criteria == "IsInstalled=0", criteria == "IsInstalled=1":
			for _, u := range m.Found(criteria) {
				found = append(found, s.update(u))
			}
		default:
			for _, part := range strings.Split(criteria, " or ") {
				var id string
				if _, err := fmt.Sscanf(part, "UpdateID='%36s'", &id); err != nil {
					wrong = 0x80240032 // WU_E_INVALID_CRITERIA
				}
				if u := m.Find(id); u != nil {
					found = append(found, s.update(u))
				}
			}
		}
	})
	if wrong != 0 {
		return wrong
	}
	return s.thing(map[string]any{"ResultCode": int(result), "Updates": collection(s, found)})
}

func (s *server) update(u *fake.Update) *thing {
	impact := 0
	if u.Exclusive {
		impact = 2
	}
	return s.thing(map[string]any{
		"id":       u.ID,
		"Identity": s.thing(map[string]any{"UpdateID": u.ID, "RevisionNumber": 200}),
		"Title":    u.Title, "MsrcSeverity": "Critical", "Type": 1, "IsInstalled": u.Installed, "IsDownloaded": u.Downloaded, "IsHidden": false,
		"IsMandatory": false, "IsUninstallable": !u.Fixed, "RebootRequired": u.Pending, "BrowseOnly": false, "EulaAccepted": !u.Licence,
		"AcceptEula":      func([]any) any { s.machines.Do(func(*fake.Machine) { u.Licence = false }); return nil },
		"MaxDownloadSize": uint64(5 << 30), "MinDownloadSize": uint64(0),
		"LastDeploymentChangeTime": time.Date(2026, 11, 10, 18, 0, 0, 0, time.UTC),
		"KBArticleIDs":             collection(s, []string{u.KB}), "CveIDs": collection(s, []string{"CVE-2026-1234"}), "SecurityBulletinIDs": collection[string](s, nil),
		"MoreInfoUrls": wua.HRESULT(0x80240032), "SupersededUpdateIDs": collection(s, u.Supersedes),
		"InstallationBehavior": s.thing(map[string]any{"CanRequestUserInput": u.Asks, "Impact": impact, "RebootBehavior": 2, "RequiresNetworkConnectivity": false}),
		"Categories": collection(s, []*thing{s.thing(map[string]any{"CategoryID": "0fa1201d-4330-4fa8-8ae9-b877473b6441", "Name": "Security Updates",
			"Type": "UpdateClassification"})}),
	})
}

// worker is a downloader or an installer: each method works on the collection that was put.
func (s *server) worker(methods map[string]func([]string) (wua.Outcome, error)) *thing {
	var w *thing
	members := map[string]any{"Updates": nil, "ForceQuiet": false,
		"IsBusy":                           func([]any) any { return s.is(func(m *fake.Machine) bool { return m.Busy }) },
		"RebootRequiredBeforeInstallation": func([]any) any { return s.is(func(m *fake.Machine) bool { return m.Before }) },
	}
	for name, do := range methods {
		members[name] = func([]any) any {
			list := w.members["Updates"].(*thing)
			o, err := do(strings.Fields(list.members["ids"].(func([]any) any)(nil).(string)))
			if h, is := err.(wua.HRESULT); is {
				return h
			}
			return s.thing(map[string]any{"ResultCode": int(o.Code), "HResult": int(int32(o.Result)), "RebootRequired": o.Reboot,
				"GetUpdateResult": func(args []any) any {
					e := o.Each[args[0].(int32)]
					return s.thing(map[string]any{"ResultCode": int(e.Code), "HResult": int(int32(e.Result)), "RebootRequired": e.Reboot})
				}})
		}
	}
	w = s.thing(members)
	return w
}

func (s *server) is(f func(*fake.Machine) bool) (yes bool) {
	s.machines.Do(func(m *fake.Machine) { yes = f(m) })
	return yes
}

func (s *server) download(ids []string) (wua.Outcome, error) { return s.machines.Download(nil, ids) }

func (s *server) install(ids []string) (wua.Outcome, error) {
	return s.machines.Install(nil, ids, false)
}

func (s *server) uninstall(ids []string) (wua.Outcome, error) {
	return s.machines.Uninstall(nil, ids)
}
