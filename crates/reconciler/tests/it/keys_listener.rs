//! Keys from the reconciler's internal listener to an ingress in another process.

use std::time::Duration;

use listener::{BearerToken, Limits};
use reconciler::KeyBoard;
use reconciler::keys_client::{KeysClient, Settings, StartError};
use secrecy::SecretString;
use store::{AppPin, Refresh, StoredKey};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::rig::Rig;
use crate::signing::SigningKey;

struct Served {
    url: String,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start(board: &KeyBoard, token: Option<&str>) -> Self {
        let bound = listener::bind("internal_listen", "127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", bound.address());
        let stop = CancellationToken::new();
        let token = BearerToken::new(token.map(SecretString::from));
        let (board, ended) = (board.clone(), stop.clone());
        let limits = Limits { workers: 1, ..Limits::default() };
        let serving =
            tokio::spawn(async move { reconciler::keys_endpoint::serve(bound, board, token, &limits, ended).await });
        Self { url, stop, serving }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// A rig whose store knows a key; another process holds the lease.
async fn rig_with_key() -> (Rig, SigningKey) {
    let rig = Rig::new().await;
    let key = SigningKey::new();
    let lease = rig.lease(Uuid::new_v4()).await.unwrap().unwrap();
    rig.store.enrol(&AppPin { app: Rig::app(), client_id: "client".to_owned() }, rig.now).await.unwrap();
    rig.store.learn_key(&lease, &StoredKey { kid: key.kid, jwk: key.jwk(), read_at: rig.now }).await.unwrap();
    (rig, key)
}

fn settings(url: &str, rig: &Rig) -> Settings {
    Settings { url: url.to_owned(), file: Some(rig.folder.path().join("keys.json")), ..Settings::default() }
}

#[tokio::test]
async fn a_standby_serves_the_keys_that_the_store_knows() {
    let (rig, key) = rig_with_key().await;
    rig.settle(&mut rig.reconciler()).await;
    let served = Served::start(&rig.keys, Some("token"));
    let (mut client, snapshot) = KeysClient::start(settings(&served.url, &rig), Some("token".into())).await.unwrap();
    assert!(snapshot.borrow().read_at.is_none());
    let next = client.step(rig.now).await;
    assert_eq!(next.since(rig.now), Duration::from_secs(3));
    assert!(snapshot.borrow().keys.contains(&Rig::app(), key.kid));
    assert_eq!(snapshot.borrow().read_at, Some(rig.now));
    assert_eq!(snapshot.borrow().answered.get(&Rig::app()), Some(&rig.now));
    served.stop().await;
}

#[tokio::test]
async fn an_ingress_that_starts_alone_goes_on_with_the_keys_on_disk() {
    let (rig, key) = rig_with_key().await;
    rig.settle(&mut rig.reconciler()).await;
    let served = Served::start(&rig.keys, None);
    let settings = settings(&served.url, &rig);
    let (mut client, _) = KeysClient::start(settings.clone(), None).await.unwrap();
    client.step(rig.now).await;
    served.stop().await;
    drop(client);

    let (mut client, snapshot) = KeysClient::start(settings.clone(), None).await.unwrap();
    assert!(snapshot.borrow().keys.contains(&Rig::app(), key.kid));
    assert_eq!(snapshot.borrow().read_at, None, "the file is no answer of the source");
    assert!(snapshot.borrow().answered.is_empty(), "nor one of Finlink");
    let mut now = rig.now;
    for _ in 0..20 {
        let next = client.step(now).await;
        assert!(next.since(now) <= Duration::from_secs(36));
        now = next;
    }
    assert!(snapshot.borrow().keys.contains(&Rig::app(), key.kid));

    for garbage in ["", "{", "[]", "{\"keys\":[{\"app\":\"UPPER\"}]}"] {
        std::fs::write(settings.file.as_ref().unwrap(), garbage).unwrap();
        let (_, snapshot) = KeysClient::start(settings.clone(), None).await.unwrap();
        assert!(snapshot.borrow().keys.is_empty(), "{garbage}");
    }
}

#[tokio::test]
async fn what_another_process_writes_beside_the_keys_is_left_to_it() {
    let (rig, key) = rig_with_key().await;
    rig.settle(&mut rig.reconciler()).await;
    let served = Served::start(&rig.keys, None);
    let settings = settings(&served.url, &rig);
    let file = settings.file.clone().unwrap();
    let half_written = file.with_extension("new");
    std::fs::write(&half_written, "{\"keys\"").unwrap();
    let (mut client, _) = KeysClient::start(settings.clone(), None).await.unwrap();
    client.step(rig.now).await;
    served.stop().await;
    assert_eq!(std::fs::read_to_string(&half_written).unwrap(), "{\"keys\"");
    let (_, snapshot) = KeysClient::start(settings, None).await.unwrap();
    assert!(snapshot.borrow().keys.contains(&Rig::app(), key.kid));
    let beside: Vec<_> =
        std::fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let beside = beside.iter().filter(|path| path.to_string_lossy().ends_with("new")).collect::<Vec<_>>();
    assert_eq!(beside, [&half_written], "nothing of its own is left");
}

#[tokio::test]
async fn a_wrong_token_gets_nothing_and_changes_nothing() {
    let (rig, _) = rig_with_key().await;
    rig.settle(&mut rig.reconciler()).await;
    let served = Served::start(&rig.keys, Some("right"));
    for token in [None, Some("wrong".into())] {
        let (mut client, snapshot) = KeysClient::start(settings(&served.url, &rig), token).await.unwrap();
        client.step(rig.now).await;
        assert!(snapshot.borrow().keys.is_empty());
        assert!(snapshot.borrow().read_at.is_none());
    }
    let status = async |method: reqwest::Method, path: &str| {
        reqwest::Client::new().request(method, format!("{}{path}", served.url)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(reqwest::Method::GET, "/internal/keys").await, 401);
    assert_eq!(status(reqwest::Method::POST, "/internal/keys").await, 405);
    assert_eq!(status(reqwest::Method::GET, "/").await, 404);
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_runs_follows_the_board_until_it_is_stopped() {
    let (rig, key) = rig_with_key().await;
    let served = Served::start(&rig.keys, None);
    let settings = Settings { poll_every: Duration::from_millis(5), ..settings(&served.url, &rig) };
    let (client, mut snapshot) = KeysClient::start(settings, None).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(client.run(stop.clone()));
    rig.settle(&mut rig.reconciler()).await;
    let found = snapshot.wait_for(|snapshot| snapshot.keys.contains(&Rig::app(), key.kid)).await;
    assert!(found.is_ok());
    drop(found);
    stop.cancel();
    running.await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn settings_that_cannot_work_are_named() {
    let refused = async |settings: Settings, token: Option<SecretString>| {
        KeysClient::start(settings, token).await.err().map(|error: StartError| error.to_string()).unwrap_or_default()
    };
    let wrong = Settings { url: "reconciler:9465".to_owned(), ..Settings::default() };
    assert!(refused(wrong, None).await.contains("internal.url"));
    assert!(refused(Settings::default(), Some("a\nb".into())).await.contains("internal.token"));
}
