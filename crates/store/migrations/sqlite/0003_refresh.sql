-- What the reconciler reads and writes: what to look at, what is known, keys, sessions and leases.

-- A row per connection and one per app (token ''). Every row of `connections` has one here.
CREATE TABLE refreshes (
    app             TEXT NOT NULL,
    token           TEXT NOT NULL,
    -- Hints so far, those of them answered, and hint_no as the last webhook (not a person) left it (R1).
    hint_no         INTEGER NOT NULL DEFAULT 0,
    answered_no     INTEGER NOT NULL DEFAULT 0,
    told_no         INTEGER NOT NULL DEFAULT 0,
    -- The oldest unanswered hint, and the first one since the row was last claimed.
    hinted_at       INTEGER,
    hinted_again_at INTEGER,
    scheduled_at    INTEGER,
    not_before      INTEGER NOT NULL DEFAULT 0,
    claimed_until   INTEGER,
    failures        INTEGER NOT NULL DEFAULT 0,
    last_error      TEXT,
    last_request_id TEXT,
    reason          TEXT NOT NULL,
    -- When it may be claimed; NULL: nobody wants to look.
    claimable_at    INTEGER GENERATED ALWAYS AS (CASE
        WHEN hint_no > answered_no THEN max(not_before, coalesce(claimed_until, not_before))
        WHEN scheduled_at IS NOT NULL THEN max(scheduled_at, not_before, coalesce(claimed_until, not_before))
    END) VIRTUAL,
    PRIMARY KEY (app, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX refreshes_claimable ON refreshes (app, claimable_at) WHERE claimable_at IS NOT NULL;
CREATE INDEX refreshes_hinted ON refreshes (app, hinted_at) WHERE hinted_at IS NOT NULL;

CREATE TABLE connections (
    app                TEXT NOT NULL,
    token              TEXT NOT NULL,
    -- The newest read that counted, in columns for SQL users and filters, and whole.
    status             TEXT NOT NULL,
    entity             TEXT,
    update_token       TEXT,
    restore_token      TEXT,
    two_factor_enabled INTEGER,
    has_credentials    INTEGER,
    external_id        TEXT,
    created_at         INTEGER,
    updated_at         INTEGER,
    last_sync          INTEGER,
    error_reason       TEXT,
    error_type         TEXT,
    error_retryable    INTEGER,
    raw                TEXT NOT NULL,
    version            INTEGER NOT NULL,
    read_no            INTEGER NOT NULL,
    as_of              INTEGER NOT NULL,
    deleted_at         INTEGER,
    unchanged_reads    INTEGER NOT NULL,
    -- Evidence still being gathered (R2, R3) and events made lately (R6), each as the rules write it; NULL: none.
    absence            TEXT,
    regression         TEXT,
    announced          TEXT,
    -- Missing and not deleted; proven to be deleted but held; and what an operator said to that.
    missing            INTEGER NOT NULL,
    deletion_held_at   INTEGER,
    deletion_approved_at INTEGER,
    PRIMARY KEY (app, token)
) STRICT;
CREATE INDEX connections_by_status ON connections (app, status, deleted_at);
CREATE INDEX connections_live ON connections (app) WHERE deleted_at IS NULL;
CREATE INDEX connections_missing ON connections (app) WHERE missing = 1;
CREATE INDEX connections_held ON connections (app) WHERE deletion_held_at IS NOT NULL;

-- The reads that changed something, and what they were judged by: enough to derive `connections` again.
CREATE TABLE observations (
    app               TEXT NOT NULL,
    token             TEXT NOT NULL,
    read_no           INTEGER NOT NULL,
    as_of             INTEGER NOT NULL,
    cause             TEXT NOT NULL,
    hinted            INTEGER NOT NULL,
    deletions_allowed INTEGER NOT NULL,
    announce          INTEGER NOT NULL,
    -- `found`, `not_found` or `not_listed`; the status as it came where it was found.
    answer            TEXT NOT NULL,
    raw               TEXT,
    verdict           TEXT NOT NULL,
    version           INTEGER NOT NULL,
    request_id        TEXT,
    PRIMARY KEY (app, token, read_no)
) STRICT, WITHOUT ROWID;

-- Changes that a read found and that no webhook had told of.
CREATE TABLE gaps (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    app       TEXT NOT NULL,
    token     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    read_no   INTEGER NOT NULL,
    found_at  INTEGER NOT NULL,
    closed_at INTEGER,
    outcome   TEXT,
    UNIQUE (app, token, kind, read_no)
) STRICT;
CREATE INDEX gaps_open ON gaps (app, token, found_at) WHERE closed_at IS NULL;

-- Verification keys, and keys that pending webhooks wait for (jwk NULL while unknown).
CREATE TABLE keys (
    app                TEXT NOT NULL,
    kid                BLOB NOT NULL,
    jwk                TEXT,
    read_at            INTEGER,
    waiting            INTEGER NOT NULL DEFAULT 0,
    waiting_since      INTEGER,
    not_found          INTEGER NOT NULL DEFAULT 0,
    first_not_found_at INTEGER,
    asked_at           INTEGER,
    PRIMARY KEY (app, kid)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_waiting ON keys (app, waiting_since) WHERE waiting > 0;

CREATE TABLE sessions (
    app         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    login_at    INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (app, fingerprint)
) STRICT, WITHOUT ROWID;

-- The right to talk to Finlink for an app; a row outlives its holder so that the fence never falls.
CREATE TABLE leases (
    app        TEXT PRIMARY KEY,
    holder     BLOB,
    fence      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
