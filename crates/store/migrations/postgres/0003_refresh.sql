-- What the reconciler reads and writes: what to look at, what is known, keys, sessions and leases.

-- A row per connection and one per app (token ''). Every row of `connections` has one here.
CREATE TABLE refreshes (
    app             text COLLATE "C" NOT NULL,
    token           text COLLATE "C" NOT NULL,
    -- Hints so far, those of them answered, and hint_no as the last webhook (not a person) left it (R1).
    hint_no         bigint NOT NULL DEFAULT 0,
    answered_no     bigint NOT NULL DEFAULT 0,
    told_no         bigint NOT NULL DEFAULT 0,
    -- The oldest unanswered hint, and the first one since the row was last claimed.
    hinted_at       bigint,
    hinted_again_at bigint,
    scheduled_at    bigint,
    not_before      bigint NOT NULL DEFAULT 0,
    claimed_until   bigint,
    failures        bigint NOT NULL DEFAULT 0,
    last_error      text,
    last_request_id text,
    reason          text NOT NULL DEFAULT 'schedule',
    -- Finlink does not know the token. The row stays for a while, unseen, so that no claim made before answers a hint made
    -- after: hints go on being counted from where they were.
    forgotten_at    bigint,
    -- When it may be claimed; NULL: nobody wants to look.
    claimable_at    bigint GENERATED ALWAYS AS (CASE
        WHEN hint_no > answered_no THEN greatest(not_before, claimed_until)
        WHEN scheduled_at IS NOT NULL THEN greatest(scheduled_at, not_before, claimed_until)
    END) STORED,
    PRIMARY KEY (app, token)
) WITH (fillfactor = 70);
CREATE INDEX refreshes_claimable ON refreshes (app, claimable_at) WHERE claimable_at IS NOT NULL;
CREATE INDEX refreshes_hinted ON refreshes (app, hinted_at) WHERE hinted_at IS NOT NULL;
CREATE INDEX refreshes_forgotten ON refreshes (app, forgotten_at) WHERE forgotten_at IS NOT NULL;

CREATE TABLE connections (
    app                  text COLLATE "C" NOT NULL,
    token                text COLLATE "C" NOT NULL,
    -- The newest read that counted, in columns for SQL users and filters, and whole.
    status               text NOT NULL,
    entity               text,
    update_token         text,
    restore_token        text,
    two_factor_enabled   boolean,
    has_credentials      boolean,
    external_id          text,
    created_at           bigint,
    updated_at           bigint,
    last_sync            bigint,
    error_reason         text,
    error_type           text,
    error_retryable      boolean,
    raw                  text NOT NULL,
    version              bigint NOT NULL,
    read_no              bigint NOT NULL,
    as_of                bigint NOT NULL,
    deleted_at           bigint,
    unchanged_reads      bigint NOT NULL,
    -- Evidence still being gathered (R2, R3) and events made lately (R6), each as the rules write it; NULL: none.
    absence              text,
    regression           text,
    announced            text,
    -- Missing and not deleted; proven to be deleted but held; and what an operator said to that.
    missing              boolean NOT NULL,
    deletion_held_at     bigint,
    deletion_approved_at bigint,
    PRIMARY KEY (app, token)
) WITH (fillfactor = 80);
CREATE INDEX connections_by_status ON connections (app, status, deleted_at);
CREATE INDEX connections_missing ON connections (app) WHERE missing;
CREATE INDEX connections_held ON connections (app) WHERE deletion_held_at IS NOT NULL;

-- The reads that changed something, and what they were judged by: enough to derive `connections` again.
CREATE TABLE observations (
    app               text COLLATE "C" NOT NULL,
    token             text COLLATE "C" NOT NULL,
    read_no           bigint NOT NULL,
    as_of             bigint NOT NULL,
    cause             text NOT NULL,
    hinted            boolean NOT NULL,
    deletions_allowed boolean NOT NULL,
    announce          boolean NOT NULL,
    -- `found`, `not_found` or `not_listed`; the status as it came where it was found.
    answer            text NOT NULL,
    raw               text,
    verdict           text NOT NULL,
    version           bigint NOT NULL,
    request_id        text,
    PRIMARY KEY (app, token, read_no)
);

-- Changes that a read found and that no webhook had told of.
CREATE TABLE gaps (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    app       text COLLATE "C" NOT NULL,
    token     text COLLATE "C" NOT NULL,
    kind      text NOT NULL,
    read_no   bigint NOT NULL,
    found_at  bigint NOT NULL,
    closed_at bigint,
    outcome   text,
    UNIQUE (app, token, kind, read_no)
);
CREATE INDEX gaps_open ON gaps (app, token, found_at) WHERE closed_at IS NULL;

-- Verification keys, and keys that pending webhooks wait for (jwk NULL while unknown).
CREATE TABLE keys (
    app                text COLLATE "C" NOT NULL,
    kid                uuid NOT NULL,
    jwk                text,
    read_at            bigint,
    waiting            bigint NOT NULL DEFAULT 0,
    waiting_since      bigint,
    not_found          bigint NOT NULL DEFAULT 0,
    first_not_found_at bigint,
    asked_at           bigint,
    PRIMARY KEY (app, kid)
);
CREATE INDEX keys_waiting ON keys (app, waiting_since) WHERE waiting > 0;

CREATE TABLE sessions (
    app         text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    sealed      bytea NOT NULL,
    login_at    bigint NOT NULL,
    expires_at  bigint NOT NULL,
    PRIMARY KEY (app, fingerprint)
);

-- The right to talk to Finlink for an app; a row outlives its holder so that the fence never falls.
CREATE TABLE leases (
    app        text COLLATE "C" PRIMARY KEY,
    holder     uuid,
    fence      bigint NOT NULL,
    expires_at bigint NOT NULL
) WITH (fillfactor = 50);
