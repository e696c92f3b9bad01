//! A body only says where to look: whatever it holds is kept as it came and never becomes state.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::finlink::{ConnectionStatus, Endpoint, now_text};
use tests::looking::{bare, counter, eventually};
use tests::scene::Scene;
use tests::sender::{naming, receipt};
use tests::signing::{claims_of, claims_of_no_body, sha256};
use tokio::time::Instant;

/// `{"connectionToken":"AAAAAAAAAA"}` in gzip.
const GZIPPED: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xab, 0x56, 0x4a, 0xce, 0xcf, 0xcb, 0x4b, 0x4d, 0x2e,
    0xc9, 0xcc, 0xcf, 0x0b, 0xc9, 0xcf, 0x4e, 0xcd, 0x53, 0xb2, 0x52, 0x72, 0x84, 0x03, 0xa5, 0x5a, 0x00, 0x83, 0x34,
    0xf5, 0x09, 0x20, 0x00, 0x00, 0x00,
];

fn nested(depth: usize) -> Vec<u8> {
    [vec![b'['; depth], vec![b']'; depth]].concat()
}

fn hex_digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_any_kind_is_kept_as_it_came() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("gzip", GZIPPED.to_vec()),
        ("not UTF-8", b"{\"connectionToken\":\"\xff\xfe\"}".to_vec()),
        ("NUL bytes", b"\0\0{\"connectionToken\":\"AAAAAAAAAA\0\"}\0".to_vec()),
        ("deep", nested(100_000)),
        ("deep objects", "{\"a\":".repeat(20_000).into_bytes()),
        ("no object", b"\"AAAAAAAAAA\"".to_vec()),
        ("a number beyond all", format!("{{\"connectionToken\":1{}}}", "0".repeat(5000)).into_bytes()),
        ("a token to break out with", br#"{"connectionToken":"../../../auth/login?x=\r\n' OR 1=1 --"}"#.to_vec()),
        ("the same key twice", br#"{"connectionToken":"AAAAAAAAAA","connectionToken":"BBBBBBBBBB"}"#.to_vec()),
    ];
    let mut sent = Vec::new();
    for (what, body) in &bodies {
        let jwt = sender.key.sign(&claims_of(body)).unwrap();
        let encoded = format!("{jwt}\r\ncontent-encoding: gzip");
        let answer = sender.post_signed(if *what == "gzip" { &encoded } else { &jwt }, body).await.unwrap();
        sent.push((receipt(&answer).unwrap_or_else(|why| panic!("{what}: {why}")), sha256(body)));
    }
    let receipts: Vec<String> = sent.iter().map(|(receipt, _)| receipt.clone()).collect();
    scene.person().finds(&receipts).await;
    let webhooks = scene.person().webhooks().await;
    for (receipt, hash) in &sent {
        assert_eq!(webhooks[receipt]["body_sha256"], json!(hash));
    }
    let gzipped = scene.setup.json(&["webhooks", "show", &receipts[1], "--json"]).await.unwrap();
    let hex: String = GZIPPED.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect();
    assert_eq!(gzipped["body_hex"], json!(hex), "the bytes as they came");

    scene.converges(&running).await;
    let letters = scene.setup.json(&["dead-letters", "list", "--json"]).await.unwrap();
    assert_eq!(letters, json!([]), "an odd body is no reason for a dead letter");
    let asked = scene.finlink.asked();
    assert!(asked.iter().all(|asked| asked.endpoint != Endpoint::Other), "a body chose a path: {asked:#?}");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_status_in_a_body_writes_no_state_whether_bound_or_not() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    let before = scene.person().connections().await;
    let lie = json!({
        "credentialsToken": "AAAAAAAAAA", "status": "ERRORED", "entity": "a bank of mine", "updatedAt": now_text(),
        "lastSync": "2037-01-01T00:00:00.000Z", "restoreToken": "6a2f1e0c-1111-4222-8333-444455556666",
    });
    let lie = lie.to_string().into_bytes();
    let singles = scene.finlink.count(Endpoint::Single);
    receipt(&sender.post_with(&claims_of_no_body(), &lie).await.unwrap()).unwrap();
    receipt(&sender.post(&lie).await.unwrap()).unwrap();
    scene.finlink.wait_for_more(Endpoint::Single, 1).await.unwrap();
    assert!(scene.finlink.count(Endpoint::Single) > singles, "it was looked at");
    scene.finlink.wait_for_more(Endpoint::List, 1).await.unwrap();
    let after = scene.person().connections().await;
    assert_eq!(after.iter().map(bare).collect::<Vec<_>>(), scene.truth());
    assert_eq!(after[0]["version"], before[0]["version"], "nothing changed, so there is no new version");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_tokens_in_a_body_twenty_count() {
    let scene = Scene::brisk().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let mut setup = scene.setup.clone();
    // So that a claim is answered by a question of its own and can be counted.
    setup.set("UPSTREAM__LIST_FROM", "1000000");
    let running = setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    let tokens: Vec<Value> = (0..1000).map(|number| json!({"connectionToken": format!("BOGUS{number:05}")})).collect();
    let body = json!({ "connections": tokens, "data": tokens, "connectionToken": "BOGUS00000" }).to_string();
    receipt(&sender.post(body.as_bytes()).await.unwrap()).unwrap();
    // The whole app is looked at as well, and twice more by its schedule.
    scene.finlink.wait_for_more(Endpoint::List, 3).await.unwrap();
    let asked = scene.finlink.asked();
    let bogus: BTreeSet<&String> =
        asked.iter().map(|asked| &asked.subject).filter(|subject| subject.starts_with("BOGUS")).collect();
    assert!(bogus.len() <= 20, "{bogus:?}");
    scene.converges(&running).await;
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_in_an_unbound_body_costs_a_list_and_no_question_of_its_own() {
    let scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let setup = scene.setup.clone().with("UPSTREAM__LIST_APART", "300ms");
    let running = setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    for number in 0..30 {
        let body = naming(&format!("INVENTED{number:02}"));
        receipt(&sender.post_with(&claims_of_no_body(), &body).await.unwrap()).unwrap();
    }
    scene.put(&ConnectionStatus::ready("NEWCOMERAA"));
    receipt(&sender.post_with(&claims_of_no_body(), &naming("NEWCOMERAA")).await.unwrap()).unwrap();
    scene.converges(&running).await;
    assert_eq!(scene.finlink.count(Endpoint::Single), 0, "{:#?}", scene.finlink.asked());
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_connection_is_read_once_in_ten_seconds_however_many_webhooks_name_it() {
    let scene = Scene::plain().await;
    scene.put(&ConnectionStatus::ready("AAAAAAAAAA"));
    let running = scene.setup.run().await.unwrap();
    let sender = scene.sender(&running).await;
    scene.converges(&running).await;
    let begun = Instant::now();
    let flood = sender.flood(&["AAAAAAAAAA"], 4).unwrap();
    flood.accepts(200).await.unwrap();
    scene.finlink.wait_for_more(Endpoint::Single, 1).await.unwrap();
    flood.accepts(flood.accepted() + 100).await.unwrap();
    let heard = flood.stop().await.unwrap();
    scene.person().finds(&heard.receipts).await;
    let hinted = eventually("every hint is counted", async || {
        let told = scene.setup.json(&["connections", "explain", "AAAAAAAAAA", "--json"]).await.unwrap();
        let hints = told["refresh"]["hint_no"].as_u64().unwrap();
        if hints == heard.receipts.len() as u64 { Ok(()) } else { Err(format!("{hints} hints")) }
    });
    hinted.await;
    let reads = scene.finlink.count(Endpoint::Single) as u64;
    assert!(reads <= 1 + begun.elapsed().as_secs() / 10, "{reads} reads in {:?}", begun.elapsed());
    assert_eq!(counter(&running, "finlinkd_dead_letters{reason=\"culprit\"}").await, 0);
    running.stop().await.unwrap();
}
