//! Keys for an ingress that has no reconciler in its process: polled from the internal listener and kept on disk, so that
//! an ingress that starts while the reconciler is down still verifies.
//!
//! Promises: a reader sees whole snapshots; an answer that is refused, cut or too long changes nothing; what is on disk is
//! always one whole answer. Times are those that the source names, so they age while it is silent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::UtcMicros;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use store::ClockLook;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use uuid::Uuid;
use verification::{HeardTime, KeySnapshot};

use crate::finlink::{Reply, backoff, exchange};
use crate::keys_document::{KEYS_PATH, KeysDocument};

/// Settings of the client (section `internal`, beside its token).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the reconciler's internal listener is, like `http://reconciler:9465`.
    pub url: String,
    /// Time between two polls.
    #[serde(with = "humantime_serde")]
    pub poll_every: Duration,
    /// The longest time between two polls while the source does not answer.
    #[serde(with = "humantime_serde")]
    pub poll_every_max: Duration,
    /// For a whole answer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Bytes of an answer, and of the file.
    pub bytes_max: usize,
    /// Where the keys are kept; `None`: nowhere.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:9465".to_owned(),
            poll_every: Duration::from_secs(3),
            poll_every_max: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            bytes_max: 4 * 1024 * 1024,
            file: None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// The URL is none.
    #[error("internal.url {0:?}: expected an http or https URL with a host, like http://reconciler:9465")]
    Url(String),
    /// The token fits no header.
    #[error("internal.token: expected visible ASCII characters only")]
    Token,
    /// TLS could not be set up.
    #[error("the HTTP client for internal.url cannot be set up: {0}")]
    SetUp(String),
}

/// Why a poll failed.
#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error("{0}")]
    NoAnswer(String),
    #[error("status {0}{hint}", hint = if *.0 == 401 { ": internal.token differs from the reconciler's" } else { "" })]
    Status(u16),
    #[error("the answer cannot be used: {0}")]
    Unusable(String),
}

/// Polls keys.
pub struct KeysClient {
    http: reqwest::Client,
    url: reqwest::Url,
    bearer: Option<HeaderValue>,
    settings: Settings,
    snapshot: watch::Sender<KeySnapshot>,
    document: KeysDocument,
    failures: u32,
    look: ClockLook,
    /// Tells apart what several clients write in one folder.
    writer: Uuid,
}

impl KeysClient {
    /// A client, and the snapshot that follows it: what the file has, until the first answer.
    pub async fn start(
        settings: Settings,
        token: Option<SecretString>,
    ) -> Result<(Self, watch::Receiver<KeySnapshot>), StartError> {
        let url = reqwest::Url::parse(&settings.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.and_then(|url| url.join(KEYS_PATH).ok()).ok_or_else(|| StartError::Url(settings.url.clone()))?;
        let bearer = token.map(|token| bearer(&token)).transpose()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout)
            .build()
            .map_err(|error| StartError::SetUp(format!("{error:?}")))?;
        let document = match &settings.file {
            Some(file) => load(file, settings.bytes_max).await,
            None => KeysDocument::default(),
        };
        let (snapshot, receiver) = watch::channel(snapshot_of(&document));
        Ok((
            Self {
                http,
                url,
                bearer,
                settings,
                snapshot,
                document,
                failures: 0,
                look: ClockLook::default(),
                writer: Uuid::new_v4(),
            },
            receiver,
        ))
    }

