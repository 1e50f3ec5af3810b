package powershell

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

// sent are the two that devices get, each as it is in its files and as it is sent.
func sent(t *testing.T) map[string][2]string {
	t.Helper()
	all := make(map[string][2]string)
	looks, changes := Commands()
	for name, command := range map[string][]string{"look.ps1": looks, "change.ps1": changes} {
		text := ""
		for _, file := range []string{"common.ps1", name} {
			part, err := scripts.ReadFile(file)
			require.NoError(t, err)
			text += string(part)
		}
		packed, err := base64.StdEncoding.DecodeString(command[len(command)-1])
		require.NoError(t, err)
		units := make([]uint16, len(packed)/2)
		for i := range units {
			units[i] = uint16(packed[2*i]) | uint16(packed[2*i+1])<<8
		}
		all[name] = [2]string{text, string(utf16.Decode(units))}
	}
	return all
}

func TestCommandsFitAndNeedNoQuotes(t *testing.T) {
	const longest = 8191 // of cmd.exe (Microsoft's documentation, "Command prompt line string limitation"); CreateProcess takes 32767
	looks, changes := Commands()
	for _, argv := range [][]string{looks, changes} {
		line := strings.Join(argv, " ")
		require.Less(t, len(line), longest-1000)
		require.Regexp(t, `^[A-Za-z0-9 .+/=-]+$`, line)
	}
	require.NotEqual(t, looks, changes)
}

func TestScriptsAreWhatTheirFilesSay(t *testing.T) {
	for name, s := range sent(t) {
		file, sent := s[0], s[1]
		require.Regexp(t, `^[\n -~]+$`, sent, "%s: ASCII, no tabs", name)
		require.NotRegexp(t, `@['"]\s*\n`, file, "%s: a string of several lines would lose its blanks", name)
		require.NotRegexp(t, "`\n|\\n\\s*[|.]", file, "%s: a statement of several lines", name)
		// Nothing but blanks and whole lines of comment is left out, and no comment is sent.
		require.Equal(t, strings.Join(strings.Fields(regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(file, "")), ""), strings.Join(strings.Fields(sent), ""), name)
		require.NotContains(t, sent, "#", name)
		balanced(t, name, sent)
	}
}

// balanced goes through a script: brackets in pairs, no string that goes on in the next line.
func balanced(t *testing.T, name, text string) {
	t.Helper()
	var open []byte
	quote := byte(0)
	line := 1
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '\n':
			require.Zero(t, quote, "%s: line %d: a string goes on in the next line", name, line)
			line++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.IndexByte("([{", c) >= 0:
			open = append(open, c)
		case strings.IndexByte(")]}", c) >= 0:
			require.NotEmpty(t, open, "%s: line %d", name, line)
			pair := string(open[len(open)-1]) + string(c)
			require.Contains(t, []string{"()", "[]", "{}"}, pair, "%s: line %d", name, line)
			open = open[:len(open)-1]
		}
	}
	require.Empty(t, open, name)
	require.Zero(t, quote, name)
}

