package signed

import (
	"bytes"
	"errors"
)

// splitClearsigned parts a clear-signed file (RFC 9580, section 7) into its text and its signature. It is strict where others are
// not: nothing may stand before, between and after, so that nobody can take for signed what is not. The text comes with
// newlines alone; what was signed has carriage returns before them and no newline at the end.
func splitClearsigned(file []byte) (text, signature []byte, err error) {
	const begin, middle, end = "-----BEGIN PGP SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----"
	rest := file
	line := func() (string, bool) {
		if len(rest) == 0 {
			return "", false
		}
		l, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		return string(bytes.TrimSuffix(l, []byte("\r"))), true
	}
	if first, _ := line(); trimEnd(first) != begin {
		return nil, nil, ErrUnsigned
	}
	for {
		header, ok := line()
		if !ok {
			return nil, nil, errors.New("it ends in its head")
		}
		if trimEnd(header) == "" {
			break
		}
		if len(header) < 5 || header[:5] != "Hash:" {
			return nil, nil, errors.New("its head holds something else than Hash")
		}
	}
	for {
		before := rest
		l, ok := line()
		if !ok {
			return nil, nil, errors.New("it ends in its text")
		}
		l = trimEnd(l)
		if l == middle {
			signature = before
			break
		}
		switch {
		case len(l) >= 2 && l[:2] == "- ":
			l = l[2:]
		case len(l) >= 1 && l[0] == '-':
			return nil, nil, errors.New("a line of its text begins with a dash")
		}
		if bytes.ContainsAny([]byte(l), "\r\x00") {
			return nil, nil, errors.New("a line of its text holds a carriage return or a zero byte")
		}
		text = append(append(text, l...), '\n')
	}
	for {
		l, ok := line()
		if !ok {
			return nil, nil, errors.New("it ends in its signature")
		}
		if trimEnd(l) == end {
			break
		}
		if l != "" && l[0] == '-' {
			return nil, nil, errors.New("a line of its signature begins with a dash")
		}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, nil, errors.New("something follows its signature")
	}
	return text, signature, nil
}

// trimEnd removes what does not count at the end of a line.
func trimEnd(line string) string {
	for len(line) > 0 && (line[len(line)-1] == ' ' || line[len(line)-1] == '\t') {
		line = line[:len(line)-1]
	}
	return line
}

// signedForm returns what was signed of a text: with carriage returns, and without the last newline.
func signedForm(text []byte) []byte {
	return bytes.ReplaceAll(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"), []byte("\r\n"))
}