    /// Polls once; answers when to poll again.
    pub async fn step(&mut self, now: UtcMicros) -> UtcMicros {
        let asked = Instant::now();
        match self.poll().await {
            Ok(document) => {
                let own = now.plus(asked.elapsed());
                if let Some(wrong) = document.at.and_then(|at| self.look.look(own, at)) {
                    tracing::warn!("{wrong}");
                }
                if self.failures > 0 {
                    tracing::info!(url = %self.url, "keys are read again");
                }
                self.failures = 0;
                self.take(document).await;
                now.plus(self.settings.poll_every)
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::warn!(url = %self.url, %error, "keys cannot be read: going on with those known");
                }
                let pause = backoff(self.settings.poll_every, self.settings.poll_every_max, self.failures);
                self.failures = self.failures.saturating_add(1);
                now.plus(pause)
            }
        }
    }

    /// Polls until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let polling = async {
                let next = self.step(UtcMicros::now()).await;
                tokio::time::sleep(next.since(UtcMicros::now())).await;
            };
            // Cut anywhere, a poll has changed nothing or everything.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = polling => {}
            }
        }
    }

    async fn poll(&self) -> Result<KeysDocument, PollError> {
        let mut request = self.http.get(self.url.clone());
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer.clone());
        }
        let request = request.build().map_err(|error| PollError::NoAnswer(error.to_string()))?;
        match exchange(&self.http, request, self.settings.bytes_max).await {
            Ok(Reply { status: 200, body, .. }) => {
                serde_json::from_slice(&body).map_err(|error| PollError::Unusable(error.to_string()))
            }
            Ok(reply) => Err(PollError::Status(reply.status)),
            Err(no_answer) => Err(PollError::NoAnswer(no_answer.to_string())),
        }
    }

    async fn take(&mut self, document: KeysDocument) {
        let time = document.at.map(|at| HeardTime { at, heard: Instant::now() });
        if document.keys == self.document.keys {
            self.snapshot.send_modify(|snapshot| {
                snapshot.read_at = document.read_at;
                snapshot.answered = Arc::new(document.answered);
                snapshot.time = time.or(snapshot.time);
            });
            return;
        }
        self.snapshot.send_modify(|snapshot| {
            let time = time.or(snapshot.time);
            *snapshot = KeySnapshot { time, ..snapshot_of(&document) };
        });
        tracing::info!(keys = document.keys.len(), "the verification keys changed");
        if let Some(file) = &self.settings.file
            && let Err(error) = save(file, self.writer, &document).await
        {
            tracing::warn!(file = %file.display(), %error, "the keys could not be kept on disk");
        }
        self.document = document;
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, StartError> {
    let mut bearer =
        HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| StartError::Token)?;
    bearer.set_sensitive(true);
    Ok(bearer)
}

fn snapshot_of(document: &KeysDocument) -> KeySnapshot {
    KeySnapshot {
        keys: Arc::new(document.key_set()),
        read_at: document.read_at,
        answered: Arc::new(document.answered.clone()),
        time: None,
    }
}

/// The keys on disk; none where there is no file, or none that can be used. A file never counts as an answer of the source.
async fn load(file: &Path, bytes_max: usize) -> KeysDocument {
    let size = match tokio::fs::metadata(file).await {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return KeysDocument::default(),
        Err(error) => return unusable(file, &error.to_string()),
    };
    if size > bytes_max as u64 {
        return unusable(file, "it is too long");
    }
    let read = tokio::fs::read(file).await.map_err(|error| error.to_string());
    match read.and_then(|bytes| serde_json::from_slice::<KeysDocument>(&bytes).map_err(|error| error.to_string())) {
        Ok(document) => KeysDocument { keys: document.keys, ..KeysDocument::default() },
        Err(why) => unusable(file, &why),
    }
}

fn unusable(file: &Path, why: &str) -> KeysDocument {
    tracing::warn!(file = %file.display(), why, "the keys on disk cannot be used: waiting for the source");
    KeysDocument::default()
}

/// Writes beside the file, then moves it into its place: a reader, and a crash, find the old one or the new one. Several
/// processes may keep their keys in one folder, so what is written has the writer's name, and only its own.
async fn save(file: &Path, writer: Uuid, document: &KeysDocument) -> std::io::Result<()> {
    let beside = file.with_extension(format!("{writer}.new"));
    let written = async {
        let mut writing = tokio::fs::File::create(&beside).await?;
        writing.write_all(&serde_json::to_vec(document)?).await?;
        writing.sync_all().await?;
        drop(writing);
        tokio::fs::rename(&beside, file).await
    }
    .await;
    if written.is_err() {
        // On a full disk it would be one more for each start. The error that matters is the first.
        drop(tokio::fs::remove_file(&beside).await);
    }
    written
}
