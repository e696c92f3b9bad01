//! Which hints a webhook raises (R1, R11): the same in every engine, and the same whether it was verified at once or later.
//!
//! Promises: a delivery raises a target by one at most, however often its body names it. Not here: any SQL; the engine says
//! which tokens are known and raises what [`targets`] answers.

use std::collections::{BTreeMap, BTreeSet};

use events::{AppName, BodyTells, ConnectionToken, UtcMicros};

/// A row of `refreshes`: a connection, or for `None` the app itself.
pub(crate) type Target = (AppName, Option<ConnectionToken>);

/// What one delivery tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling<'a> {
    pub(crate) app: &'a AppName,
    pub(crate) tells: &'a BodyTells,
    /// A signature covers the body: what it names is Finlink's word.
    pub(crate) binds_body: bool,
    pub(crate) received_at: UtcMicros,
}

/// By how much a target is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raise {
    /// Deliveries that hint at it.
    pub(crate) count: u64,
    /// When the first of them was received.
    pub(crate) oldest: UtcMicros,
}

/// The tokens that matter only where they are known, in key order: the engine answers which of them it knows. What a body
/// names that its signature covers is hinted at in any case.
pub(crate) fn named(tellings: &[Telling<'_>]) -> BTreeSet<(AppName, ConnectionToken)> {
    let tokens = tellings.iter().filter(|telling| !telling.binds_body).flat_map(|telling| {
        let tokens = match telling.tells {
            BodyTells::Tokens { tokens, .. } => tokens.as_slice(),
            BodyTells::Nothing | BodyTells::Unreadable => &[],
        };
        tokens.iter().map(|token| (telling.app.clone(), token.clone()))
    });
    tokens.collect()
}

/// What is raised, in key order. `known`: those of [`named`] that have a row of `refreshes`.
pub(crate) fn targets(
    tellings: &[Telling<'_>],
    mut known: BTreeSet<(AppName, ConnectionToken)>,
) -> BTreeMap<Target, Raise> {
    let mut raises = BTreeMap::new();
    for telling in tellings {
        for token in aims(telling, &mut known) {
            let raise =
                raises.entry((telling.app.clone(), token)).or_insert(Raise { count: 0, oldest: telling.received_at });
            raise.count += 1;
            raise.oldest = raise.oldest.min(telling.received_at);
        }
    }
    raises
}

/// The targets of one delivery, each once. A token that gets a row by it is known to the deliveries after it.
fn aims(telling: &Telling<'_>, known: &mut BTreeSet<(AppName, ConnectionToken)>) -> BTreeSet<Option<ConnectionToken>> {
    let BodyTells::Tokens { tokens, more } = telling.tells else { return BTreeSet::from([None]) };
    let mut aims = BTreeSet::new();
    if *more {
        aims.insert(None);
    }
    for token in tokens {
        let key = (telling.app.clone(), token.clone());
        if known.contains(&key) {
            aims.insert(Some(token.clone()));
        } else if telling.binds_body {
            known.insert(key);
            aims.insert(Some(token.clone()));
        } else {
            aims.insert(None);
        }
    }
    aims
}

/// The connection that a body names first.
pub(crate) fn first_token(tells: &BodyTells) -> Option<&str> {
    match tells {
        BodyTells::Tokens { tokens, .. } => tokens.first().map(ConnectionToken::as_str),
        BodyTells::Nothing | BodyTells::Unreadable => None,
    }
}
