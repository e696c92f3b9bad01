//! The keys of all apps, posted by their reconcilers, for the ingress of this process and for the internal listener.
//!
//! Promises: a reader sees whole snapshots, and they say for each app whether Finlink itself could be asked of late, so that
//! the ingress can tell invented keys from keys that could not be asked for (R10).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::{AppName, UtcMicros};
use store::StoredKey;
use tokio::sync::watch;
use verification::{KeySet, KeySnapshot};

use crate::clock::Clock;
use crate::keys_document::{KeyEntry, KeysDocument};

/// Where reconcilers post keys. Clones are the same board.
#[derive(Debug, Clone)]
pub struct KeyBoard(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    posted: Mutex<BTreeMap<AppName, Posted>>,
    /// The store's time, going on from the last post.
    time: Mutex<Option<Clock>>,
    snapshot: watch::Sender<KeySnapshot>,
}

#[derive(Debug, Default)]
struct Posted {
    keys: Vec<StoredKey>,
    /// The last time of which it is known that Finlink could be asked for keys.
    answered_at: Option<UtcMicros>,
}

impl KeyBoard {
    /// An empty board, and the snapshot that follows it.
    pub fn new() -> (Self, watch::Receiver<KeySnapshot>) {
        let (snapshot, receiver) = watch::channel(KeySnapshot::default());
        (Self(Arc::new(Inner { posted: Mutex::default(), time: Mutex::default(), snapshot })), receiver)
    }

    /// What the internal listener serves.
    pub(crate) fn document(&self) -> KeysDocument {
        let posted = self.0.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = posted
            .iter()
            .flat_map(|(app, posted)| posted.keys.iter().map(move |key| (app, key)))
            .map(|(app, key)| KeyEntry { app: app.clone(), kid: key.kid, jwk: key.jwk.clone() })
            .collect();
        let at = self.0.time.lock().unwrap_or_else(PoisonError::into_inner).map(|clock| clock.now());
        KeysDocument { read_at: self.0.snapshot.borrow().read_at, at, answered: answered(&posted), keys }
    }

    /// The keys of an app as posted last.
    pub(crate) fn known(&self, app: &AppName) -> Vec<StoredKey> {
        let posted = self.0.posted.lock().unwrap_or_else(PoisonError::into_inner);
        posted.get(app).map(|posted| posted.keys.clone()).unwrap_or_default()
    }

    /// Posts all keys of an app, as the store had them when it was asked, and when Finlink last could be asked for them.
    pub(crate) fn post(&self, app: &AppName, keys: Vec<StoredKey>, answered_at: Option<UtcMicros>, asked: Clock) {
        *self.0.time.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        let mut posted = self.0.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let of_app = posted.entry(app.clone()).or_default();
        of_app.answered_at = answered_at;
        let changed = of_app.keys != keys;
        of_app.keys = keys;
        let set = changed.then(|| Arc::new(key_set(&posted)));
        // Still under the lock, so that no older set can follow a newer one.
        self.0.snapshot.send_modify(|snapshot| {
            if let Some(set) = set {
                snapshot.keys = set;
            }
            snapshot.read_at = snapshot.read_at.max(Some(asked.start()));
            snapshot.answered = Arc::new(answered(&posted));
            snapshot.time = Some(asked.heard());
        });
    }
}

fn answered(posted: &BTreeMap<AppName, Posted>) -> BTreeMap<AppName, UtcMicros> {
    posted.iter().filter_map(|(app, posted)| Some((app.clone(), posted.answered_at?))).collect()
}

fn key_set(posted: &BTreeMap<AppName, Posted>) -> KeySet {
    let mut set = KeySet::default();
    for (app, key) in posted.iter().flat_map(|(app, posted)| posted.keys.iter().map(move |key| (app, key))) {
        if let Err(error) = set.insert(app, key.kid, &key.jwk) {
            tracing::error!(%app, kid = %key.kid, %error, "a kept key is left out");
        }
    }
    set
}
