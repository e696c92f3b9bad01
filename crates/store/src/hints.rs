//! Which hints a webhook raises (R1, R11): the same in every engine, and the same whether it was verified at once or later.
//!
//! Promises: a delivery raises a target by one at most, however often its body names it. A replay raises by the same rules what
//! recorded deliveries point at. Not here: any SQL; the engine says which tokens are known and raises what [`targets`] answers.

use std::collections::{BTreeMap, BTreeSet};

use events::{AppName, BodyTells, ConnectionToken, UtcMicros};

/// What may be hinted at: a connection, or for `None` the app itself.
pub type Target = (AppName, Option<ConnectionToken>);

/// What recorded webhooks point at by R11, where they were to hint now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aims {
    /// How many of them hint.
    pub webhooks: u64,
    /// How many do not, by their verification word: `pending` ones hint once they are decided, `rejected` ones never.
    pub silent: BTreeMap<String, u64>,
    /// What those that hint point at, each once.
    pub targets: BTreeSet<Target>,
}

/// A recorded delivery, as far as it can hint.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) app: AppName,
    pub(crate) verification: String,
    pub(crate) binds_body: bool,
    pub(crate) tells: BodyTells,
    pub(crate) received_at: UtcMicros,
}

impl Told {
    /// What it tells; `None` where nobody vouches for it (yet).
    pub(crate) fn telling(&self) -> Option<Telling<'_>> {
        let Self { app, verification, binds_body, tells, received_at } = self;
        let hints = matches!(verification.as_str(), "verified" | "unchecked");
        hints.then_some(Telling { app, tells, binds_body: *binds_body, received_at: *received_at })
    }
}

impl Aims {
    /// Of these deliveries. `known`: those of [`named`] that have a row of `refreshes`.
    pub(crate) fn of(deliveries: &[Told], known: BTreeSet<(AppName, ConnectionToken)>) -> Self {
        let mut aims = Self::default();
        for silent in deliveries.iter().filter(|told| told.telling().is_none()) {
            *aims.silent.entry(silent.verification.clone()).or_default() += 1;
        }
        let tellings: Vec<_> = deliveries.iter().filter_map(Told::telling).collect();
        aims.webhooks = tellings.len() as u64;
        aims.targets = targets(&tellings, known).into_keys().collect();
        aims
    }
}

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
