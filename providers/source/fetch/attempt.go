package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/patchflow/patchflow/patch"
	"github.com/patchflow/patchflow/providers/source"
)

// redirect decides whether a redirect is followed.
func (f *Fetcher) redirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > max(f.config.Redirects, 0):
		return fmt.Errorf("more than %d redirects: %w", max(f.config.Redirects, 0), patch.ErrPermanent)
	case r.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https":
		return fmt.Errorf("redirected from https to %s://%s: %w", r.URL.Scheme, r.URL.Host, patch.ErrUntrusted)
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("redirected to %s://%s: %w", r.URL.Scheme, r.URL.Host, patch.ErrPermanent)
	}
	if err := f.guard.url(r.URL); err != nil {
		return fmt.Errorf("redirected: %w", err)
	}
	r.Header.Del("Referer") // addresses may hold secrets
	return nil
}

// errStalled ends a request whose server sends nothing.
var errStalled = errors.New("the server sends nothing")

// attempt makes one request, and returns the record of what the server has sent or confirmed.
func (f *Fetcher) attempt(ctx context.Context, file *File, u *url.URL, kept *record) (*record, error) {
	if err := f.guard.url(u); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, f.config.Attempt, fmt.Errorf("not done after %s: %w", f.config.Attempt, context.DeadlineExceeded))
	defer cancel()
	watched, stop := context.WithCancelCause(limited)
	defer stop(nil)

	request, err := http.NewRequestWithContext(watched, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("no address") // the error may hold a password
	}
	request.Header.Set("User-Agent", f.config.UserAgent)
	request.Header.Set("Accept-Encoding", "identity")
	part := f.store.takePart(file.Name, request.URL.String())
	defer func() { // whoever takes it over or drops it leaves nil here
		if part != nil && !f.store.keepPart(file.Name, request.URL.String(), part) {
			part.drop()
		}
	}()
	conditional := false
	if part != nil {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", part.size))
		request.Header.Set("If-Range", part.validator.strong())
	} else if v, found := kept.validator(request.URL.String()); found && (file.Digest == "" || file.Digest == kept.Digest) {
		conditional = true
		if v.ETag != "" {
			request.Header.Set("If-None-Match", v.ETag)
		} else {
			request.Header.Set("If-Modified-Since", v.Modified)
		}
	}

	response, err := f.client.Do(request)
	if err != nil {
		if cause := context.Cause(watched); cause != nil && ctx.Err() == nil {
			err = cause
		}
		return nil, classify(err)
	}
	defer response.Body.Close()
	now := f.config.Now()
	served := dateOf(response)
	switch response.StatusCode {
	case http.StatusNotModified:
		if !conditional {
			return nil, errors.New("the server answers 304 to a request without condition")
		}
		r := *kept
		r.Checked, r.Served = now, served
		return &r, classify(f.store.confirm(&r))
	case http.StatusOK:
		part.drop()
		part = nil
	case http.StatusPartialContent:
		if err := part.fits(response); err != nil {
			cut := &interruption{further: part != nil, err: err} // without the part the whole file is asked for
			part.drop()
			part = nil
			return nil, cut
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if part == nil {
			return nil, status(response, now)
		}
		part.drop()
		part = nil
		return nil, &interruption{further: true, err: status(response, now)}
	default:
		return nil, status(response, now)
	}
	if err := acceptable(response, file, part); err != nil {
		return nil, err
	}
	d := part
	part = nil
	if d == nil {
		if d, err = f.store.newPart(validatorOf(response)); err != nil {
			return nil, classify(err)
		}
		d.total = response.ContentLength
	}
	defer d.drop()

	before := d.size
	timer := time.AfterFunc(f.config.Stall, func() { stop(errStalled) })
	err = d.copy(&pulse{r: response.Body, timer: timer, every: f.config.Stall}, file.MaxBytes)
	timer.Stop()
	var disk *diskError
	switch {
	case errors.Is(err, source.ErrTooLarge):
		return nil, fmt.Errorf("%w: %w", err, patch.ErrPermanent)
	case errors.As(err, &disk):
		return nil, classify(err)
	case err != nil:
		if cause := context.Cause(watched); cause != nil && ctx.Err() == nil {
			err = cause
		}
		err = &interruption{further: f.store.keepPart(file.Name, request.URL.String(), d) && d.size > before, err: classify(err)}
		return nil, err
	case d.total >= 0 && d.size != d.total:
		return nil, fmt.Errorf("%d bytes have come of %d", d.size, d.total)
	}
	r := &record{
		Name: file.Name, Digest: d.digest(), Size: d.size, URL: u.Redacted(), Fetched: now, Checked: now, Served: served,
		Modified: timeOf(d.validator.Modified),
	}
	if file.Digest != "" && r.Digest != file.Digest {
		return nil, fmt.Errorf("the file is %s, not %s: %w", r.Digest, file.Digest, patch.ErrUntrusted)
	}
	if kept != nil && kept.Digest == r.Digest {
		r.Fetched, r.Validators, r.Previous = kept.Fetched, kept.Validators, kept.Previous
	} else if kept != nil {
		r.Previous = kept.Data
	}
	r.note(request.URL.String(), d.validator)
	if err := d.close(); err != nil {
		return nil, classify(err)
	}
	if file.Check != nil {
		if err := file.Check(f.store.opener(d.name, r.sum())); err != nil {
			return nil, fmt.Errorf("refused: %w", err)
		}
	}
	if err := f.store.commit(r, d); err != nil {
		return nil, classify(err)
	}
	return r, nil
}

