package powershell

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager/wua"
)

// An answer is what a script has written.
type answer struct {
	Search  json.RawMessage
	Outcome *outcome
	System  *system
	Error   *failure
}

type outcome struct {
	ending
	Each []struct {
		UpdateID string
		ending
	}
}

// An ending is what IDownloadResult, IInstallationResult and their parts have in common. A download has nothing to say of restarts.
type ending struct {
	ResultCode, HResult *int64
	RebootRequired      *bool
}

type system struct {
	Boot, Start                                                        *int64
	RebootRequired, RebootRequiredBeforeInstallation, IsBusy, Changing *bool
}

type failure struct{ HResult, Message, Unknown string }

// readAnswer reads the answer to r. The error is that of the agent, or for an answer that is none for r: what was done is not known then.
func readAnswer(r request, stdout []byte) (*answer, error) {
	var a answer
	text := bytes.TrimPrefix(bytes.TrimSpace(stdout), []byte("\ufeff"))
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, none(text, err)
	}
	if a.Error != nil {
		return nil, a.Error.err()
	}
	var err error
	switch r.Op {
	case "search":
		if len(a.Search) == 0 || a.Search[0] != '{' {
			err = errors.New("it holds no search")
		}
	case "system":
		if a.System == nil {
			err = errors.New("it does not say how the device stands")
		}
	default:
		err = a.Outcome.check(r.Updates)
	}
	if err != nil {
		return nil, none(text, err)
	}
	return &a, nil
}

func none(text []byte, err error) error {
	return fmt.Errorf("%.200q is no answer: %w", text, err)
}

// check returns an error for an outcome that is not told, or not of the updates that were asked for.
func (o *outcome) check(asked []string) error {
	switch {
	case o == nil:
		return errors.New("it holds no outcome")
	case len(o.Each) != len(asked):
		return fmt.Errorf("it is about %d updates, want %d", len(o.Each), len(asked))
	}
	if err := o.ending.check(); err != nil {
		return err
	}
	for i := range o.Each {
		e := &o.Each[i]
		if e.UpdateID != asked[i] {
			return fmt.Errorf("update %d is %.60q, want %s", i, e.UpdateID, asked[i])
		}
		if err := e.check(); err != nil {
			return fmt.Errorf("update %s: %w", e.UpdateID, err)
		}
	}
	return nil
}

// check returns an error for an ending without its codes, or with one that no code of 32 bits is.
func (e *ending) check() error {
	switch {
	case e.ResultCode == nil || e.HResult == nil:
		return errors.New("it lacks ResultCode or HResult")
	case *e.ResultCode != int64(int32(*e.ResultCode)):
		return fmt.Errorf("ResultCode is %d", *e.ResultCode)
	case *e.HResult != int64(int32(*e.HResult)) && *e.HResult != int64(uint32(*e.HResult)):
		return fmt.Errorf("HResult is %d", *e.HResult)
	}
	return nil
}

func (e *ending) reboot() bool { return e.RebootRequired != nil && *e.RebootRequired }

// read returns an outcome that check has passed.
func (o *outcome) read() wua.Outcome {
	all := wua.Outcome{Code: wua.ResultCode(*o.ResultCode), Result: wua.HRESULT(uint32(*o.HResult)), Reboot: o.reboot()}
	for i := range o.Each {
		e := &o.Each[i]
		all.Each = append(all.Each, wua.Each{UpdateID: e.UpdateID, Code: wua.ResultCode(*e.ResultCode), Result: wua.HRESULT(uint32(*e.HResult)), Reboot: e.reboot()})
	}
	return all
}

// disabled is the value Start of a service that cannot be started (SERVICE_DISABLED of winsvc.h).
const disabled = 4

func (s *system) read() wua.System {
	sys := wua.System{RebootRequired: tri(s.RebootRequired), BeforeInstall: tri(s.RebootRequiredBeforeInstallation), BusyInstalling: either(tri(s.IsBusy), tri(s.Changing)),
		ServiceDisabled: s.Start != nil && *s.Start == disabled}
	if s.Boot != nil {
		sys.BootID = strconv.FormatUint(uint64(uint32(*s.Boot)), 10) // a DWORD, which PowerShell takes for a number with a sign
	}
	return sys
}

// either is yes if one is, and no if both are.
func either(a, b patch.Tri) patch.Tri {
	if a == patch.Yes || b == patch.Yes {
		return patch.Yes
	}
	if a == patch.No {
		return b
	}
	return a
}

func tri(b *bool) patch.Tri {
	if b == nil {
		return patch.Unknown
	}
	return patch.TriOf(*b)
}

// err returns the error that a script tells.
func (f *failure) err() error {
	if f.Unknown != "" {
		return fmt.Errorf("the agent does not know update %.60q any more: %w", f.Unknown, patch.ErrNotApplicable)
	}
	says := fmt.Sprintf("%.300q", strings.TrimSpace(f.Message))
	if n, err := strconv.ParseUint(strings.TrimPrefix(f.HResult, "0x"), 16, 32); err == nil && n != 0 {
		return fmt.Errorf("%s: %w", says, wua.HRESULT(n))
	}
	return fmt.Errorf("%s: HResult %.20q", says, f.HResult)
}
