package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/patchflow/patchflow/inventory"
	"github.com/patchflow/patchflow/rollout"
)

// What agents and console say to each other is JSON, strictly read and bounded: neither believes that the other is well.
const (
	pathTasks     = "/v1/tasks"     // POST: asks for work, and is the heartbeat
	pathReport    = "/v1/report"    // POST: what became of a task
	pathArtefacts = "/v1/artefacts" // GET /v1/artefacts/sha256:...: a file, by its hash

	maxMessage = 1 << 20
)

// A call asks for work.
type call struct {
	Boot string `json:"boot"` // of the device, so that a restart is seen
}

// Work is the answer to a call.
type work struct {
	Tasks []rollout.Task `json:"tasks"`
}

// News is what became of a task.
type news struct {
	Task   rollout.TaskID `json:"task"`
	Report rollout.Report `json:"report"`
}

// readJSON reads one message and nothing after it.
func readJSON(r io.Reader, v any) error {
	d := json.NewDecoder(io.LimitReader(r, maxMessage))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("message: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("message: something follows it, or it is too long")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who does not read the answer asks again
}

// identity names a device in a certificate: "patchflow:acme/berlin:ada" is device ada of tenant acme/berlin.
func identity(t inventory.Tenant, d inventory.DeviceID) string {
	return "patchflow:" + string(t) + ":" + string(d)
}

func parseIdentity(s string) (t inventory.Tenant, d inventory.DeviceID, ok bool) {
	rest, ok := strings.CutPrefix(s, "patchflow:")
	tenant, device, two := strings.Cut(rest, ":")
	return inventory.Tenant(tenant), inventory.DeviceID(device), ok && two && tenant != "" && device != "" && !strings.Contains(device, ":")
}