// acceptable says what speaks against an answer, before any of it is read.
func acceptable(r *http.Response, file *File, part *part) error {
	size := r.ContentLength
	if part != nil {
		size = part.total
	}
	if size > file.MaxBytes {
		return fmt.Errorf("a file of %d bytes, of at most %d: %w: %w", size, file.MaxBytes, source.ErrTooLarge, patch.ErrPermanent)
	}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); {
	case encoding == "" || encoding == "identity":
	case (encoding == "gzip" || encoding == "x-gzip") && path.Ext(r.Request.URL.Path) == ".gz":
		// Servers that call a file in gzip an encoding of what is in it. It is kept as it is.
	default:
		return fmt.Errorf("the server sends %.20q, unasked: %w: %w", encoding, errors.ErrUnsupported, patch.ErrPermanent)
	}
	if r.ContentLength < 0 && r.ProtoMajor < 2 && len(r.TransferEncoding) == 0 && file.Digest == "" {
		return errors.New("the server does not say how long the file is, so nobody knows when it is whole")
	}
	return nil
}

// A pulse reads, and lets a timer run out when nothing comes.
type pulse struct {
	r     io.Reader
	timer *time.Timer
	every time.Duration
}

func (p *pulse) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.timer.Reset(p.every)
	}
	return n, err
}

// A validator tells one version of a file from another, as one server names it.
type validator struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"` // Last-Modified
	Exact    bool   `json:"exact,omitempty"`    // Modified is old enough to tell bytes from other bytes
}

func validatorOf(r *http.Response) validator {
	v := validator{ETag: r.Header.Get("ETag"), Modified: r.Header.Get("Last-Modified")}
	if len(v.ETag) > 1024 {
		v.ETag = ""
	}
	modified := timeOf(v.Modified)
	if modified.IsZero() {
		v.Modified = ""
	}
	// Within the same minute a file may have changed twice (RFC 9110, 8.8.2.2, says a second; its forerunner said this).
	v.Exact = !modified.IsZero() && dateOf(r).Sub(modified) >= time.Minute
	return v
}

// strong returns what tells bytes from other bytes, for If-Range; "" if nothing does.
func (v validator) strong() string {
	switch {
	case strings.HasPrefix(v.ETag, `"`):
		return v.ETag
	case v.ETag == "" && v.Exact:
		return v.Modified
	}
	return ""
}

func dateOf(r *http.Response) time.Time { return timeOf(r.Header.Get("Date")) }

// timeOf reads a date of a header; zero if it is none.
func timeOf(text string) time.Time {
	t, err := http.ParseTime(text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// contentRange reads "bytes 5-9/10". The last number may be "*", which is not good enough here.
func contentRange(text string) (start, end, total int64, ok bool) {
	rest, found := strings.CutPrefix(text, "bytes ")
	span, whole, cut := strings.Cut(rest, "/")
	from, to, dash := strings.Cut(span, "-")
	if !found || !cut || !dash {
		return 0, 0, 0, false
	}
	numbers := make([]int64, 3)
	for i, s := range []string{from, to, whole} {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 62)
		if err != nil {
			return 0, 0, 0, false
		}
		numbers[i] = int64(n)
	}
	return numbers[0], numbers[1], numbers[2], numbers[0] <= numbers[1] && numbers[1] < numbers[2]
}
