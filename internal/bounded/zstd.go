package bounded

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// A zstdReader reads zstd frames (RFC 8878), one or several, with github.com/klauspost/compress. The decoder works in the
// caller's goroutine and keeps one window, for all frames together.
type zstdReader struct{ decoder *zstd.Decoder }

func newZstdReader(in io.Reader, limits Limits) (io.Reader, error) {
	// The decoder refuses a bound of less than 1 KiB, which is the smallest window that a frame can have.
	window := max(uint64(limits.Dictionary), zstd.MinWindowSize)
	d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(min(window, zstd.MaxWindowSize)))
	if err != nil {
		return nil, zstdError(err)
	}
	return zstdReader{d}, nil
}

func (z zstdReader) Read(p []byte) (int, error) {
	n, err := z.decoder.Read(p)
	return n, zstdError(err)
}

// zstdError tells what is too large and what is not read here from what is damaged.
func zstdError(err error) error {
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("zstd: %w: %w", err, ErrTooLarge)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return fmt.Errorf("zstd: a dictionary of its own: %w: %w", err, errors.ErrUnsupported)
	}
	return err
}
