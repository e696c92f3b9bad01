//! Which changes the receiver was never told of, although Finlink would have told: those it must find out by itself.

use std::collections::{BTreeMap, HashMap};

use crate::sender::plan::{Planned, Role};

/// Webhooks on their way, by the number of their change, and what became of the others.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    open: HashMap<u64, Open>,
    unheard: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Open {
    left: usize,
    heard: bool,
}

impl Heard {
    /// These are on their way.
    pub(crate) fn expect(&mut self, webhooks: &[Planned]) {
        for planned in webhooks.iter().filter(|planned| genuine(planned)) {
            self.open.entry(planned.change).or_insert(Open { left: 0, heard: false }).left += 1;
        }
    }

    /// No webhook of this connection's change will ever be sent.
    pub(crate) fn lost(&mut self, token: &str) {
        *self.unheard.entry(token.to_owned()).or_default() += 1;
    }

    /// One has ended: acknowledged or given up.
    pub(crate) fn ended(&mut self, planned: &Planned, acknowledged: bool) {
        if !genuine(planned) {
            return;
        }
        let Some(open) = self.open.get_mut(&planned.change) else { return };
        open.left -= 1;
        open.heard |= acknowledged;
        if open.left == 0 {
            let heard = open.heard;
            self.open.remove(&planned.change);
            if !heard {
                self.lost(&planned.token);
            }
        }
    }

    /// For each connection the number of changes that were never told of.
    pub(crate) fn unheard(&self) -> BTreeMap<String, u64> {
        self.unheard.clone()
    }
}

fn genuine(planned: &Planned) -> bool {
    !matches!(planned.role, Role::Forged(_))
}
