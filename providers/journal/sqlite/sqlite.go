// Package sqlite keeps rollouts in one SQLite file: the journal for a single machine. It needs no server and no C
// compiler.
//
// What a call stored is on the disk when it returns: the file is in WAL mode and every commit waits for the disk.
// Calls that come together share one commit, so that a thousand devices that report at once do not wait for the disk a
// thousand times. Readers do not wait for writers, nor writers for readers.
//
// Several processes may have the same file open. Only one of them owns a rollout at a time, and the journal does not say
// which: the one that comes too late gets [rollout.ErrConflict]. The file must be on a local disk; network file systems do
// not lock it well enough.
//
// The file belongs to a copy of SQLite built into this package ([modernc.org/sqlite]), but is an ordinary database that the
// sqlite3 tool can read, also while the journal is open. Its -wal and -shm companions belong to it: a backup that copies
// files needs all three, or better sqlite3's ".backup".
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"
	modernc "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/patchflow/patchflow/rollout"
)

// Config says where a journal is. Only Path is required.
type Config struct {
	// Path names the file. It is made if it is missing, readable by its owner alone; its folder has to be there.
	Path string

	// BusyTimeout is how long a call waits while another process is writing to the file; zero means five seconds.
	BusyTimeout time.Duration

	// Readers is how many calls may read at the same time; zero means four. Others wait. No reader is held while a
	// caller goes through entries or heads.
	Readers int

	// Logger hears of groups that failed (Warn) and of those that were written (Debug); nil means silence.
	Logger *slog.Logger
}

// A Journal is a [rollout.Journal] in a file. It is safe for concurrent use. It owns one goroutine, which writes, from
// [Open] to [Journal.Close].
type Journal struct {
	path   string
	logger *slog.Logger
	reads  *sql.DB
	writes *sql.DB
	writer *writer

	queue   chan *request
	closing chan struct{} // closed when Close begins
	stopped chan struct{} // closed when the writing goroutine has ended
	close   func() error
}

var (
	_ rollout.Journal = (*Journal)(nil)
	_ rollout.Trimmer = (*Journal)(nil)
)

// Open opens the journal at cfg.Path, and makes it if there is none. ctx bounds the opening alone. A file that is something
// else, that a newer version of this package has written, or that is damaged is an error that names the file, and is left
// as it is. Opening does not read the whole file: damage further inside shows when it is read.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	if cfg.Path == "" || cfg.Path == ":memory:" {
		return nil, errors.New("sqlite: Config.Path has to name a file; package memjournal keeps rollouts in memory")
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	j := &Journal{
		path:    path,
		logger:  cfg.Logger,
		queue:   make(chan *request),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	j.close = sync.OnceValue(j.shut)
	if j.logger == nil {
		j.logger = slog.New(slog.DiscardHandler)
	}
	if err := j.open(ctx, cfg); err != nil {
		err = j.failed(err)
		_ = j.shutFiles() // the first error says it
		return nil, err
	}
	go j.write()
	return j, nil
}

func (j *Journal) open(ctx context.Context, cfg Config) error {
	// SQLite would make the file readable by everybody.
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	busy := cfg.BusyTimeout
	if busy == 0 {
		busy = 5 * time.Second
	}
	writes, err := modernc.NewConnector(dsn(j.path, busy, false))
	if err != nil {
		return err
	}
	reads, err := modernc.NewConnector(dsn(j.path, busy, true))
	if err != nil {
		return err
	}
	j.writes, j.reads = sql.OpenDB(writes), sql.OpenDB(reads)
	j.writes.SetMaxOpenConns(1)
	readers := cfg.Readers
	if readers <= 0 {
		readers = 4
	}
	j.reads.SetMaxOpenConns(readers)
	j.reads.SetMaxIdleConns(readers)
	if err := prepareFile(ctx, j.writes); err != nil {
		return err
	}
	j.writer, err = newWriter(ctx, j.writes)
	return err
}

// Close waits for the writes that have begun, then closes the file. Those that wait for their turn, and every call from
// now on, fail with an error that wraps [os.ErrClosed]. Closing again waits for the first, and returns what that returned.
func (j *Journal) Close() error { return j.close() }

func (j *Journal) shut() error {
	close(j.closing)
	<-j.stopped
	return j.shutFiles()
}

// shutFiles closes the readers first: the last to close moves the WAL into the file, and is to be the one that may.
func (j *Journal) shutFiles() error {
	var errs *multierror.Error
	if j.reads != nil {
		errs = multierror.Append(errs, j.reads.Close())
	}
	if j.writer != nil {
		errs = multierror.Append(errs, j.writer.close())
	}
	if j.writes != nil {
		errs = multierror.Append(errs, j.writes.Close())
	}
	if err := errs.ErrorOrNil(); err != nil {
		return fmt.Errorf("sqlite: %s: close: %w", j.path, err)
	}
	return nil
}

// closed returns an error once Close has begun.
func (j *Journal) closed() error {
	select {
	case <-j.closing:
		return os.ErrClosed
	default:
		return nil
	}
}

// failed names the file in an error.
func (j *Journal) failed(err error) error {
	if err == nil {
		return nil
	}
	var path *os.PathError
	if errors.As(err, &path) && path.Path == j.path {
		return fmt.Errorf("sqlite: %w", err) // it names the file
	}
	return fmt.Errorf("sqlite: %s: %w", j.path, j.explain(err))
}

// of names the file and the rollout in an error.
func (j *Journal) of(k rollout.Key, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sqlite: %s: %v: %w", j.path, k, j.explain(err))
}

// explain says what SQLite means by an error.
func (j *Journal) explain(err error) error {
	if refused(err) || errors.Is(err, os.ErrClosed) {
		return err
	}
	if j.closed() != nil {
		return fmt.Errorf("%w: %w", os.ErrClosed, err)
	}
	switch code(err) {
	case lib.SQLITE_CORRUPT:
		return fmt.Errorf("the file is damaged or cut off: %w", err)
	case lib.SQLITE_NOTADB:
		return fmt.Errorf("the file is no patchflow journal: %w", err)
	case lib.SQLITE_BUSY:
		return fmt.Errorf("another process is writing to the file: %w", err)
	}
	return err
}

// code returns SQLite's primary result code of an error, 0 if there is none.
func code(err error) int {
	var e *modernc.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
