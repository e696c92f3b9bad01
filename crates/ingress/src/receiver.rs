//! What all workers share, and the two steps of a webhook that need it: verification and publishing.

use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName};
use events::{AppName, BodyHash, RawWebhook, UtcMicros, Verification};
use queue::{Message, Publisher};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use verification::{KeySet, KeySnapshot, Mode, Refusal, Rules, Verified};

use crate::admission::{Admission, Permit};
use crate::apps::{App, Apps};
use crate::attempt::{Attempt, Refuge};
use crate::books::Books;
use crate::clocks::Clocks;
use crate::metrics::Metrics;
use crate::{Outcome, Settings, Wiring};

static SIGNATURE: HeaderName = HeaderName::from_static(verification::HEADER);

/// The receiver, one for all workers.
pub(crate) struct Receiver {
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    pub(crate) apps: Apps,
    pub(crate) admission: Arc<Admission>,
    pub(crate) books: Arc<Books>,
    pub(crate) refuge: Refuge,
    pub(crate) publisher: Publisher,
    /// Cancelled as soon as we are told to stop: from then on every answer closes its connection.
    pub(crate) stop: CancellationToken,
    rules: Rules,
    mode: Mode,
    keys: watch::Receiver<KeySnapshot>,
}

impl Receiver {
    /// Must be called on the main runtime.
    pub(crate) fn new(wiring: Wiring, stop: CancellationToken, now: UtcMicros) -> Self {
        let Wiring { apps, settings, limits: _, rules, mode, keys, publisher, metrics } = wiring;
        let books = Arc::new(Books::open(now));
        metrics.show_run(books.instance());
        Self {
            apps: Apps::new(apps, &settings, &metrics),
            admission: Admission::new(settings.in_flight_max, settings.in_flight_bytes_max, metrics.in_flight.clone()),
            books,
            refuge: Refuge::here(),
            settings,
            metrics,
            publisher,
            stop,
            rules,
            mode,
            keys,
        }
    }

    /// Decides what the signature is worth, received now with a body of this hash; gives the time by which that is so, too.
    pub(crate) fn verify(
        &self,
        app: &App,
        headers: &HeaderMap,
        body: &BodyHash,
    ) -> Result<(Verification, UtcMicros), Outcome> {
        // Cloned, since whoever posts new keys must not wait for a verification, and so neither must the other workers.
        let snapshot = self.keys.borrow().clone();
        let clocks = Clocks::beside(UtcMicros::now(), &snapshot);
        let now = clocks.now();
        if self.mode == Mode::Off {
            return Ok((Verification::Unchecked, now));
        }
        let mut signatures = headers.get_all(&SIGNATURE);
        let jwt = signatures.next().ok_or(Outcome::SignatureMissing)?;
        if signatures.next().is_some() {
            return Err(Outcome::SignatureRepeated);
        }
        let jwt = jwt.to_str().map_err(|_| Outcome::Signature(Refusal::Malformed))?;
        let judge = |keys, time| (verification::verify(jwt, body, &app.name, keys, &self.rules, time), time);
        let (outcome, now) = match judge(&snapshot.keys, now) {
            (verification::Outcome::Refused(refusal), _) if refusal.is_of_time() => match clocks.other() {
                Some(other) => judge(&snapshot.keys, other),
                // Finlink signed it, and all that speaks against it is a clock that nobody has vouched for: kept for whoever
                // knows the time, as it would be without its key.
                None if snapshot.time.is_none() => judge(&KeySet::default(), now),
                None => (verification::Outcome::Refused(refusal), now),
            },
            judged => judged,
        };
        match outcome {
            verification::Outcome::Verified(Verified { kid, binds_body }) => {
                Ok((Verification::Verified { kid, binds_body }, now))
            }
            verification::Outcome::UnknownKey(kid) => {
                if self.can_be_asked(&app.name, &snapshot, now) {
                    app.pending.admit(kid, &self.settings, now)?;
                }
                Ok((Verification::Pending { kid, jwt: jwt.to_owned() }, now))
            }
            verification::Outcome::Refused(refusal) => Err(Outcome::Signature(refusal)),
        }
    }

    /// Whether Finlink could be asked for keys of this app of late. That the keys were read from the store says nothing: it
    /// is there while Finlink is away.
    fn can_be_asked(&self, app: &AppName, snapshot: &KeySnapshot, now: UtcMicros) -> bool {
        snapshot.answered.get(app).is_some_and(|at| now.since(*at) <= self.settings.key_source_silent_after)
    }

    /// Publishes. The number is drawn when the attempt begins, and decided when it ends; only then does `permit` go.
    pub(crate) fn publish(&self, mut webhook: RawWebhook, permit: Permit) -> Attempt {
        let (publisher, books) = (self.publisher.clone(), Arc::clone(&self.books));
        self.refuge.attempt(async move {
            let _permit = permit;
            let entry = books.draw();
            webhook.sequence = entry.sequence;
            webhook.decided_through = entry.decided_through;
            let published = publisher.publish(Message::Webhook(webhook)).await;
            if published.is_ok() {
                books.stored(entry.sequence);
            } else {
                books.refused(entry.sequence);
            }
            published
        })
    }
}
