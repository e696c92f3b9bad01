//! Settings that make days into seconds: the same rules, sooner.
//!
//! Not here: anything that changes what is decided, or whom a part talks to.

/// For every part of the pipeline.
pub const PARTS: &[(&str, &str)] = &[
    ("UPSTREAM__MAX_REQUESTS_PER_SECOND", "200"),
    ("UPSTREAM__LIST_APART", "300ms"),
    ("UPSTREAM__LOGIN_APART", "1s"),
    ("UPSTREAM__POLL_EVERY", "50ms"),
    ("UPSTREAM__KEYS_POLL_EVERY", "200ms"),
    ("UPSTREAM__KEY_QUESTIONS_APART", "50ms"),
    ("UPSTREAM__RETRY_WAIT", "50ms"),
    ("UPSTREAM__OUTAGE_PAUSE", "200ms"),
    ("UPSTREAM__OUTAGE_PAUSE_MAX", "500ms"),
    ("UPSTREAM__FAILURE_PAUSE", "200ms"),
    ("RULES__SWEEP_EVERY", "1s"),
    ("RULES__ANNOUNCE_EXISTING", "true"),
    ("RULES__UNKNOWN_KEY_WITHIN", "1s"),
    ("SCHEDULE__RUNNING", "500ms"),
    ("SCHEDULE__AUTOMATIC", "3s"),
    ("SCHEDULE__MANUAL", "3s"),
    ("SCHEDULE__RETRYABLE", "3s"),
    ("SCHEDULE__OTHER", "3s"),
    ("SCHEDULE__FLOOR", "500ms"),
    ("SCHEDULE__FLOOR_MAX", "3s"),
    ("SCHEDULE__CEILING", "3s"),
    ("SCHEDULE__SECOND_LOOK", "500ms"),
    ("SCHEDULE__DELETION_ROUNDS_APART", "500ms"),
    ("SCHEDULE__HINTED_READS_APART", "50ms"),
    ("INGRESS__GRACE", "0s"),
];

/// For what lies between the roles where each is a process of its own.
pub const BETWEEN_ROLES: &[(&str, &str)] = &[
    ("UPSTREAM__LEASE", "3s"),
    ("UPSTREAM__CLAIM", "3s"),
    ("UPSTREAM__LIST_CLAIM", "3s"),
    ("INTERNAL__POLL_EVERY", "200ms"),
    ("INTERNAL__POLL_EVERY_MAX", "400ms"),
    ("INGRESS__CHECKPOINT_EVERY", "500ms"),
    ("RABBITMQ__RECONNECT_AFTER_MAX", "1s"),
    ("SPOOL__RESERVE_BYTES", "1000000"),
    ("SPOOL__ADOPT_EVERY", "500ms"),
    ("CONSUMER__RETRY_MAX", "500ms"),
];
