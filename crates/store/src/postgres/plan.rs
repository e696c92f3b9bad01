//! What a batch comes down to once it is known what is there: which bodies and deliveries are written, what is counted, and
//! what each row is answered with. Pure; not here: any SQL.

use std::collections::{BTreeMap, BTreeSet};

use events::AppName;
use uuid::Uuid;

use crate::recording::{self, Prepared};
use crate::tally::{Sum, Tally};
use crate::{Reading, Recorded};

/// What of a batch was there before it.
#[derive(Debug, Default)]
pub(super) struct There {
    pub(super) bodies: BTreeSet<Uuid>,
    pub(super) receipts: BTreeSet<Uuid>,
}

/// A body that is to be kept.
#[derive(Debug)]
pub(super) struct Body<'a> {
    pub(super) id: Uuid,
    /// A row that has it.
    pub(super) row: &'a Prepared,
    /// `None` beyond its app's budget: its hash alone is kept.
    pub(super) kept: Option<&'a [u8]>,
    /// The newest receipt that refers to it.
    pub(super) newest: Uuid,
}

/// Rows to write, in the order of receipts, and whether each is a duplicate.
pub(super) type Deliveries<'a> = BTreeMap<Uuid, (&'a Prepared, bool)>;

/// What is to be written, in key order (R12).
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) bodies: Vec<Body<'a>>,
    /// Bodies that are there, with the newest receipt that refers to them.
    pub(super) again: Vec<(Uuid, Uuid)>,
    pub(super) deliveries: Deliveries<'a>,
    /// The readings written.
    pub(super) fresh: Vec<&'a Reading>,
    pub(super) counted: Tally,
    /// In the order of the rows.
    pub(super) recorded: Vec<Recorded>,
}

impl<'a> Plan<'a> {
    /// `budgets`: the bytes that each app's bodies may still take.
    pub(super) fn new(rows: &'a [Prepared], there: &There, budgets: BTreeMap<&AppName, u64>) -> Self {
        let mut plan = Self {
            bodies: Vec::new(),
            again: Vec::new(),
            deliveries: Deliveries::new(),
            fresh: Vec::with_capacity(rows.len()),
            counted: Tally::default(),
            recorded: Vec::with_capacity(rows.len()),
        };
        let mut bodies = BTreeMap::new();
        for row in rows {
            let recorded = plan.take(row, there, &mut bodies);
            plan.recorded.push(recorded);
        }
        plan.refer(bodies, there, budgets);
        plan
    }

    /// The first delivery of a new body is none of a duplicate.
    fn take(
        &mut self,
        row: &'a Prepared,
        there: &There,
        bodies: &mut BTreeMap<Uuid, (&'a Prepared, Uuid)>,
    ) -> Recorded {
        let webhook = &row.reading.webhook;
        let (receipt, body) = (webhook.receipt.0, Uuid::from_bytes(row.body_id));
        if there.receipts.contains(&receipt) || self.deliveries.contains_key(&receipt) {
            return Recorded::Redelivered;
        }
        let duplicate = there.bodies.contains(&body) || bodies.contains_key(&body);
        let (_, newest) = bodies.entry(body).or_insert((row, receipt));
        *newest = receipt.max(*newest);
        self.deliveries.insert(receipt, (row, duplicate));
        self.fresh.push(&row.reading);
        recording::count(&mut self.counted, webhook, duplicate);
        recording::recorded(duplicate)
    }

    fn refer(
        &mut self,
        bodies: BTreeMap<Uuid, (&'a Prepared, Uuid)>,
        there: &There,
        mut budgets: BTreeMap<&AppName, u64>,
    ) {
        for (id, (row, newest)) in bodies {
            if there.bodies.contains(&id) {
                self.again.push((id, newest));
                continue;
            }
            let webhook = &row.reading.webhook;
            let size = webhook.body.len() as u64;
            let left = budgets.get_mut(&webhook.app).filter(|left| size <= **left);
            let kept = left.map(|left| {
                *left -= size;
                &webhook.body[..]
            });
            self.counted.add(&webhook.app, Sum::Bodies, 1);
            self.counted.add(&webhook.app, Sum::BodyBytes, kept.map_or(0, <[u8]>::len) as i64);
            self.bodies.push(Body { id, row, kept, newest });
        }
    }
}
