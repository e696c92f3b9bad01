-- What a program of schema version 5 writes while it works; {n} tells one round from another. `conformance::version5` knows
-- what it must find again.
INSERT INTO apps (app, last_webhook_at) VALUES ('shop', 1800000000000000)
    ON CONFLICT (app) DO UPDATE SET
        last_webhook_at = max(coalesce(last_webhook_at, excluded.last_webhook_at), excluded.last_webhook_at);
INSERT INTO bodies (id, app, sha256, size, bytes, tells, last_receipt)
    VALUES (X'0000000{n}000070008000000000000b0d', 'shop', X'{sha256}', 2, X'7b7d', '{"tokens":{"tokens":["TOKEN0000{n}"],"more":false}}',
        X'0000000{n}000070008000000000000001')
    ON CONFLICT (id) DO NOTHING;
INSERT INTO deliveries (receipt, app, instance, sequence, received_at, verification, binds_body, kid, signature, body_id, token,
        duplicate, content_type)
    VALUES (X'0000000{n}000070008000000000000001', 'shop', X'0000000{n}000040008000000000000000', 1, 1800000000000000,
            'verified', 1, X'0000000{n}000040008000000000000007', NULL, X'0000000{n}000070008000000000000b0d', 'TOKEN0000{n}', 0,
            'application/json'),
        (X'0000000{n}000070008000000000000002', 'shop', X'0000000{n}000040008000000000000000', 2, 1800000000000000,
            'pending', 0, X'0000000{n}000040008000000000000008', 'jwt', X'0000000{n}000070008000000000000b0d', 'TOKEN0000{n}', 1,
            'application/json')
    ON CONFLICT (receipt) DO NOTHING;
INSERT INTO refreshes (app, token, hint_no, told_no, answered_no, hinted_at, hinted_again_at, reason)
    SELECT 'shop', 'TOKEN0000{n}', forgotten + 1, forgotten + 1, forgotten, 1800000000000000, 1800000000000000, 'schedule'
    FROM (SELECT coalesce((SELECT hints_forgotten FROM apps WHERE app = 'shop'), 0) AS forgotten) WHERE TRUE
    ON CONFLICT (app, token) DO UPDATE SET hint_no = hint_no + 1, told_no = hint_no + 1;
INSERT INTO keys (app, kid, waiting, waiting_since)
    VALUES ('shop', X'0000000{n}000040008000000000000008', 1, 1800000000000000)
    ON CONFLICT (app, kid) DO UPDATE SET
        waiting = waiting + excluded.waiting,
        waiting_since = min(coalesce(waiting_since, excluded.waiting_since), excluded.waiting_since);
INSERT INTO keys (app, kid, jwk, read_at) VALUES ('shop', X'0000000{n}000040008000000000000007', '{}', 1800000000000000)
    ON CONFLICT (app, kid) DO UPDATE SET
        jwk = excluded.jwk, read_at = excluded.read_at, not_found = 0, first_not_found_at = NULL;
INSERT INTO checkpoints (instance, told_through) VALUES (X'0000000{n}000040008000000000000000', 1)
    ON CONFLICT (instance) DO UPDATE SET told_through = excluded.told_through WHERE told_through < excluded.told_through;
INSERT INTO checkpoints (instance, started_at, at, decided_through, last)
    VALUES (X'0000000{n}000040008000000000000000', 1800000000000000, 1800000000000000, 5, 1)
    ON CONFLICT (instance) DO UPDATE SET
        started_at = excluded.started_at, at = max(coalesce(at, excluded.at), excluded.at),
        decided_through = max(decided_through, excluded.decided_through), last = max(last, excluded.last);
