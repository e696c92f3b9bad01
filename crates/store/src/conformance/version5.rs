//! A store as the program of schema version 5 left it, and what the ports must find in it after its migration, with that
//! program's statements still being run beside (which is what a rolling update does).
//!
//! The statements are that program's own, with values in the place of parameters.

use serde_json::json;
use uuid::Uuid;

use super::Stores;
use super::world::{app, at, bound, names, ready, token, webhook};
use crate::{
    ConnectionFilter, Cursor, DeadLetterFilter, DeliveryFilter, FeedFilter, GapFilter, KidOrder, Recorded, Verdict,
};

/// What is listed is less than this.
const LISTED_MAX: usize = 100;

/// An engine's schema and writes of that version.
pub struct Version5 {
    /// The steps that made the schema, in order.
    pub steps: [&'static str; 5],
    writes: &'static str,
}

/// SQLite's.
pub const SQLITE: Version5 = Version5 {
    steps: [
        include_str!("../../migrations/sqlite/0001_base.sql"),
        include_str!("../../migrations/sqlite/0002_intake.sql"),
        include_str!("../../migrations/sqlite/0003_refresh.sql"),
        include_str!("../../migrations/sqlite/0004_feed.sql"),
        include_str!("../../migrations/sqlite/0005_discarded.sql"),
    ],
    writes: include_str!("../../tests/version5/sqlite.sql"),
};

/// PostgreSQL's.
pub const POSTGRES: Version5 = Version5 {
    steps: [
        include_str!("../../migrations/postgres/0001_base.sql"),
        include_str!("../../migrations/postgres/0002_intake.sql"),
        include_str!("../../migrations/postgres/0003_refresh.sql"),
        include_str!("../../migrations/postgres/0004_feed.sql"),
        include_str!("../../migrations/postgres/0005_discarded.sql"),
    ],
    writes: include_str!("../../tests/version5/postgres.sql"),
};

fn instance(round: u32) -> Uuid {
    format!("0000000{round}-0000-4000-8000-000000000000").parse().unwrap()
}

impl Version5 {
    /// What the program writes in a round, from 1 to 9: something into each table.
    pub fn writes(&self, round: u32) -> String {
        let raw = ready(round, 1).to_string();
        let hash = format!("{round:064}");
        self.writes.replace("{raw}", &raw).replace("{sha256}", &hash).replace("{n}", &round.to_string())
    }

    /// Demands that the ports show what so many rounds wrote, and nothing else.
    pub async fn is_found(&self, stores: &Stores, rounds: u32) {
        for round in 1..=rounds {
            is_explained(stores, round).await;
            is_booked(stores, round).await;
        }
        let (inspect, count) = (&stores.inspect, rounds as usize);
        assert_eq!(inspect.deliveries(&DeliveryFilter::default()).await.unwrap().len(), 2 * count);
        assert_eq!(inspect.connections(&ConnectionFilter::default()).await.unwrap().len(), count);
        assert_eq!(inspect.gaps(&GapFilter::default()).await.unwrap().len(), count);
        let letters = inspect.dead_letters(&DeadLetterFilter::default()).await.unwrap();
        assert!(letters.iter().all(|letter| letter.reason == "culprit" && letter.body_bytes == 2), "{letters:?}");
        assert_eq!(letters.len(), count);
        assert_eq!(stores.refresh.keys(&app()).await.unwrap().len(), count);
        let undecided = stores.refresh.undecided(&app(), KidOrder::MostWaiting, at(0), LISTED_MAX).await.unwrap();
        assert_eq!(undecided.iter().map(|kid| kid.waiting).collect::<Vec<_>>(), vec![1; count]);
        let totals = inspect.totals(at(0)).await.unwrap();
        let expected = u64::from(rounds);
        assert_eq!(totals.deliveries.values().copied().collect::<Vec<_>>(), [expected, expected]);
        assert_eq!((totals.duplicates, totals.bodies, totals.body_bytes), (expected, expected, 2 * expected));
        assert_eq!((totals.events, totals.gaps_open, totals.dead_letters["culprit"]), (expected, expected, expected));
        assert_eq!(totals.last_webhook_at[&app()], at(0));
        stores.feed.number(LISTED_MAX).await.unwrap();
        let page = stores.feed.after(Cursor(0), &FeedFilter::default(), LISTED_MAX).await.unwrap();
        let events: Vec<_> = page.entries.iter().map(|entry| entry.event.clone()).collect();
        let written: Vec<_> = (1..=rounds).map(|round| json!({ "n": round }).to_string()).collect();
        assert_eq!(events, written);
    }

    /// Demands that the program of today goes on where so many rounds ended.
    pub async fn is_continued(&self, stores: &Stores, rounds: u32) {
        let mut reading = webhook(names(&[1]), bound(), at(2));
        reading.webhook.instance = Uuid::from_u128(99);
        let recorded = stores.intake.record(std::slice::from_ref(&reading)).await.unwrap();
        assert_eq!(recorded, [Recorded::New]);
        let explained = stores.inspect.explain(&app(), &token(1)).await.unwrap();
        assert_eq!(explained.refresh.unwrap().hint_no, 2);
        let lease = stores.refresh.lease(&app(), Uuid::from_u128(1), at(0), at(60)).await.unwrap().unwrap();
        assert_eq!(lease.fence, u64::from(rounds) + 1);
    }
}

async fn is_explained(stores: &Stores, round: u32) {
    let explained = stores.inspect.explain(&app(), &token(round)).await.unwrap();
    let known = explained.known.unwrap();
    assert_eq!((known.raw, known.version, known.as_of), (ready(round, 1), 1, at(1)));
    let refresh = explained.refresh.unwrap();
    assert_eq!((refresh.hint_no, refresh.answered_no, refresh.hinted_at), (1, 0, Some(at(0))));
    assert_eq!(explained.deliveries.len(), 2);
    assert_eq!(explained.events.len(), 1);
    assert_eq!(explained.gaps.len(), 1);
    let session = stores.refresh.session(&app(), &format!("fingerprint-{round}")).await.unwrap().unwrap();
    assert_eq!(session.sealed, b"{}");
    for row in explained.deliveries {
        let detail = stores.inspect.delivery(row.receipt).await.unwrap().unwrap();
        assert_eq!((detail.instance, detail.body.as_deref()), (instance(round), Some(&b"{}"[..])));
        assert_eq!(
            (detail.sequence, row.verification.as_str()),
            if row.duplicate { (2, "pending") } else { (1, "verified") }
        );
    }
}

/// The books balance, by the deliveries: these rounds left no note of what they recorded.
async fn is_booked(stores: &Stores, round: u32) {
    let books = stores.inspect.books().await.unwrap();
    let run = books.iter().find(|run| run.instance == instance(round)).unwrap();
    assert_eq!((run.started_at, run.marked_at, run.decided_through, run.ended), (Some(at(0)), Some(at(0)), 5, true));
    assert_eq!(run.recorded_at, run.marked_at, "there is nothing else to go by");
    assert_eq!(run.verdict(at(3600), std::time::Duration::from_mins(2)), Verdict::Balanced);
}