// members are those of the interfaces that scripts may name, by Microsoft's reference of wuapi.h ("Windows Update Agent API"); those of a
// later interface of the same object (IUpdate2 to IUpdate5, IUpdateInstaller2) stand with it.
func members() map[string]string {
	return map[string]string{
		"IUpdateSession":             "ClientApplicationID CreateUpdateDownloader CreateUpdateInstaller CreateUpdateSearcher",
		"ISystemInformation":         "RebootRequired",
		"IUpdateSearcher":            "Search",
		"ISearchResult":              "ResultCode Updates",
		"IUpdate":                    "AcceptEula BrowseOnly Categories CveIDs EulaAccepted Identity InstallationBehavior IsDownloaded IsHidden IsInstalled IsMandatory IsUninstallable KBArticleIDs LastDeploymentChangeTime MaxDownloadSize MoreInfoUrls MsrcSeverity RebootRequired SecurityBulletinIDs SupersededUpdateIDs Title Type",
		"IUpdateIdentity":            "RevisionNumber UpdateID",
		"IInstallationBehavior":      "CanRequestUserInput Impact RebootBehavior RequiresNetworkConnectivity",
		"ICategory":                  "CategoryID Name Type",
		"IUpdateCollection":          "Add",
		"IUpdateDownloader":          "Download Updates",
		"IUpdateInstaller":           "ForceQuiet Install IsBusy RebootRequiredBeforeInstallation Uninstall Updates",
		"IDownloadResult":            "GetUpdateResult HResult ResultCode",
		"IInstallationResult":        "GetUpdateResult HResult RebootRequired ResultCode",
		"IUpdateInstallationResult":  "HResult RebootRequired ResultCode",
		"IUpdateDownloadResult":      "HResult ResultCode",
		"System.Threading.Mutex":     "Dispose",
		"System.Console":             "Write",
		"System.Exception":           "GetBaseException Message",
		"System.Management":          "Exception",                                                                        // ErrorRecord
		"Regex":                      "Value",                                                                            // Match
		"the registry":               "Boot BootId Start",                                                                // PrefetchParameters, wuauserv
		"what goes in":               "accept criteria name op updates",                                                  // request
		"what comes out (hashtable)": "At Categories Each Errors Identity InstallationBehavior ResultCode Start Updates", // source/wua, outcome
		"what comes out of system":   "Changing",
	}
}

func TestScriptsNameOnlyWhatIsDocumented(t *testing.T) {
	var documented []string
	for _, all := range members() {
		documented = append(documented, strings.Fields(all)...)
	}
	used := make(map[string]bool)
	for name, s := range sent(t) {
		for _, m := range regexp.MustCompile(`\.([A-Za-z]\w*)`).FindAllStringSubmatch(s[1], -1) {
			switch m[1] {
			case "Update", "Session", "SystemInfo", "UpdateColl": // the classes: Microsoft.Update.Session and so on
			case "Threading", "Mutex", "InteropServices", "Marshal": // those of .NET
			default:
				used[m[1]] = true
				require.Contains(t, documented, m[1], name)
			}
		}
		// Those that Put, Note and loops name as texts.
		for _, m := range regexp.MustCompile(`'([A-Z][A-Za-z]+)'`).FindAllStringSubmatch(s[1], -1) {
			if !slices.Contains([]string{"Stop", "SilentlyContinue"}, m[1]) {
				used[m[1]] = true
				require.Contains(t, documented, m[1], name)
			}
		}
	}
	for _, each := range documented { // the table holds nothing that is not used
		require.True(t, used[each], each)
	}
}

// What a request can ask for is what the scripts look at, and what they say is what is read.
func TestScriptsSpeakAsTheirReadersDo(t *testing.T) {
	all := sent(t)
	for _, op := range []string{"search", "system"} {
		require.Contains(t, all["look.ps1"][1], "-ceq '"+op+"'")
		require.NotContains(t, all["change.ps1"][1], "'"+op+"'")
	}
	for _, op := range []string{"download", "install", "uninstall"} {
		require.Contains(t, all["change.ps1"][1], "'"+op+"'{$d=$w.")
		require.NotContains(t, all["look.ps1"][1], "'"+op+"'")
	}
	for name, members := range map[string]string{"look.ps1": "Error Search System", "change.ps1": "Error Outcome"} {
		said := regexp.MustCompile(`Say @\{(\w+)=`).FindAllStringSubmatch(all[name][1], -1)
		var got []string
		for _, m := range said {
			got = append(got, m[1])
		}
		slices.Sort(got)
		require.Equal(t, strings.Fields(members), slices.Compact(got), name)
	}
	// What looks changes nothing.
	require.NotRegexp(t, `Install\(|Download\(|Uninstall\(|AcceptEula|Set-|Remove-|New-Item`, all["look.ps1"][1])
}