INSERT INTO refused (instance, first, through) VALUES (X'0000000{n}000040008000000000000000', 3, 3);
INSERT INTO dead_letters (receipt, app, instance, sequence, reason, detail, buried_at, envelope, body)
    VALUES (X'0000000{n}000070008000000000000004', 'shop', X'0000000{n}000040008000000000000000', 4, 'culprit', 'why',
            1800000000000000, '{}', X'7b7d'),
        (X'0000000{n}000070008000000000000005', 'shop', X'0000000{n}000040008000000000000000', 5, 'culprit', 'why',
            1800000000000000, '{}', X'7b7d');
INSERT INTO discarded (instance, sequence, receipt, reason, discarded_at)
    SELECT instance, sequence, receipt, reason, 1800000000000000 FROM dead_letters
    WHERE receipt = X'0000000{n}000070008000000000000005' AND instance IS NOT NULL
    ON CONFLICT DO NOTHING;
DELETE FROM dead_letters WHERE receipt = X'0000000{n}000070008000000000000005';
INSERT INTO connections (app, token, status, entity, update_token, restore_token, two_factor_enabled, has_credentials,
        external_id, created_at, updated_at, last_sync, error_reason, error_type, error_retryable, raw, version, read_no, as_of,
        deleted_at, unchanged_reads, absence, regression, announced, missing, deletion_held_at, deletion_approved_at)
    VALUES ('shop', 'TOKEN0000{n}', 'READY', 'santander', NULL, NULL, NULL, 1, 'customer-{n}', 1800000000000000,
        1800000001000000, 1800000001000000, NULL, NULL, NULL, '{raw}', 1, {n}, 1800000001000000, NULL, 0, NULL, NULL, NULL, 0,
        NULL, NULL)
    ON CONFLICT (app, token) DO UPDATE SET raw = excluded.raw;
INSERT INTO observations (app, token, read_no, as_of, cause, hinted, deletions_allowed, announce, answer, raw, verdict, version,
        request_id)
    VALUES ('shop', 'TOKEN0000{n}', {n}, 1800000001000000, 'hint', 1, 1, 1, 'found', '{raw}', 'applied', 1, 'request')
    ON CONFLICT (app, token, read_no) DO NOTHING;
INSERT INTO gaps (app, token, kind, read_no, found_at) VALUES ('shop', 'TOKEN0000{n}', 'update', {n}, 1800000000000000)
    ON CONFLICT (app, token, kind, read_no) DO NOTHING;
INSERT INTO outbox (id, app, token, kind, version, time, committed_at, event)
    VALUES ('event-{n}', 'shop', 'TOKEN0000{n}', 'finlinkd.connection.synced.v1', 1, 1800000001000000, 1800000001000000,
        '{"n":{n}}')
    ON CONFLICT (id) DO NOTHING;
INSERT INTO sessions (app, fingerprint, sealed, login_at, expires_at)
    VALUES ('shop', 'fingerprint-{n}', X'7b7d', 1800000000000000, 1900000000000000)
    ON CONFLICT (app, fingerprint) DO UPDATE SET sealed = excluded.sealed;
INSERT INTO counters (app, name, word, value) VALUES
        ('shop', 'deliveries', 'verified', 1), ('shop', 'deliveries', 'pending', 1), ('shop', 'duplicates', '', 1),
        ('shop', 'bodies', '', 1), ('shop', 'body_bytes', '', 2), ('shop', 'events', '', 1), ('shop', 'gaps', 'update', 1),
        ('shop', 'dead_letters', 'culprit', 1)
    ON CONFLICT (app, name, word) DO UPDATE SET value = value + excluded.value;
INSERT INTO leases (app, holder, fence, expires_at) VALUES ('shop', X'0000000{n}000040008000000000000009', 1, 1700000000000000)
    ON CONFLICT (app) DO UPDATE SET
        fence = fence + CASE WHEN holder = excluded.holder THEN 0 ELSE 1 END, holder = excluded.holder,
        expires_at = excluded.expires_at
    WHERE holder IS NULL OR holder = excluded.holder OR expires_at <= 1700000000000000;
