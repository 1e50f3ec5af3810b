package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

const (
	applicationID = 0x50666C77 // "Pflw" in the header of the file, where SQLite keeps what a file is for
	schemaVersion = 3          // in the header's user version
)

// schema is what a new file holds. The plan has a table of its own, since SQLite writes a whole row when a field of it
// changes. Entries are kept in the order in which they came, of all rollouts, with an index: kept by rollout, each of a
// thousand rollouts would write a page of its own, which costs 1.6 times the processor time (and reading is no faster).
// Counts never go down but by a trim; trims counts those, so that a reader notices.
const schema = `
CREATE TABLE rollout (
	number     INTEGER PRIMARY KEY,
	tenant     TEXT    NOT NULL,
	id         TEXT    NOT NULL,
	entries    INTEGER NOT NULL,
	trims      INTEGER NOT NULL DEFAULT 0,
	stage      TEXT    NOT NULL,
	final      INTEGER NOT NULL,
	created    TEXT    NOT NULL,
	updated    TEXT    NOT NULL,
	quarantine TEXT,
	reviews    TEXT,
	leftover   INTEGER NOT NULL DEFAULT 0,
	UNIQUE (tenant, id)
) STRICT;
CREATE INDEX open ON rollout (tenant, id) WHERE (final = 0 OR leftover > 0);
CREATE TABLE plan (
	rollout INTEGER PRIMARY KEY REFERENCES rollout,
	data    BLOB NOT NULL
) STRICT;
CREATE TABLE entry (
	rollout INTEGER NOT NULL REFERENCES rollout,
	n       INTEGER NOT NULL,
	data    BLOB    NOT NULL,
	UNIQUE (rollout, n)
) STRICT;
`

// migrations returns what each version has brought, from version 2 on, for files of the version before.
func migrations() []string {
	return []string{
		"ALTER TABLE rollout ADD COLUMN reviews TEXT;",
		"ALTER TABLE rollout ADD COLUMN leftover INTEGER NOT NULL DEFAULT 0;" +
			"DROP INDEX unfinished; CREATE INDEX open ON rollout (tenant, id) WHERE (final = 0 OR leftover > 0);",
	}
}

// dsn names the file and what every connection to it is told. None of that changes a file that is not ours.
func dsn(path string, busy time.Duration, readOnly bool) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	pragmas := []string{
		fmt.Sprintf("busy_timeout(%d)", max(busy.Milliseconds(), 1)),
		"synchronous(FULL)",
		"foreign_keys(1)",
		"fullfsync(1)", "checkpoint_fullfsync(1)", // macOS: fsync alone leaves data in the drive's cache; elsewhere no effect
		"wal_autocheckpoint(4000)",     // pages: 16 MiB
		"journal_size_limit(67108864)", // a WAL that a large plan has blown up is cut back to 64 MiB
		"cache_size(-8192)",            // KiB
	}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// prepareFile makes sure that the file is a journal of a version that we know, brings an older one up to ours, and makes an empty
// file one.
func prepareFile(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := isJournal(ctx, conn); err != nil {
		return err
	}
	var mode string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file cannot be put into WAL mode, only into %q: is it on a network file system?", mode)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := createTables(ctx, conn); err != nil {
		conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// createTables fills an empty file, or brings an older one up to date. It looks again what it is, since another process may have
// been faster.
func createTables(ctx context.Context, conn *sql.Conn) error {
	version, err := isJournal(ctx, conn)
	if err != nil || version == schemaVersion {
		return err
	}
	change := schema
	if version > 0 {
		change = strings.Join(migrations()[version-1:], " ")
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;", change, applicationID, schemaVersion))
	return err
}

// isJournal returns the schema of the file, if it is a journal that we can use. An empty file has 0, without being an error.
func isJournal(ctx context.Context, conn *sql.Conn) (int64, error) {
	var id, version, tables int64
	row := conn.QueryRowContext(ctx,
		"SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id a, pragma_user_version v")
	if err := row.Scan(&id, &version, &tables); err != nil {
		return 0, err
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return 0, nil
	case id != applicationID:
		return 0, fmt.Errorf("the file is no patchflow journal: it is another program's database (application ID %#x)", uint32(id))
	case version > schemaVersion:
		return 0, fmt.Errorf("the file was written by a newer version: its schema is %d, this version knows %d", version, schemaVersion)
	case version < 1:
		return 0, fmt.Errorf("the file has schema %d, which no version has written", version)
	}
	return version, nil
}
