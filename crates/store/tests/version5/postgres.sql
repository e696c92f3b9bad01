-- What a program of schema version 5 writes while it works; {n} tells one round from another. `conformance::version5` knows
-- what it must find again.
INSERT INTO apps (app) VALUES ('shop') ON CONFLICT (app) DO NOTHING;
INSERT INTO arrivals (stripe, app, last_webhook_at) VALUES (pg_backend_pid() % 64, 'shop', 1800000000000000)
    ON CONFLICT (stripe, app) DO UPDATE SET last_webhook_at = greatest(arrivals.last_webhook_at, excluded.last_webhook_at);
INSERT INTO bodies (id, app, sha256, size, bytes, tells, last_receipt)
    VALUES ('0000000{n}-0000-7000-8000-000000000b0d', 'shop', '\x{sha256}', 2, '\x7b7d', '{"tokens":{"tokens":["TOKEN0000{n}"],"more":false}}',
        '0000000{n}-0000-7000-8000-000000000001')
    ON CONFLICT (id) DO UPDATE SET last_receipt = excluded.last_receipt WHERE bodies.last_receipt < excluded.last_receipt;
INSERT INTO deliveries (receipt, app, instance, sequence, received_at, verification, binds_body, kid, signature, body_id, token,
        duplicate, content_type)
    VALUES ('0000000{n}-0000-7000-8000-000000000001', 'shop', '0000000{n}-0000-4000-8000-000000000000', 1, 1800000000000000,
            'verified', TRUE, '0000000{n}-0000-4000-8000-000000000007', NULL, '0000000{n}-0000-7000-8000-000000000b0d', 'TOKEN0000{n}', FALSE,
            'application/json'),
        ('0000000{n}-0000-7000-8000-000000000002', 'shop', '0000000{n}-0000-4000-8000-000000000000', 2, 1800000000000000,
            'pending', FALSE, '0000000{n}-0000-4000-8000-000000000008', 'jwt', '0000000{n}-0000-7000-8000-000000000b0d', 'TOKEN0000{n}', TRUE,
            'application/json')
    ON CONFLICT (receipt) DO NOTHING;
INSERT INTO refreshes (app, token, hint_no, told_no, hinted_at, hinted_again_at)
    VALUES ('shop', 'TOKEN0000{n}', 1, 1, 1800000000000000, 1800000000000000)
    ON CONFLICT (app, token) DO UPDATE SET
        hint_no = refreshes.hint_no + excluded.hint_no, told_no = refreshes.hint_no + excluded.hint_no,
        hinted_at = least(refreshes.hinted_at, excluded.hinted_at),
        hinted_again_at = least(refreshes.hinted_again_at, excluded.hinted_again_at), forgotten_at = NULL;
INSERT INTO keys (app, kid, waiting, waiting_since)
    VALUES ('shop', '0000000{n}-0000-4000-8000-000000000008', 1, 1800000000000000)
    ON CONFLICT (app, kid) DO UPDATE SET
        waiting = keys.waiting + excluded.waiting,
        waiting_since = least(keys.waiting_since, excluded.waiting_since);
INSERT INTO keys (app, kid, jwk, read_at) VALUES ('shop', '0000000{n}-0000-4000-8000-000000000007', '{}', 1800000000000000)
    ON CONFLICT (app, kid) DO UPDATE SET
        jwk = excluded.jwk, read_at = excluded.read_at, not_found = 0, first_not_found_at = NULL;
INSERT INTO told (stripe, instance, through) VALUES (pg_backend_pid() % 64, '0000000{n}-0000-4000-8000-000000000000', 1)
    ON CONFLICT (instance, stripe) DO UPDATE SET through = excluded.through WHERE told.through < excluded.through;
INSERT INTO checkpoints (instance, started_at, at, decided_through, last)
    VALUES ('0000000{n}-0000-4000-8000-000000000000', 1800000000000000, 1800000000000000, 5, TRUE)
    ON CONFLICT (instance) DO UPDATE SET
        started_at = excluded.started_at, at = greatest(checkpoints.at, excluded.at),
        decided_through = greatest(checkpoints.decided_through, excluded.decided_through),
        last = checkpoints.last OR excluded.last;
