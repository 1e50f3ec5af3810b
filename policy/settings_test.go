package policy

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/inventory"
)

// Every field of a policy document has a test that shows that it changes behaviour. The fields are enumerated by reflection:
// one that is new fails here until its test is named. What package rollout obeys is shown by its own table of settings,
// which is read here.
func TestEverySettingHasATestThatShowsItsEffect(t *testing.T) {
	shown := map[string]string{
		"Policy.Name": "TestAnExplanationTellsAll", "Policy.Rules": "TestWhichRuleDecides", "Policy.Rings": "TestWhatIsUnwise",
		"Policy.Windows": "rollout", "Policy.Freezes": "TestWindowsLessFreezes", "Policy.Fit": "TestWorkMustFit", "Policy.Missed": "rollout", "Policy.Salt": "rollout", "Policy.Strata": "TestStrataOfDevices", "Policy.Joiners": "rollout", "Policy.MaxActive": "rollout", "Policy.Priority": "rollout", "Policy.StartJitter": "rollout", "Policy.HostLabel": "rollout", "Policy.Guests": "rollout",
		"Policy.Retry": "", "Policy.Reboot": "", "Policy.Rollback": "", "Policy.Need": "", "Policy.Download": "", "Policy.Backup": "",
		"Policy.Deadlines": "TestWhenAPatchIsDue", "Policy.Exceptions": "TestWhatAnExceptionLeavesOut", "Policy.Holds": "TestWhatAHoldKeepsBack",

		"Rule.Name": "TestWhichRuleDecides", "Rule.Match": "TestEveryConditionOfAMatchNarrowsIt", "Rule.Verdict": "TestWhichRuleDecides",
		"Rule.For": "TestWhichRuleDecides", "Rule.Reason": "TestReasonsTellWhatWasAboutIt", "Rule.Approvers": "TestWhoseApprovalIsRequired",
		"Rule.Quorum": "TestWhoseApprovalIsRequired", "Rule.From": "TestWhatADeferralCountsFrom",

		"Deadline.Name": "TestWhenAPatchIsDue", "Deadline.Match": "TestWhenAPatchIsDue", "Deadline.Now": "TestADeferralCannotBreakADeadline",
		"Deadline.Within": "TestWhenAPatchIsDue", "Deadline.From": "TestWhenAPatchIsDue", "Deadline.Reserve": "TestADeferralCannotBreakADeadline",

		"Exception.ID": "TestWhatAnExceptionLeavesOut", "Exception.Patches": "TestWhatAnExceptionLeavesOut", "Exception.CVEs": "TestWhatAnExceptionLeavesOut",
		"Exception.Devices": "TestWhatAnExceptionLeavesOut", "Exception.Reason": "TestWhatAnExceptionLeavesOut", "Exception.Granted": "TestWhatAnExceptionLeavesOut",
		"Exception.Expires": "TestWhatAnExceptionLeavesOut", "Exception.Revoked": "TestWhatAnExceptionLeavesOut", "Exception.Controls": "TestWhatAnExceptionLeavesOut",
		"Exception.Owner": "TestValidateNamesTheFieldOfAnException", "Exception.Approver": "TestValidateNamesTheFieldOfAnException",

		"KnownIssue.ID": "TestWhatAHoldKeepsBack", "KnownIssue.Match": "TestWhatAHoldKeepsBack", "KnownIssue.Message": "TestWhatAHoldKeepsBack",
		"KnownIssue.URL": "TestWhatAHoldKeepsBack", "KnownIssue.FixedIn": "TestWhatAHoldKeepsBack", "KnownIssue.Expires": "TestWhatAHoldKeepsBack",
		"KnownIssue.FailClosed": "TestWhatAHoldKeepsBack",

		"Policy.Health": "", "Policy.Escalation": "rollout", "Policy.Covers": "", "Cover.Of": "TestValidateNamesTheFieldOfACover", "Cover.App": "TestValidateNamesTheFieldOfACover", "Cover.Least": "TestValidateNamesTheFieldOfACover", "EscalationLevel.Name": "TestValidateNamesTheFieldOfALevel", "EscalationLevel.Attempts": "rollout", "EscalationLevel.Failed": "rollout", "EscalationLevel.Waiting": "rollout", "Health.Metrics": "rollout", "Health.Feedback": "", "Health.Probes": "", "Probes.List": "rollout", "Probe.Name": "TestValidateNamesTheFieldOfProbes", "Probe.Version": "TestValidateNamesTheFieldOfProbes",
		"Probe.Check": "TestValidateNamesTheFieldOfProbes", "Probe.Of": "TestValidateNamesTheFieldOfProbes", "Probe.With": "TestValidateNamesTheFieldOfProbes", "Reboot.Deferrals": "", "Metric.Name": "TestValidateNamesTheFieldOfHealth",
		"Policy.Budgets": "", "Budget.Name": "TestValidateNamesTheFieldOfABudget", "Budget.Devices": "TestDomainOfABudget", "Budget.Per": "TestDomainOfABudget",
		"Budget.Rate": "", "Budget.Breaker": "rollout", "Budget.Drain": "rollout", "Policy.Drain": "", "Policy.Breaker": "", "Policy.Rate": "", "Rate.Count": "rollout", "Rate.Every": "rollout", "Budget.Count": "TestLimitOfABudget", "Budget.Share": "TestLimitOfABudget",
		"Ring.Devices": "TestRingsMustTakeEveryDevice", "Ring.Gate": "", "Gate.Evidence": "", "Gate.Control": "", "Ring.Need": "", "Need.Bypass": "", "Rollback.Acknowledged": "TestWhatIsUnwise",
	}
	// Types all of whose fields one test, or the table of package rollout, is about.
	whole := map[string]string{
		"Match": "TestEveryConditionOfAMatchNarrowsIt", "Ring": "rollout", "Gate": "rollout", "Evidence": "rollout", "Control": "rollout", "Retry": "rollout", "Remedy": "rollout", "Reboot": "rollout", "Rollback": "rollout", "Backup": "rollout",
		"Download": "rollout", "Metric": "rollout", "Feedback": "rollout", "Deferrals": "rollout", "Probes": "rollout", "Breaker": "rollout", "Drain": "rollout",
		"Window": "TestNextOpening", "Freeze": "TestFreezes", "Fit": "TestWorkMustFit", "Need": "TestSettle", "Bypass": "TestWhatAnEmergencyLifts",
	}
	tests := make(map[string]bool)
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
	}
	table, err := os.ReadFile("../rollout/settings_test.go")
	require.NoError(t, err)

	seen := make(map[reflect.Type]bool)
	var visit func(typ reflect.Type)
	visit = func(typ reflect.Type) {
		if typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || typ.PkgPath() != reflect.TypeFor[Policy]().PkgPath() || typ == reflect.TypeFor[inventory.Selector]() || typ == reflect.TypeFor[Where]() {
			return
		}
		seen[typ] = true
		for i := range typ.NumField() {
			f := typ.Field(i)
			name := typ.Name() + "." + f.Name
			by, ok := shown[name]
			if !ok {
				by, ok = whole[typ.Name()]
			}
			switch {
			case !ok:
				t.Errorf("no test is named here that shows what %s does", name)
			case by == "": // a part, whose own fields are visited
			case by == "rollout":
				require.Contains(t, string(table), `"`+strings.TrimPrefix(name, "Policy.")+`"`, "the table of package rollout")
			default:
				require.True(t, tests[by], "%s: there is no test %s", name, by)
			}
			visit(f.Type)
		}
	}
	visit(reflect.TypeFor[Policy]())
	require.Greater(t, len(seen), 10)
	for name := range shown {
		typ, field, _ := strings.Cut(name, ".")
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(s reflect.Type) bool {
			_, ok := s.FieldByName(field)
			return ok && s.Name() == typ
		}), "%s is listed here, and is no setting", name)
	}
}
