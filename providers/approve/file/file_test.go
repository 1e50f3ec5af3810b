package file_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/patchflow/patchflow/policy"
	"github.com/patchflow/patchflow/providers/approve/file"
	"github.com/patchflow/patchflow/providers/providertest"
)

func noon() time.Time { return time.Date(2027, 1, 4, 12, 0, 0, 0, time.UTC) }

func key(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func keys() *policy.KeyRing {
	var people []policy.Person
	for _, name := range []string{"ann", "grace", "hans", "bob"} {
		people = append(people, policy.Person{Name: name, Groups: []string{"board"}, Key: key(name).Public().(ed25519.PublicKey)})
	}
	ring, err := policy.NewKeyRing(people...)
	if err != nil {
		panic(err)
	}
	return ring
}

// line returns a decision as a line, signed by whom it names.
func line(d policy.Decision) string {
	if d.At.IsZero() {
		d.At = noon()
	}
	d, err := d.Sign(key(d.By))
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func says(ruling policy.Ruling, by string) policy.Decision {
	return policy.Decision{Ruling: ruling, By: by, Digest: "sha256:aa"}
}

// put replaces a file as whoever writes one should.
func put(t *testing.T, path, text string) {
	t.Helper()
	next := path + ".next"
	require.NoError(t, os.WriteFile(next, []byte(text), 0o600))
	require.NoError(t, os.Rename(next, path))
}

func newApprover(t *testing.T, text string) (*file.Approver, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "decisions")
	put(t, path, text)
	a, err := file.New(file.Config{Path: path, Keys: keys(), Now: noon})
	require.NoError(t, err)
	return a, path
}

func TestApprover(t *testing.T) {
	var path string
	answer := func(ruling policy.Ruling) func(*testing.T, policy.Approver, policy.Request, string) {
		return func(t *testing.T, _ policy.Approver, r policy.Request, by string) {
			old, err := os.ReadFile(path)
			require.NoError(t, err)
			put(t, path, string(old)+line(policy.Decision{Ruling: ruling, By: by, Digest: r.Digest}))
		}
	}
	request := func(*testing.T) policy.Request {
		return policy.Request{ID: "q1/pilot", Digest: "sha256:00aa", By: "ann"}
	}
	providertest.Approver(t, providertest.ApproverHarness{
		New: func(t *testing.T) policy.Approver {
			a, p := newApprover(t, "# nobody has decided yet\n")
			path = p
			return a
		},
		Request: request, Deny: answer(policy.Denied),
		Approve: func(t *testing.T, a policy.Approver, r policy.Request, by string) {
			if r.ID != "q1/pilot" {
				t.Skip("requests of one digest are one question here")
			}
			answer(policy.Approved)(t, a, r, by)
		},
		Broken: func(t *testing.T) policy.Approver {
			a, err := file.New(file.Config{Path: filepath.Join(t.TempDir(), "none"), Keys: keys()})
			require.NoError(t, err)
			return a
		},
	})
}

func TestAFileIsGoodOrWorthNothing(t *testing.T) {
	yes := line(says(policy.Approved, "ann"))
	edit := func(s, old, with string) string { return strings.Replace(s, old, with, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"empty":               {"", ""},
		"comments and blanks": {"# hello\n\n \t\n" + yes, "ann"},
		"two people":          {yes + line(says(policy.Approved, "bob")), "ann bob"},
		"another digest":      {line(policy.Decision{Ruling: policy.Approved, By: "ann", Digest: "sha256:bb"}) + yes, "ann"},
		"Windows line ends":   {edit(yes, "\n", "\r\n"), "ann"},

		"changed":            {"# one\n" + yes + edit(yes, "sha256:aa", "sha256:ab"), `3: policy: decision of "ann": signature does not hold: it was signed with another key, or changed since`},
		"in another's name":  {edit(yes, `"ann"`, `"bob"`), `1: policy: decision of "bob": signature does not hold: it was signed with another key, or changed since`},
		"unsigned":           {`{"ruling":"approved","by":"ann","digest":"d","at":"2027-01-04T12:00:00Z"}` + "\n", `1: policy: decision of "ann": signature does not hold: it is not signed`},
		"unknown":            {line(says(policy.Approved, "eve")), `1: policy: decision of "eve": signature does not hold: no key is known of that person`},
		"about another, bad": {edit(line(policy.Decision{Ruling: policy.Denied, By: "ann", Digest: "sha256:bb"}), "denied", "approved") + yes, `1: policy: decision of "ann": signature does not hold: it was signed with another key, or changed since`},
		"cut off":            {yes + yes[:len(yes)-9], "2: cut off: the line does not end with a line feed"},
		"cut off at the end": {yes + strings.TrimSuffix(yes, "\n"), "2: cut off: the line does not end with a line feed"},
		"no JSON":            {yes + "yes\n", "2: not a decision: invalid character 'y' looking for beginning of value"},
		"an unknown field":   {edit(yes, `{`, `{"x":1,`), `1: not a decision: json: unknown field "x"`},
		"two on a line":      {edit(yes, "\n", "") + yes, "1: something follows after the decision"},
		"pending":            {line(says(policy.Pending, "ann")), "1: it decides nothing"},
		"no digest":          {line(policy.Decision{Ruling: policy.Approved, By: "ann"}), "1: the digest or the time is missing"},
		"a rule":             {line(policy.Decision{Ruling: policy.Approved, By: "ann", Digest: "sha256:aa", Rule: "x"}), "1: a rule does not sign"},
		"bypassed": {line(policy.Decision{Ruling: policy.Approved, By: "ann", Digest: "sha256:aa", Emergency: &policy.Emergency{Bypassed: []string{"x"}}}),
			"1: what an emergency bypassed is not said beforehand"},
		"too many lines": {strings.Repeat("#\n", 10_001), "10001: more than 10000 lines"},
		"too large":      {"#" + strings.Repeat("x", 1<<20) + "\n", " larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			a, path := newApprover(t, c.text)
			ds, err := a.Decisions(t.Context(), policy.Request{ID: "q1", Digest: "sha256:aa", By: "olga"})
			if err != nil {
				require.EqualError(t, err, "file: "+path+":"+c.want)
				require.Empty(t, ds)
				return
			}
			var by []string
			for _, d := range ds {
				by = append(by, d.By)
				require.Equal(t, []string{"board"}, d.Groups)
			}
			require.Equal(t, c.want, strings.Join(by, " "))
		})
	}
}

func TestTheFileIsReadAnew(t *testing.T) {
	a, path := newApprover(t, "")
	r := policy.Request{ID: "q1", Digest: "sha256:aa", By: "olga", Needs: []policy.Need{{Quorum: 2, Approvers: []string{"group:board"}}}}
	ruling := func() policy.Ruling {
		d, err := a.Decide(t.Context(), r)
		require.NoError(t, err)
		return d.Ruling
	}
	require.Equal(t, policy.Pending, ruling())
	ann := line(says(policy.Approved, "ann"))
	put(t, path, ann+ann)
	require.Equal(t, policy.Pending, ruling(), "one person twice")
	put(t, path, ann+line(says(policy.Approved, "bob")))
	require.Equal(t, policy.Approved, ruling())
	put(t, path, ann+line(says(policy.Denied, "bob")))
	require.Equal(t, policy.Denied, ruling())
	require.NoError(t, os.Remove(path))
	_, err := a.Decide(t.Context(), r)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.Mkdir(path, 0o700))
	_, err = a.Decide(t.Context(), r)
	require.ErrorContains(t, err, "not a regular file")
}

