"""The tables of the store, as numbered migrations: `PRAGMA user_version` tells how many were applied."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL, basis TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE account (
        email TEXT PRIMARY KEY, aid TEXT NOT NULL UNIQUE, sign_in_problem TEXT
    ) WITHOUT ROWID;

    CREATE TABLE calendar (
        id INTEGER PRIMARY KEY, account TEXT NOT NULL, calendar TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '', time_zone TEXT NOT NULL DEFAULT '',
        sync_token TEXT, last_success REAL,
        UNIQUE (account, calendar)
    );
    CREATE TABLE event (
        calendar_id INTEGER NOT NULL REFERENCES calendar (id) ON DELETE CASCADE,
        id TEXT NOT NULL, etag TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (calendar_id, id)
    );
    CREATE TABLE staged (
        calendar_id INTEGER NOT NULL REFERENCES calendar (id) ON DELETE CASCADE,
        id TEXT NOT NULL, etag TEXT, body BLOB NOT NULL
    );

    CREATE TABLE deed (
        id INTEGER PRIMARY KEY, account TEXT NOT NULL, calendar TEXT NOT NULL, event TEXT NOT NULL,
        verb TEXT NOT NULL, state TEXT NOT NULL, action BLOB NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, retry_at REAL, uncertain INTEGER NOT NULL DEFAULT 0,
        reason TEXT, reason_text TEXT, rule TEXT, run_id TEXT NOT NULL, source TEXT NOT NULL,
        before TEXT, after TEXT, etag TEXT, seen_at REAL NOT NULL, planned_at REAL NOT NULL, finished_at REAL,
        batch_size INTEGER, batch_index INTEGER
    );
    CREATE UNIQUE INDEX open_deed ON deed (account, calendar, event, verb)
        WHERE state IN ('planned', 'started', 'parked', 'held');
    CREATE INDEX deed_event ON deed (account, calendar, event);
    CREATE INDEX deed_run ON deed (run_id) WHERE batch_size IS NOT NULL;

    CREATE TABLE outbox (
        stream TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL,
        created REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', attempts INTEGER NOT NULL DEFAULT 0,
        sent_at REAL, PRIMARY KEY (stream, seq)
    );
    CREATE INDEX outbox_waiting ON outbox (stream, seq) WHERE state = 'waiting';

    CREATE TABLE command (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, args TEXT NOT NULL, source TEXT NOT NULL,
        received REAL NOT NULL, state TEXT NOT NULL, answer TEXT, finished REAL
    );
    CREATE INDEX command_open ON command (state) WHERE state != 'done';

    CREATE TABLE channel (
        id TEXT PRIMARY KEY, account TEXT NOT NULL, calendar TEXT NOT NULL, address TEXT NOT NULL,
        created REAL NOT NULL, resource_id TEXT, expires REAL, confirmed REAL
    );
    """,
    """
    ALTER TABLE deed ADD COLUMN guests INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE deed ADD COLUMN approved INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE deed ADD COLUMN started_at REAL;
    ALTER TABLE account ADD COLUMN rest_until REAL;
    CREATE INDEX deed_sent ON deed (finished_at) WHERE verb = 'invite' AND state IN ('done', 'undone');
    CREATE INDEX deed_open ON deed (state, account, retry_at) WHERE finished_at IS NULL;
    DROP INDEX deed_run;
    CREATE INDEX deed_run ON deed (run_id);
    CREATE TABLE guest (
        account TEXT NOT NULL, calendar TEXT NOT NULL, event TEXT NOT NULL, email TEXT NOT NULL,
        fate TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (account, calendar, event, email)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE copy (
        id INTEGER PRIMARY KEY, uid TEXT NOT NULL, original_start TEXT NOT NULL, target TEXT NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0, event_id TEXT NOT NULL,
        series INTEGER REFERENCES copy (id) ON DELETE CASCADE,
        state TEXT NOT NULL DEFAULT 'planned', etag TEXT, content BLOB, colour TEXT NOT NULL DEFAULT '',
        stamp TEXT NOT NULL DEFAULT '',
        changed_at REAL NOT NULL
    );
    CREATE UNIQUE INDEX copy_meeting ON copy (uid, original_start, target, coalesce(series, 0));
    CREATE UNIQUE INDEX copy_event ON copy (target, event_id);
    CREATE INDEX copy_series ON copy (series) WHERE series IS NOT NULL;
    CREATE TABLE source (
        account TEXT NOT NULL, calendar TEXT NOT NULL, event TEXT NOT NULL,
        copy INTEGER NOT NULL REFERENCES copy (id) ON DELETE CASCADE,
        link BLOB, place INTEGER NOT NULL, PRIMARY KEY (account, calendar, event, copy)
    ) WITHOUT ROWID;
    CREATE INDEX source_copy ON source (copy);
    CREATE TABLE cancelled_date (
        calendar_id INTEGER NOT NULL REFERENCES calendar (id) ON DELETE CASCADE,
        series TEXT NOT NULL, id TEXT NOT NULL, original_start TEXT,
        PRIMARY KEY (calendar_id, series, id)
    ) WITHOUT ROWID;
    CREATE TABLE target (calendar TEXT PRIMARY KEY, account TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE original (
        deed INTEGER PRIMARY KEY, whole TEXT NOT NULL, at REAL NOT NULL
    );
    ALTER TABLE deed ADD COLUMN copy INTEGER;
    ALTER TABLE calendar ADD COLUMN watched INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX deed_copy ON deed (copy) WHERE copy IS NOT NULL;
    CREATE INDEX deed_done ON deed (finished_at) WHERE state = 'done';
    """,
    """
    CREATE TABLE processed (
        name TEXT NOT NULL, guest TEXT NOT NULL, PRIMARY KEY (name, guest)
    ) WITHOUT ROWID;
    """,
)
