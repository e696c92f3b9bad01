//! Each way to start wrong: a prompt end, an exit code that is not 0, and one clear line that names the thing.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use tests::binary::Setup;
use tests::customer::APP;
use tests::finlink::Credentials;
use tests::scene::Scene;

/// A complete setup whose Finlink nobody needs to ask.
fn setup(folder: &tempfile::TempDir) -> Setup {
    let app =
        Credentials { client_id: "6f2f1df0-0000-4000-8000-000000000001".to_owned(), client_secret: "hunter2".into() };
    Setup::in_folder(folder.path())
        .with_app(APP, &app)
        .with("UPSTREAM__BASE_URL", "http://127.0.0.1:9")
        .with("LOG__FORMAT", "text")
}

async fn refused(setup: &Setup) -> (Output, String) {
    let output = setup.output(&["run"]).await.unwrap();
    assert!(output.status.code().is_some_and(|code| code != 0), "{}", output.status);
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!told.contains("panicked") && !told.contains("RUST_BACKTRACE"), "{told}");
    assert!(!told.contains("hunter2"), "a secret is shown: {told}");
    let last = told.lines().last().unwrap_or_default().to_owned();
    (output, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_settings_is_named_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(&folder);
    let secret_file = folder.path().join("no such secret").to_str().unwrap().to_owned();
    let cases = [
        ("an unknown key", setup.clone().with("INGRESS__BODY_BYTE_MAX", "1"), "FINLINKD__INGRESS__BODY_BYTE_MAX"),
        ("an unknown section", setup.clone().with("INGRES__GRACE", "1s"), "FINLINKD__INGRES"),
        ("a missing secret", setup.clone().without("APPS__MAIN__CLIENT_SECRET"), "FINLINKD__APPS__MAIN__CLIENT_SECRET"),
        (
            "a missing secret file",
            setup.clone().without("APPS__MAIN__CLIENT_SECRET").with("APPS__MAIN__CLIENT_SECRET_FILE", &secret_file),
            "no such secret",
        ),
        ("a missing id", setup.clone().without("APPS__MAIN__CLIENT_ID"), "FINLINKD__APPS__MAIN__CLIENT_ID"),
        ("a number that is none", setup.clone().with("UPSTREAM__RETRIES", "many"), "FINLINKD__UPSTREAM__RETRIES"),
        ("a duration that is none", setup.clone().with("INGRESS__GRACE", "5"), "FINLINKD__INGRESS__GRACE"),
        ("an address that is none", setup.clone().with("LISTEN", "localhost"), "FINLINKD__LISTEN"),
        ("an API for everyone without a token", setup.clone().with("API_LISTEN", "0.0.0.0:0"), "FINLINKD__API__TOKEN"),
        ("a mode that is none", setup.clone().with("VERIFICATION__MODE", "maybe"), "FINLINKD__VERIFICATION__MODE"),
        ("a name that is none", setup.clone().with("APPS__MY-APP__CLIENT_ID", "x"), "my-app"),
    ];
    for (what, setup, named) in cases {
        let (output, told) = refused(&setup).await;
        assert!(told.contains(named), "{what}: {named} is not in {told:?}");
        assert_eq!(output.status.code(), Some(64), "{what}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_names_the_listener_and_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for listener in ["LISTEN", "API_LISTEN", "ADMIN_LISTEN", "INTERNAL_LISTEN"] {
        let (_, told) = refused(&setup(&folder).with(listener, &address)).await;
        assert!(told.contains(&address) && told.contains(&format!("`{}`", listener.to_lowercase())), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // A file instead of a folder stops root, too, whom permissions do not.
    let file = folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let (_, told) = refused(&setup(&folder).with("DATA_DIR", path.to_str().unwrap())).await;
        assert!(told.contains(path.to_str().unwrap()), "{told}");
    }
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    let permitted = std::fs::write(closed.join("probe"), "").is_ok();
    if !permitted {
        let (_, told) = refused(&setup(&folder).with("DATA_DIR", closed.to_str().unwrap())).await;
        assert!(told.contains(closed.to_str().unwrap()), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let scene = Scene::brisk().await;
    let running = scene.setup.run().await.unwrap();
    running.stop().await.unwrap();
    let databases: Vec<_> = std::fs::read_dir(scene.folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")))
        .collect();
    assert!(!databases.is_empty(), "nothing in {}", scene.folder().display());
    for database in databases {
        let whole = std::fs::read(&database).unwrap();
        let rubbish = b"this is no database at all, and long enough to be looked at".repeat(200);
        std::fs::write(&database, &rubbish).unwrap();
        let (_, told) = refused(&scene.setup).await;
        assert!(told.contains(database.file_name().unwrap().to_str().unwrap()), "{told}");
        assert_eq!(std::fs::read(&database).unwrap(), rubbish, "it is not overwritten");
        std::fs::write(&database, whole).unwrap();
    }
    scene.setup.run().await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_by_another_process_is_named_and_the_other_is_not_disturbed() {
    let scene = Scene::brisk().await;
    let running = scene.setup.run().await.unwrap();
    let (_, told) = refused(&scene.setup).await;
    assert!(told.contains(scene.folder().to_str().unwrap()) && told.contains("in use"), "{told}");
    let kept = scene.sender(&running).await.send("AAAAAAAAAA").await.unwrap();
    scene.person().finds(&[kept]).await;
    running.kill().await.unwrap();
    scene.setup.run().await.unwrap().stop().await.unwrap();
}
