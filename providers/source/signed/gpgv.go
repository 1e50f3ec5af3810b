package signed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// GPGV is a [Verifier] that runs the program gpgv of GnuPG, which is where Debian and its kin are. The program reads the clock
// of the machine, whatever time Verify is asked about. Signatures with MD5, SHA1 and RIPEMD160 do not count.
type GPGV struct {
	Program  string   // "" looks for gpgv where programs are
	Keyrings []string // files of trusted keys, binary, not armored; one at least
}

var _ Verifier = GPGV{}

// Verify implements [Verifier].
func (g GPGV) Verify(ctx context.Context, data, signature []byte, _ time.Time) ([]Signature, error) {
	if len(bytes.TrimSpace(signature)) == 0 {
		return nil, ErrUnsigned
	}
	if len(g.Keyrings) == 0 {
		return nil, errors.New("gpgv: no Keyrings")
	}
	dir, err := os.MkdirTemp("", "gpgv")
	if err != nil {
		return nil, fmt.Errorf("gpgv: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	args := []string{"--homedir", dir, "--status-fd", "1"}
	for _, weak := range []string{"MD5", "SHA1", "RIPEMD160"} {
		args = append(args, "--weak-digest", weak)
	}
	for _, k := range g.Keyrings {
		if k, err = filepath.Abs(k); err != nil { // gpgv takes a plain name for one in its own folder
			return nil, fmt.Errorf("gpgv: %w", err)
		}
		if _, err := os.Stat(k); err != nil { // gpgv goes on without
			return nil, fmt.Errorf("gpgv: %w", err)
		}
		args = append(args, "--keyring", k)
	}
	for name, content := range map[string][]byte{"data": data, "signature": signature} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("gpgv: %w", err)
		}
	}
	program := g.Program
	if program == "" {
		program = "gpgv"
	}
	command := exec.CommandContext(ctx, program, append(args, "--", filepath.Join(dir, "signature"), filepath.Join(dir, "data"))...)
	command.Env = append(os.Environ(), "LC_ALL=C")
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0 || ctx.Err() != nil) {
		return nil, fmt.Errorf("gpgv: %w", errors.Join(ctx.Err(), err))
	}
	good, err := readStatus(out, err != nil)
	if err != nil && !errors.Is(err, ErrKey) && !errors.Is(err, ErrTampered) && !errors.Is(err, ErrUnsigned) {
		err = fmt.Errorf("%w: %.200q", err, strings.TrimSpace(errs.String()))
	}
	return good, err
}

// readStatus reads what gpgv says line by line, as doc/DETAILS of GnuPG describes it.
func readStatus(out []byte, failed bool) ([]Signature, error) {
	var good []Signature
	var others []string
	tampered, nothing, open := false, false, false
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		words := strings.Fields(strings.TrimPrefix(lines.Text(), "[GNUPG:] "))
		if len(words) == 0 {
			continue
		}
		// Each signature begins with NEWSIG. Only the one that GOODSIG stands for may be the VALIDSIG: an expired key has one too.
		switch key := words[min(1, len(words)-1)]; words[0] {
		case "NEWSIG":
			open = false
		case "GOODSIG":
			open = true
		case "VALIDSIG":
			if open && len(words) > 3 {
				made, _ := strconv.ParseInt(words[3], 10, 64)
				good = append(good, Signature{Key: strings.ToUpper(words[1]), Made: time.Unix(made, 0).UTC()})
			}
		case "BADSIG":
			tampered = true
		case "NODATA":
			nothing = true
		case "EXPSIG":
			others = append(others, key+" has expired")
		case "EXPKEYSIG":
			others = append(others, "key "+key+" has expired")
		case "REVKEYSIG":
			others = append(others, "key "+key+" was revoked")
		case "NO_PUBKEY":
			others = append(others, "key "+key+" is not trusted")
		case "ERRSIG":
			if len(words) < 7 || words[6] != "9" { // 9: the key is missing, which NO_PUBKEY tells
				others = append(others, "the signature of "+key+" cannot be verified")
			}
		}
	}
	slices.Sort(others)
	switch {
	case tampered:
		return nil, fmt.Errorf("gpgv: %w", ErrTampered)
	case len(good) > 0:
		return good, nil
	case len(others) > 0:
		return nil, fmt.Errorf("gpgv: %s: %w", strings.Join(slices.Compact(others), ", "), ErrKey)
	case nothing:
		return nil, fmt.Errorf("gpgv: %w", ErrUnsigned)
	case failed:
		return nil, errors.New("gpgv: failed")
	}
	return nil, fmt.Errorf("gpgv: %w", ErrKey)
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