// While the file is replaced again and again, a reader sees one or the other, and never a part.
func TestReplacingIsAtomic(t *testing.T) {
	few := line(says(policy.Approved, "ann"))
	many := strings.Repeat(few, 50) + line(says(policy.Denied, "bob"))
	a, path := newApprover(t, few)
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			next := path + ".next"
			if err := os.WriteFile(next, []byte([]string{few, many}[i%2]), 0o600); err != nil {
				t.Error(err)
			}
			if err := os.Rename(next, path); err != nil {
				t.Error(err)
			}
		}
	})
	for range 30 {
		ds, err := a.Decisions(t.Context(), policy.Request{Digest: "sha256:aa"})
		require.NoError(t, err)
		require.Contains(t, []int{1, 51}, len(ds))
	}
	close(stop)
	writer.Wait()
}

func TestNewRefusesWhatCouldNotWork(t *testing.T) {
	_, err := file.New(file.Config{Keys: keys()})
	require.EqualError(t, err, "file: Config.Path is missing")
	_, err = file.New(file.Config{Path: "x"})
	require.EqualError(t, err, "file: Config.Keys is missing: nobody could approve anything")
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("# c\n" + line(says(policy.Approved, "ann"))))
	f.Add([]byte(`{"by":"ann"}` + "\n"))
	f.Add([]byte("{\n"))
	path := filepath.Join(f.TempDir(), "decisions")
	genuine := []byte(line(says(policy.Approved, "ann")))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		a, err := file.New(file.Config{Path: path, Keys: keys(), Now: noon})
		require.NoError(t, err)
		d, err := a.Decide(t.Context(), policy.Request{Digest: "sha256:aa", By: "olga"})
		if err == nil && d.Ruling != policy.Pending {
			require.True(t, bytes.Contains(data, genuine[len(genuine)-20:len(genuine)-3]), "nobody can sign for ann")
		}
	})
}

// Ann signs at her desk; the product knows her public key.
func Example() {
	dir, err := os.MkdirTemp("", "approvals")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "decisions")

	signed, err := policy.Decision{Ruling: policy.Approved, By: "ann", Digest: "sha256:aa", At: noon()}.Sign(key("ann"))
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(signed)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		panic(err)
	}
	a, err := file.New(file.Config{Path: path, Keys: keys(), Now: noon})
	if err != nil {
		panic(err)
	}
	d, err := a.Decide(context.Background(), policy.Request{ID: "q1", Digest: "sha256:aa", By: "olga"})
	fmt.Println(d.Ruling, "by", d.By, d.Groups, err)
	// Output:
	// approved by ann [board] <nil>
}
