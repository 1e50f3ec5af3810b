package wua

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// Manager is what coverage calls the Windows Update Agent.
const Manager = "wua"

// A Result is what one search found.
type Result struct {
	At             time.Time // when the search ended, by the clock of the device
	Criteria       string    // what was searched for: "IsInstalled=0"
	ResultCode     int64     // OperationResultCode: 2 succeeded, 3 with errors, 4 failed, 5 aborted; 0 if it is not told
	RebootRequired patch.Tri // of ISystemInformation: the device waits for a restart
	Updates        []Update

	// Refused are errors for the updates that could not be read. Each wraps [patch.ErrRecord].
	Refused []error
}

// Read reads a result, plain or compressed: a JSON object.
//
//	{
//	  "At": "2026-11-10T08:00:00Z",
//	  "Criteria": "IsInstalled=0",
//	  "ResultCode": 2,
//	  "RebootRequired": false,
//	  "Updates": [{
//	    "Identity": {"UpdateID": "f39d68ab-1519-4df8-85c1-d985be7f49c3", "RevisionNumber": 200},
//	    "Title": "...",
//	    "KBArticleIDs": ["5025239"],
//	    "Categories": [{"CategoryID": "0fa1201d-4330-4fa8-8ae9-b877473b6441", "Name": "Security Updates"}],
//	    "InstallationBehavior": {"RebootBehavior": 2, "Impact": 0},
//	    "Errors": {"IsDownloaded": "0x80240032"}
//	  }]
//	}
//
// All properties of an update are optional but UpdateID. Enumerations are numbers, truth is true, false, 0, 1 or -1, times
// are RFC 3339 or what ConvertTo-Json of Windows PowerShell writes ("/Date(1731024000000)/"), collections are arrays or
// one text. Errors names the properties that could not be read, with the HRESULT. What is not known here goes to Native.
//
// The text is UTF-8, with or without a byte order mark. An update that cannot be read is in Refused. The error is for a result that cannot be read at all, or not to its end.
func Read(r io.Reader, limits source.Limits) (Result, error) {
	in, err := limits.Reader(r)
	if err != nil {
		return Result{}, fmt.Errorf("wua: result: %w", err)
	}
	records := 0
	return read("result", in, limits, &records)
}

// read reads a result. records counts the updates of all results together.
func read(name string, in io.Reader, limits source.Limits, records *int) (Result, error) {
	var r Result
	text := bufio.NewReader(in)
	if mark, _ := text.Peek(3); string(mark) == "\ufeff" { // Windows PowerShell writes one
		_, _ = text.Discard(len(mark))
	}
	err := limits.ReadObject(text, source.Records{
		Arrays: []string{"Updates"},
		Record: func(_ string, n int, raw json.RawMessage, err error) error {
			if *records++; *records > limits.Max() {
				return fmt.Errorf("update %d: more than %d updates: %w", n, limits.Max(), source.ErrTooLarge)
			}
			var u Update
			if err == nil {
				u, err = parseUpdate(raw)
			}
			if err != nil {
				r.Refused, err = limits.Refuse(r.Refused, source.Bad(fmt.Sprintf("wua: %s: update %d", name, n), err))
				return err
			}
			r.Updates = append(r.Updates, u)
			return nil
		},
		Field: r.field,
	})
	if err != nil {
		return r, fmt.Errorf("wua: %s: %w", name, err)
	}
	return r, nil
}

// field reads what is not an update. Whether a restart is pending may have failed to be read like any property: then it is
// unknown.
func (r *Result) field(name string, raw json.RawMessage) error {
	var err error
	switch name {
	case "At":
		var at flexTime
		err = json.Unmarshal(raw, &at)
		r.At = time.Time(at)
	case "Criteria":
		err = json.Unmarshal(raw, &r.Criteria)
	case "ResultCode":
		var code flexInt
		err = json.Unmarshal(raw, &code)
		r.ResultCode = int64(code)
	case "RebootRequired":
		var pending *flexBool
		if json.Unmarshal(raw, &pending) == nil {
			r.RebootRequired = pending.tri()
		}
	}
	if err != nil {
		return fmt.Errorf("field %s: %w", name, err)
	}
	return nil
}

// A Naming says which patches the missing updates of a scan are.
type Naming uint8

const (
	ByUpdate Naming = iota // those of a [Source] of this package: "wua:f39d68ab-1519-4df8-85c1-d985be7f49c3"
	ByKB                   // those of package msrc, "msrc:KB5025239"; an update without KB, as drivers are, is named as in ByUpdate
)

// Scan returns r as part of a scan: what the device says that it misses, hidden updates among them, and whether it waits
// for a restart. Tenant, Device and what other managers found are for the caller to fill in. Naming depends on what the
// catalog holds; an ID that it does not know is a finding that cannot be decided.
//
// The agent judges for itself, so its coverage has Judges. It is complete if the search succeeded, every update could be
// read, and Criteria left out none that is not installed: "IsInstalled=0", and no more. (The agent's own default leaves
// out hidden updates.) Otherwise it is partial: what is listed is missing, and there may be more. A search that failed or
// was aborted, is [inventory.Failed]. An update that does not say whether it is installed is missing if the search asked for
// those that are not; otherwise nothing is known of it.
func (r *Result) Scan(naming Naming) inventory.Scan {
	c := inventory.Coverage{Manager: Manager, At: r.At, Judges: true, Status: inventory.Complete}
	partial := func(format string, args ...any) {
		if c.Status == inventory.Complete {
			c.Status, c.Detail = inventory.Partial, fmt.Sprintf(format, args...)
		}
	}
	asked, only := r.asked()
	switch r.ResultCode {
	case 2:
	case 4:
		c.Status, c.Detail = inventory.Failed, "the search failed"
	case 5:
		c.Status, c.Detail = inventory.Failed, "the search was aborted"
	case 3:
		partial("the search succeeded with errors")
	default:
		partial("the result code is %d", r.ResultCode)
	}
	if !only {
		partial("the search was for %q", r.Criteria)
	}
	if len(r.Refused) > 0 {
		partial("%d updates could not be read", len(r.Refused))
	}
	s := inventory.Scan{At: r.At, PendingReboot: r.RebootRequired}
	for i := range r.Updates {
		u := &r.Updates[i]
		switch {
		case u.IsInstalled == patch.No, u.IsInstalled == patch.Unknown && asked:
			s.Missing = append(s.Missing, u.names(naming)...)
		case u.IsInstalled == patch.Unknown:
			partial("update %s does not say whether it is installed", u.UpdateID)
		}
	}
	if c.Status == inventory.Failed {
		s.Missing = nil
	}
	s.Coverage = []inventory.Coverage{c}
	return s
}

// asked says whether the criteria ask for what is not installed, and whether they ask for nothing else.
func (r *Result) asked() (missing, only bool) {
	text := strings.ToLower(strings.Join(strings.Fields(r.Criteria), ""))
	missing = strings.Contains(text, "isinstalled=0") && !strings.Contains(text, "isinstalled=1")
	return missing, strings.Trim(text, "()") == "isinstalled=0"
}

func (u *Update) names(naming Naming) []patch.ID {
	var ids []patch.ID
	if naming == ByKB {
		for _, kb := range u.KBs {
			ids = append(ids, patch.ID("msrc:KB"+kb))
		}
	}
	if len(ids) == 0 {
		ids = append(ids, u.ID())
	}
	return ids
}
