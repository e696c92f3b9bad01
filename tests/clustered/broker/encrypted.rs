//! Encryption on the way to the broker: who vouches for it must be trusted on this machine.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tests::cluster::{Cluster, Queue, TOKENS};
use tests::looking::{drained, eventually, is_said_to_be};
use tests::servers::{RabbitMq, RabbitMqOptions, free_port};

/// Makes an authority, and a certificate for `localhost` that it vouches for.
fn certify(folder: &Path) {
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost").unwrap();
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let authority = ["req", "-x509", "-days", "30", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"];
    let request = ["req", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
    let sign = ["x509", "-req", "-days", "30", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"];
    let signed = ["-CAcreateserial", "-extfile", "names", "-out", "server.pem"];
    for arguments in [[&authority[..], &key].concat(), [&request[..], &key].concat(), [&sign[..], &signed].concat()] {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // The broker runs as a user of its own.
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(folder.join("server.key"), PermissionsExt::from_mode(0o644)).unwrap();
}

fn encrypting(folder: &Path, port: u16) -> RabbitMq {
    let file = |name: &str| folder.join(name).display().to_string();
    let configuration = vec![
        format!("listeners.ssl.default = 127.0.0.1:{port}"),
        format!("ssl_options.cacertfile = {}", file("ca.pem")),
        format!("ssl_options.certfile = {}", file("server.pem")),
        format!("ssl_options.keyfile = {}", file("server.key")),
        "ssl_options.verify = verify_none".to_owned(),
    ];
    RabbitMq::launch(&RabbitMqOptions { configuration, ..RabbitMqOptions::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_encrypted_to_a_broker_that_is_vouched_for_and_nothing_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let broker = tokio::task::block_in_place(|| {
        certify(folder.path());
        encrypting(folder.path(), port)
    });
    let queue = Queue::At(format!("amqps://guest:guest@localhost:{port}/%2f"));
    let cluster = Cluster::on(queue, "postgres://nobody@127.0.0.1:1/none".to_owned()).await;

    let strangers = cluster.setup("ingress-1").run_role("ingress").await.unwrap();
    let refused = eventually("the broker's certificate is refused", async || {
        let health = strangers.admin("/readyz").await.unwrap().text();
        if health.contains("ertificate") { Ok(()) } else { Err(health) }
    });
    refused.await;
    strangers.stop().await.unwrap();

    let authority = folder.path().join("ca.pem").display().to_string();
    let trusting = cluster.setup("ingress-2").with_environment("SSL_CERT_FILE", &authority);
    let ingress = trusting.run_role("ingress").await.unwrap();
    is_said_to_be(&ingress, Some("queue"), "ready").await;
    cluster.sender(&ingress).await.send(TOKENS[0]).await.unwrap();
    drained(&ingress).await;
    let connections = tokio::task::block_in_place(|| broker.control(&["list_connections", "--quiet", "ssl"]).unwrap());
    let encrypted: Vec<&str> = connections.lines().skip(1).map(str::trim).collect();
    assert!(encrypted.len() > 1 && encrypted.iter().all(|ssl| *ssl == "true"), "{connections}");
    ingress.stop().await.unwrap();
}
