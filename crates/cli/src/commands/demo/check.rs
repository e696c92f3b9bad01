//! The comparison: the table, the deliveries and the feed against what the simulator knows to be true.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::{AppName, Connection, ConnectionEvent, ConnectionStatus, Receipt};
use serde::Serialize;
use simulator::{Tally, Truth};
use store::{ConnectionFilter, Cursor, DeliveryFilter, FeedFilter, Totals};

use super::APP;
use crate::exit::Failure;
use crate::roles::process::Running;

/// Rows read at one time.
const PAGE_ROWS: usize = 1000;

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Checked {
    /// Sums over the store.
    #[serde(skip)]
    pub(super) totals: Totals,
    /// Connections in the table, deleted ones included.
    pub(super) connections: usize,
    /// Connections that are not as they should be, each with a few words on why.
    pub(super) mismatches: Vec<String>,
    /// Webhooks that were acknowledged and are not stored.
    pub(super) missing_receipts: usize,
    /// Forged webhooks that count as verified.
    pub(super) forged_verified: usize,
    /// What is wrong with the feed.
    pub(super) feed_faults: Vec<String>,
    /// Events in the feed.
    pub(super) events: u64,
    /// Webhooks stored and not looked at yet, hints not answered yet, events not numbered yet.
    pub(super) unfinished: u64,
}

impl Checked {
    /// Whether all is as it should be.
    pub(super) fn holds(&self) -> bool {
        self.mismatches.is_empty()
            && self.missing_receipts == 0
            && self.forged_verified == 0
            && self.feed_faults.is_empty()
            && self.unfinished == 0
    }
}

/// The truth in the user's words, by token. Deleted ones are those that are not there any more.
struct Expected {
    live: BTreeMap<String, Connection>,
    deleted: BTreeSet<String>,
}

/// Compares everything as it is now.
pub(super) async fn check(running: &Running, truth: &Truth, tally: &Tally) -> Result<Checked, Failure> {
    let expected = Expected::read(truth)?;
    let table = table(running).await?;
    let totals = running.inspect()?.totals(events::UtcMicros::now()).await?;
    let (missing_receipts, forged_verified) = receipts(running, tally).await?;
    let (events, feed_faults) = feed(running, &expected).await?;
    let pending = totals.deliveries.get("pending").copied().unwrap_or(0);
    Ok(Checked {
        connections: table.len(),
        mismatches: expected.mismatches(&table),
        missing_receipts,
        forged_verified,
        feed_faults,
        events,
        unfinished: pending + totals.hints_unanswered + totals.events_unnumbered,
        totals,
    })
}

impl Expected {
    fn read(truth: &Truth) -> Result<Self, Failure> {
        let app: AppName = APP.parse().map_err(anyhow::Error::from)?;
        let mut live = BTreeMap::new();
        for raw in &truth.connections {
            let status = ConnectionStatus::from_value(raw.clone()).map_err(anyhow::Error::from)?;
            let connection = Connection::from_status(app.clone(), &status, 0, events::UtcMicros(0), None);
            live.insert(connection.token.to_string(), connection);
        }
        Ok(Self { live, deleted: truth.deleted.iter().cloned().collect() })
    }

    fn mismatches(&self, table: &BTreeMap<String, Connection>) -> Vec<String> {
        let missing = self.live.keys().filter(|token| !table.contains_key(*token));
        let missing = missing.map(|token| format!("{token} is not in the table"));
        let wrong = table.iter().filter_map(|(token, found)| self.mismatch(token, found));
        missing.chain(wrong).collect()
    }

    /// What is wrong with `found`, where anything is. A connection that was deleted before anyone read it is in no table.
    fn mismatch(&self, token: &str, found: &Connection) -> Option<String> {
        match (self.live.get(token), found.deleted_at) {
            (Some(_), Some(_)) => Some(format!("{token} counts as deleted and is not")),
            (Some(wanted), None) if *wanted != bare(found) => {
                Some(format!("{token} is {} and should be {}", shown(found), shown(wanted)))
            }
            (Some(_), None) => None,
            (None, Some(_)) if self.deleted.contains(token) => None,
            (None, _) if self.deleted.contains(token) => {
                Some(format!("{token} was deleted and does not count as such"))
            }
            (None, _) => Some(format!("{token} never existed")),
        }
    }
}

/// Without what only the pipeline knows.
fn bare(found: &Connection) -> Connection {
    Connection { version: 0, as_of: events::UtcMicros(0), deleted_at: None, ..found.clone() }
}

fn shown(connection: &Connection) -> String {
    let at = connection.updated_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    format!("{} (updated {at})", connection.status.as_str())
}

async fn table(running: &Running) -> Result<BTreeMap<String, Connection>, Failure> {
    let mut filter = ConnectionFilter { limit: Some(PAGE_ROWS), ..ConnectionFilter::default() };
    let mut table = BTreeMap::new();
    loop {
        let page = running.inspect()?.connections(&filter).await?;
        filter.after = page.last().map(|last| (last.app.clone(), last.token.clone()));
        let last = page.len() < PAGE_ROWS;
        table.extend(page.into_iter().map(|connection| (connection.token.to_string(), connection)));
        if last {
            return Ok(table);
        }
    }
}

/// How many acknowledged webhooks are not stored, and how many forged ones count as verified.
async fn receipts(running: &Running, tally: &Tally) -> Result<(usize, usize), Failure> {
    let mut waiting: HashMap<Receipt, bool> =
        tally.receipts.iter().map(|each| (Receipt(each.id), each.forged)).collect();
    let mut forged_verified = 0;
    let mut filter = DeliveryFilter { limit: Some(PAGE_ROWS), ..DeliveryFilter::default() };
    loop {
        let page = running.inspect()?.deliveries(&filter).await?;
        filter.before = page.last().map(|last| last.receipt);
        for row in &page {
            if waiting.remove(&row.receipt) == Some(true) && row.verification == "verified" {
                forged_verified += 1;
            }
        }
        if page.len() < PAGE_ROWS {
            return Ok((waiting.len(), forged_verified));
        }
    }
}

/// The number of events, and what is wrong with them: an id twice, a hole in the numbers, a last word that is not true.
async fn feed(running: &Running, expected: &Expected) -> Result<(u64, Vec<String>), Failure> {
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    let mut newest: BTreeMap<String, Connection> = BTreeMap::new();
    let (mut cursor, mut count) = (Cursor::default(), 0);
    loop {
        let page = running.feed()?.after(cursor, &FeedFilter::default(), PAGE_ROWS).await?;
        for entry in &page.entries {
            count += 1;
            if entry.number != count {
                faults.push(format!("event {} stands at place {count}", entry.number));
            }
            let event: ConnectionEvent = serde_json::from_str(&entry.event)?;
            if !ids.insert(event.id.clone()) {
                faults.push(format!("the event {} of {} is there twice", event.id, event.subject));
            }
            let held = newest.get(event.subject.as_str()).map_or(0, |held| held.version);
            if event.data.version >= held {
                newest.insert(event.subject.to_string(), event.data.connection);
            }
        }
        if page.entries.len() < PAGE_ROWS {
            break;
        }
        cursor = page.next;
    }
    faults.extend(expected.mismatches(&newest).into_iter().map(|fault| format!("in the feed, {fault}")));
    Ok((count, faults))
}
