package source

import (
	"strings"

	"github.com/patchflow/patchflow/patch"
)

// Severity translates a publisher's word for how bad something is. Case, surrounding blanks and the prefix "SEVERITY_" of
// Rocky Linux do not count. A word that is none of these, "none" and "unspecified" among them, is
// [patch.SeverityUnrated]: keep the word itself beside the result.
func Severity(word string) patch.Severity {
	word = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(word)), "severity_")
	switch word {
	case "critical":
		return patch.SeverityCritical
	case "important", "high", "severe":
		return patch.SeverityImportant
	case "moderate", "medium":
		return patch.SeverityModerate
	case "low", "minor", "negligible", "unimportant":
		return patch.SeverityLow
	}
	return patch.SeverityUnrated
}

// SeverityOfScore returns the severity that FIRST's qualitative scale gives a CVSS score of version 3 or 4 (table 14 of the
// specification of CVSS 3.1): critical from 9.0, important ("high") from 7.0, moderate from 4.0, low above zero. Zero is
// unrated.
func SeverityOfScore(base float64) patch.Severity {
	switch {
	case base >= 9:
		return patch.SeverityCritical
	case base >= 7:
		return patch.SeverityImportant
	case base >= 4:
		return patch.SeverityModerate
	case base > 0:
		return patch.SeverityLow
	}
	return patch.SeverityUnrated
}

// Classification translates a publisher's word for what kind of change something is: the types of RPM's updateinfo and the
// categories of Windows Update, in English. Case, surrounding blanks and the prefix "TYPE_" of Rocky Linux do not
// count. Any other word is [patch.ClassUnknown]: keep the word itself beside the result.
func Classification(word string) patch.Classification {
	word = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(word)), "type_")
	switch word {
	case "security", "security updates", "security update", "security-advisory":
		return patch.ClassSecurity
	case "critical updates", "critical update":
		return patch.ClassCritical
	case "bugfix", "recommended", "updates", "update":
		return patch.ClassBugfix
	case "definition updates", "definition update":
		return patch.ClassDefinition
	case "update rollups", "update rollup", "monthly rollup", "service packs", "service pack":
		return patch.ClassRollup
	case "enhancement", "newpackage", "feature", "feature packs", "feature pack", "upgrades", "upgrade":
		return patch.ClassFeature
	case "drivers", "driver":
		return patch.ClassDriver
	case "firmware":
		return patch.ClassFirmware
	case "optional":
		return patch.ClassOptional
	}
	return patch.ClassUnknown
}
