package windows

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/manager"
	"github.com/patchflow/patchflow/providers/manager/internal/desk"
	"github.com/patchflow/patchflow/providers/transport"
)

// noService is the exit code of sc.exe where no service is called so (ERROR_SERVICE_DOES_NOT_EXIST of winerror.h).
const noService = 1060

// states are how a service may stand (dwCurrentState of SERVICE_STATUS in winsvc.h).
func states() []string {
	return []string{"", "stopped", "starting", "stopping", "running", "resuming", "pausing", "paused"}
}

// Service says whether a service of the device runs, and how it stands in words. One that is starting or paused does not.
func Service(ctx context.Context, m *manager.Access, name string) (patch.Tri, string, error) {
	if !serviceName(name) {
		return patch.Unknown, fmt.Sprintf("%.100q is no name of a service", name), nil
	}
	res, err := m.Run(ctx, transport.Command{Argv: Query(name)})
	if err != nil {
		return patch.Unknown, "", err
	}
	up, says := ReadService(name, res)
	return up, says, nil
}

// Query returns the command that asks how a service stands.
func Query(name string) []string { return []string{"sc.exe", "query", name} }

// ReadService reads the answer of Query. Of its lines "WORD : NUMBER" the first is the kind of the service and the second how it stands: the
// numbers are the same in every language. What is not understood is unknown.
func ReadService(name string, r transport.Result) (patch.Tri, string) {
	if r.Ended && r.Signal == "" && r.Code == noService {
		return patch.No, "there is no service " + name
	}
	if !r.OK() {
		return patch.Unknown, fmt.Sprintf("sc.exe: %s: %s", r, desk.LastLine(append(bytes.Clone(r.Stdout), r.Stderr...)))
	}
	var numbers []int
	for line := range strings.Lines(string(r.Stdout)) {
		_, value, _ := strings.Cut(line, ": ")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		if strings.HasPrefix(line, " ") {
			n, err := strconv.ParseUint(words[0], 16, 31)
			if err != nil { // nothing moves up into its place
				n = 0
			}
			numbers = append(numbers, int(n))
		}
	}
	if all := states(); len(numbers) > 1 && numbers[1] > 0 && numbers[1] < len(all) && r.StdoutCut == 0 {
		is := all[numbers[1]]
		return patch.TriOf(is == "running"), name + " is " + is
	}
	return patch.Unknown, fmt.Sprintf("sc.exe: %.100q is not understood", bytes.TrimSpace(r.Stdout))
}

// serviceName passes the keys of services, and no options. Names that people see, with blanks, are none.
func serviceName(name string) bool {
	const others = "._-$@"
	if name == "" || len(name) > 256 || strings.Contains(others, name[:1]) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.Contains(others, string(c)) {
			return false
		}
	}
	return true
}
