//! A sender of webhooks that remembers what it was answered: one by one, or as a load until the other end is gone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::http::{self, Message, PATIENCE, Wire};
use crate::signing::{self, SigningKey};

/// Sends the webhooks of one app, signed with one key.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The receiver.
    pub address: SocketAddr,
    /// The app's name there.
    pub app: String,
    /// What it signs with.
    pub key: Arc<SigningKey>,
}

impl Sender {
    /// A webhook as it is sent, signed over its body.
    pub fn request(&self, body: &[u8]) -> Result<Bytes> {
        Ok(signing::request(&self.app, &self.key.sign(&signing::claims_of(body))?, body))
    }

    /// Sends one webhook that names a connection; answers its receipt.
    pub async fn send(&self, token: &str) -> Result<String> {
        receipt(&self.post(&naming(token)).await?)
    }

    /// Sends one webhook with this body; answers what came back.
    pub async fn post(&self, body: &[u8]) -> Result<Message> {
        http::once(self.address, &self.request(body)?).await
    }

    /// Sends one webhook with this body and a signature with these claims.
    pub async fn post_with(&self, claims: &Value, body: &[u8]) -> Result<Message> {
        self.post_signed(&self.key.sign(claims)?, body).await
    }

    /// Sends one webhook with this body and this text as its signature.
    pub async fn post_signed(&self, jwt: &str, body: &[u8]) -> Result<Message> {
        http::once(self.address, &signing::request(&self.app, jwt, body)).await
    }

    /// Sends webhooks that name these connections in turn, over so many keep-alive connections, until told to stop or the
    /// receiver is gone. Every seventh is one that was sent before.
    pub fn flood(&self, tokens: &[&str], connections: usize) -> Result<Flood> {
        let bodies: Vec<Vec<u8>> = (0..tokens.len() * 7).map(|number| varied(tokens, number)).collect();
        let requests = bodies.iter().map(|body| self.request(body)).collect::<Result<Vec<Bytes>>>()?;
        let requests = Arc::new(requests);
        let (acknowledged, receipts) = watch::channel(Vec::new());
        let (stop, stopped) = watch::channel(false);
        let acknowledged = Arc::new(acknowledged);
        let mut workers = JoinSet::new();
        for number in 0..connections {
            let worker = Worker {
                address: self.address,
                requests: Arc::clone(&requests),
                acknowledged: Arc::clone(&acknowledged),
                stopped: stopped.clone(),
            };
            workers.spawn(worker.work(number));
        }
        Ok(Flood { receipts, stop, workers })
    }
}

/// The body of a webhook that names a connection.
pub fn naming(token: &str) -> Vec<u8> {
    json!({"event": "CONNECTION_UPDATED", "connectionToken": token}).to_string().into_bytes()
}

/// A body that names one of these connections, one level deep, and differs from the others.
fn varied(tokens: &[&str], number: usize) -> Vec<u8> {
    let token = tokens[number % tokens.len()];
    json!({"event": "UPDATED", "data": {"credentialsToken": token}, "number": number}).to_string().into_bytes()
}

/// The receipt of a webhook that was accepted.
pub fn receipt(answer: &Message) -> Result<String> {
    ensure!(answer.status() == 200, "refused: {} {}", answer.line, answer.text());
    let body = answer.json()?;
    ensure!(body["status"] == "accepted", "{body}");
    Ok(body["receipt"].as_str().context("no receipt")?.to_owned())
}

/// A load that runs.
#[derive(Debug)]
pub struct Flood {
    receipts: watch::Receiver<Vec<String>>,
    stop: watch::Sender<bool>,
    workers: JoinSet<Heard>,
}

/// What became of a load.
#[derive(Debug, Default)]
pub struct Heard {
    /// The receipts of all that was accepted.
    pub receipts: Vec<String>,
    /// Answers other than 200, by status.
    pub refused: BTreeMap<u16, usize>,
    /// What broke: a request that was sent whole and not answered.
    pub broken: Vec<String>,
    /// Connections that nobody accepted.
    pub unreachable: usize,
}

impl Flood {
    /// How many were accepted so far.
    pub fn accepted(&self) -> usize {
        self.receipts.borrow().len()
    }

    /// Waits until so many were accepted.
    pub async fn accepts(&self, count: usize) -> Result<()> {
        let mut receipts = self.receipts.clone();
        let waiting = tokio::time::timeout(PATIENCE, receipts.wait_for(|receipts| receipts.len() >= count));
        waiting.await.with_context(|| format!("{} of {count} accepted within {PATIENCE:?}", self.accepted()))??;
        Ok(())
    }

    /// Stops sending and says what became of it.
    pub async fn stop(self) -> Result<Heard> {
        self.stop.send_replace(true);
        self.ended().await
    }

    /// Waits until the receiver is gone and says what became of it.
    pub async fn ended(mut self) -> Result<Heard> {
        let mut heard = Heard::default();
        while let Some(part) = tokio::time::timeout(PATIENCE, self.workers.join_next()).await? {
            let part = part?;
            part.refused.into_iter().for_each(|(status, count)| *heard.refused.entry(status).or_default() += count);
            heard.broken.extend(part.broken);
            heard.unreachable += part.unreachable;
        }
        heard.receipts.clone_from(&self.receipts.borrow());
        Ok(heard)
    }
}

struct Worker {
    address: SocketAddr,
    requests: Arc<Vec<Bytes>>,
    acknowledged: Arc<watch::Sender<Vec<String>>>,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    /// Sends one after the other. A connection that the receiver wants closed is left; one that breaks ends the work.
    async fn work(self, number: usize) -> Heard {
        let mut heard = Heard::default();
        let mut wire = None;
        let mut sent = 0;
        while !*self.stopped.borrow() {
            let open = match wire.take() {
                Some(open) => Ok(open),
                None => Wire::open(self.address).await,
            };
            let Ok(mut open) = open else {
                heard.unreachable += 1;
                break;
            };
            let turn = number + sent - sent / 7;
            let request = &self.requests[turn % self.requests.len()];
            sent += 1;
            match open.exchange(request).await {
                Ok(answer) => {
                    self.note(&answer, &mut heard);
                    wire = (!answer.closes()).then_some(open);
                }
                Err(error) => {
                    heard.broken.push(format!("{error:#}"));
                    break;
                }
            }
        }
        heard
    }

    fn note(&self, answer: &Message, heard: &mut Heard) {
        match receipt(answer) {
            Ok(receipt) => self.acknowledged.send_modify(|receipts| receipts.push(receipt)),
            Err(_) => *heard.refused.entry(answer.status()).or_default() += 1,
        }
    }
}
