package signed

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/providers/source"
)

// Repomd judges the repomd.xml of an RPM repository by its detached signature, repomd.xml.asc. An opener of the signature that
// fails with an error that wraps [io/fs.ErrNotExist] is no signature. The error is one of reading or verifying that
// says nothing about the metadata.
//
// The date is the latest that its files bear; without those, its revision if that is a time, as it mostly is. The form has no
// end of validity: see [Config.MaxAge]. The codename that is wanted is one of the repository's tags, if there is one: most
// repositories do not say what they are, so give each a keyring and an address of its own.
func (j *Judge) Repomd(ctx context.Context, index, signature source.Opener, want Want) (Result, error) {
	text, err := j.read(index)
	if err != nil {
		return Result{}, err
	}
	asc, err := j.read(signature)
	switch {
	case missing(err):
		return Result{Verdict: Unsigned, Reason: ErrUnsigned}, nil
	case err != nil:
		return Result{}, err
	}
	r, err := j.verify(ctx, text, asc)
	if err != nil || r.Verdict != Fresh {
		return r, err
	}
	date, tags, err := parseRepomd(text)
	if err != nil {
		bad := malformed("%w", err)
		bad.Signatures = r.Signatures
		return bad, nil
	}
	if want.Codename != "" && !tags[want.Codename] {
		r.Verdict, r.Reason = Other, fmt.Errorf("it has no tag %q: %w", want.Codename, ErrRelease)
		return r, nil
	}
	r.Date, r.Open = date, opener(text)
	j.date(&r, want.Last)
	return r, nil
}

// parseRepomd reads when a repomd.xml was made, and the tags of its repository.
func parseRepomd(text []byte) (date time.Time, tags map[string]bool, err error) {
	if bytes.Contains(text, []byte("<!DOCTYPE")) || bytes.Contains(text, []byte("<!ENTITY")) {
		return time.Time{}, nil, errors.New("it declares types")
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	tags = make(map[string]bool)
	seen := false
	var names []string
	var value strings.Builder
	var revision, latest time.Time
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return time.Time{}, nil, fmt.Errorf("it cannot be read: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if names = append(names, t.Name.Local); len(names) > 16 || names[0] != "repomd" {
				return time.Time{}, nil, fmt.Errorf("an element %.60q", t.Name.Local)
			}
			seen = true
			value.Reset()
		case xml.CharData:
			value.Write(t)
		case xml.EndElement:
			text := strings.TrimSpace(value.String())
			value.Reset()
			switch strings.Join(names, "/") {
			case "repomd/revision":
				revision = unixTime(text)
			case "repomd/data/timestamp":
				if at := unixTime(text); at.After(latest) {
					latest = at
				}
			case "repomd/tags/repo", "repomd/tags/content", "repomd/tags/distro":
				tags[text] = true
			}
			names = names[:len(names)-1]
		}
	}
	if !seen {
		return time.Time{}, nil, errors.New("it is empty")
	}
	if latest.IsZero() {
		latest = revision
	}
	return latest, tags, nil
}

// unixTime reads seconds since 1970, with a fraction or not; zero if the text is no time since 2000: revisions are counted too.
func unixTime(text string) time.Time {
	whole, _, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 946684800 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