INSERT INTO refused (instance, first, through) VALUES ('0000000{n}-0000-4000-8000-000000000000', 3, 3);
INSERT INTO dead_letters (receipt, app, instance, sequence, reason, detail, buried_at, envelope, body)
    VALUES ('0000000{n}-0000-7000-8000-000000000004', 'shop', '0000000{n}-0000-4000-8000-000000000000', 4, 'culprit', 'why',
            1800000000000000, '{}', '\x7b7d'),
        ('0000000{n}-0000-7000-8000-000000000005', 'shop', '0000000{n}-0000-4000-8000-000000000000', 5, 'culprit', 'why',
            1800000000000000, '{}', '\x7b7d');
INSERT INTO discarded (instance, sequence, receipt, reason, discarded_at)
    SELECT instance, sequence, receipt, reason, 1800000000000000 FROM dead_letters
    WHERE receipt = '0000000{n}-0000-7000-8000-000000000005' AND instance IS NOT NULL
    ON CONFLICT DO NOTHING;
DELETE FROM dead_letters WHERE receipt = '0000000{n}-0000-7000-8000-000000000005';
INSERT INTO connections (app, token, status, entity, update_token, restore_token, two_factor_enabled, has_credentials,
        external_id, created_at, updated_at, last_sync, error_reason, error_type, error_retryable, raw, version, read_no, as_of,
        deleted_at, unchanged_reads, absence, regression, announced, missing, deletion_held_at, deletion_approved_at)
    VALUES ('shop', 'TOKEN0000{n}', 'READY', 'santander', NULL, NULL, NULL, TRUE, 'customer-{n}', 1800000000000000,
        1800000001000000, 1800000001000000, NULL, NULL, NULL, '{raw}', 1, {n}, 1800000001000000, NULL, 0, NULL, NULL, NULL, FALSE,
        NULL, NULL)
    ON CONFLICT (app, token) DO UPDATE SET raw = excluded.raw;
INSERT INTO observations (app, token, read_no, as_of, cause, hinted, deletions_allowed, announce, answer, raw, verdict, version,
        request_id)
    VALUES ('shop', 'TOKEN0000{n}', {n}, 1800000001000000, 'hint', TRUE, TRUE, TRUE, 'found', '{raw}', 'applied', 1, 'request')
    ON CONFLICT (app, token, read_no) DO NOTHING;
INSERT INTO gaps (app, token, kind, read_no, found_at) VALUES ('shop', 'TOKEN0000{n}', 'update', {n}, 1800000000000000)
    ON CONFLICT (app, token, kind, read_no) DO NOTHING;
INSERT INTO outbox (id, app, token, kind, version, time, committed_at, event)
    VALUES ('event-{n}', 'shop', 'TOKEN0000{n}', 'finlinkd.connection.synced.v1', 1, 1800000001000000, 1800000001000000,
        '{"n":{n}}')
    ON CONFLICT (id) DO NOTHING;
INSERT INTO sessions (app, fingerprint, sealed, login_at, expires_at)
    VALUES ('shop', 'fingerprint-{n}', '\x7b7d', 1800000000000000, 1900000000000000)
    ON CONFLICT (app, fingerprint) DO UPDATE SET sealed = excluded.sealed;
INSERT INTO counters (stripe, app, name, word, value)
    SELECT pg_backend_pid() % 64, 'shop', * FROM (VALUES
        ('deliveries', 'verified', 1), ('deliveries', 'pending', 1), ('duplicates', '', 1), ('bodies', '', 1),
        ('body_bytes', '', 2), ('events', '', 1), ('gaps', 'update', 1), ('dead_letters', 'culprit', 1)) AS sums
    ON CONFLICT (stripe, app, name, word) DO UPDATE SET value = counters.value + excluded.value;
INSERT INTO leases (app, holder, fence, expires_at) VALUES ('shop', '0000000{n}-0000-4000-8000-000000000009', 1, 1700000000000000)
    ON CONFLICT (app) DO UPDATE SET
        fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END, holder = excluded.holder,
        expires_at = excluded.expires_at
    WHERE leases.holder IS NULL OR leases.holder = excluded.holder OR leases.expires_at <= 1700000000000000;
