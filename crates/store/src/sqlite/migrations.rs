//! The schema's steps, in order. A step that was released is never changed; new ones expand first and contract later.

use sqlite::Migration;

/// All of them.
pub(super) const ALL: &[Migration] = &[
    Migration { version: 1, name: "base", sql: include_str!("../../migrations/sqlite/0001_base.sql") },
    Migration { version: 2, name: "intake", sql: include_str!("../../migrations/sqlite/0002_intake.sql") },
    Migration { version: 3, name: "refresh", sql: include_str!("../../migrations/sqlite/0003_refresh.sql") },
    Migration { version: 4, name: "feed", sql: include_str!("../../migrations/sqlite/0004_feed.sql") },
    Migration { version: 5, name: "discarded", sql: include_str!("../../migrations/sqlite/0005_discarded.sql") },
    Migration { version: 6, name: "key answers", sql: include_str!("../../migrations/sqlite/0006_key_answers.sql") },
    Migration { version: 7, name: "key order", sql: include_str!("../../migrations/sqlite/0007_key_order.sql") },
    Migration { version: 8, name: "booked", sql: include_str!("../../migrations/sqlite/0008_booked.sql") },
    Migration { version: 9, name: "recorded", sql: include_str!("../../migrations/sqlite/0009_recorded.sql") },
    Migration { version: 10, name: "relay lease", sql: include_str!("../../migrations/sqlite/0010_relay_lease.sql") },
    Migration { version: 11, name: "retention", sql: include_str!("../../migrations/sqlite/0011_retention.sql") },
    Migration { version: 12, name: "duplicates", sql: include_str!("../../migrations/sqlite/0012_duplicates.sql") },
    Migration { version: 13, name: "judged", sql: include_str!("../../migrations/sqlite/0013_judged.sql") },
];
