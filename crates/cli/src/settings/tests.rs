//! Wrong inputs and the exact lines that a person reads for each; layers; masking.

use std::io::Write;

use super::*;

/// The app's credentials, as the environment gives them.
const DEMO: [(&str, &str); 2] =
    [("FINLINKD__APPS__DEMO__CLIENT_ID", "an-id"), ("FINLINKD__APPS__DEMO__CLIENT_SECRET", "007")];

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(toml: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

/// All lines for these variables, those that a role adds included.
fn lines(variables: &[(&str, &str)]) -> Vec<String> {
    let sources = Sources { file: None, environment: environment(variables) };
    match load(&sources) {
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
        Ok(settings) => settings.problems_for(Role::Run).iter().map(ToString::to_string).collect(),
    }
}

fn lines_beside_demo(variables: &[(&str, &str)]) -> Vec<String> {
    lines(&[&DEMO[..], variables].concat())
}

/// The lines for a file beside the demo's credentials; the tempfile's name is not part of any.
fn lines_of_file(toml: &str) -> Vec<String> {
    let file = file(toml);
    let sources = Sources { file: Some(file.path().to_owned()), environment: environment(&DEMO) };
    match load(&sources) {
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
        Ok(settings) => settings.problems_for(Role::Run).iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn an_app_in_the_environment_is_all_that_run_needs() {
    assert_eq!(lines(&DEMO), Vec::<String>::new());
    let settings = load(&Sources { file: None, environment: environment(&DEMO) }).unwrap();
    let app = &settings.apps[&"demo".parse::<AppName>().unwrap()];
    assert_eq!(app.client_id.as_deref(), Some("an-id"));
    assert_eq!(app.client_secret, Some(Secret::from("007".to_owned())), "a number in a secret stays text");
    assert_eq!(Settings { apps: BTreeMap::new(), ..settings }, Settings::default());
}

#[test]
fn without_an_app_one_line_says_what_to_set() {
    assert_eq!(
        lines(&[]),
        [
            "apps.<name>.client_id (FINLINKD__APPS__<NAME>__CLIENT_ID): no app is configured; choose a name for your Finlink \
          app and set its client_id and client_secret"
        ]
    );
}

#[test]
fn each_wrong_variable_has_its_line() {
    let table: [(&str, &str, &str); 12] = [
        (
            "FINLINKD__SCHEDULE__CEILING",
            "30000years",
            "schedule.ceiling (FINLINKD__SCHEDULE__CEILING): \"30000years\" does not fit (from the environment): at most 10 \
             years were expected",
        ),
        (
            "FINLINKD__FEED__STREAMS_MAX",
            "18446744073709551615",
            "feed.streams_max (FINLINKD__FEED__STREAMS_MAX): 18446744073709551615 does not fit (from the environment): at most \
             1000000000000000 was expected",
        ),
        (
            "FINLINKD__LISTEN",
            "localhost",
            "listen (FINLINKD__LISTEN): \"localhost\" does not fit (from the environment): invalid socket address syntax; an \
             example is \"127.0.0.1:8080\"",
        ),
        (
            "FINLINKD__UPSTREAM__MAX_REQUESTS_PER_SECOND",
            "fast",
            "upstream.max_requests_per_second (FINLINKD__UPSTREAM__MAX_REQUESTS_PER_SECOND): \"fast\" does not fit (from the \
             environment): a whole number was expected; an example is 5",
        ),
        (
            "FINLINKD__RULES__ANNOUNCE_EXISTING",
            "yes",
            "rules.announce_existing (FINLINKD__RULES__ANNOUNCE_EXISTING): \"yes\" does not fit (from the environment): true \
             or false was expected; an example is false",
        ),
        (
            "FINLINKD__SCHEDULE__RUNNING",
            "5",
            "schedule.running (FINLINKD__SCHEDULE__RUNNING): \"5\" does not fit (from the environment): expected a duration; an \
             example is \"5m\"",
        ),
        (
            "FINLINKD__VERIFICATION__MODE",
            "maybe",
            "verification.mode (FINLINKD__VERIFICATION__MODE): \"maybe\" does not fit (from the environment): unknown variant \
             `maybe`, expected `enforce` or `off`; an example is \"enforce\"",
        ),
        (
            "FINLINKD__STORE__URL",
            "mysql://me:hunter2@db/finlinkd",
            "store.url (FINLINKD__STORE__URL): \"mysql://me:********@db/finlinkd\" names no store; expected \"sqlite:\" or an \
             address like \"postgres://user:password@host/database\"",
        ),
        (
            "FINLINKD__QUEUE__URL",
            "amqp://me:hunter2@one/, kafka://me:hunter2@two/",
            "queue.url (FINLINKD__QUEUE__URL): \"kafka://me:********@two/\" names no queue; expected \"embedded:\" or an address \
             like \"amqp://user:password@host\"",
        ),
        (
            "FINLINKD__UPSTREAM__BASE_URL",
            "api.finlink.vumi.io",
            "upstream.base_url (FINLINKD__UPSTREAM__BASE_URL): \"api.finlink.vumi.io\" is not an address; expected one like \
             \"https://api.finlink.vumi.io\"",
        ),
        (
            "FINLINKD__LISTENN",
            "127.0.0.1:1",
            "listenn (FINLINKD__LISTENN): unknown key (from the environment); known here: ",
        ),
        (
            "FINLINKD__STORE",
            "sqlite:",
            "store (FINLINKD__STORE): a section was expected (from the environment), with keys such as migrate, url, url_file",
        ),
    ];
    for (name, value, expected) in table {
        let found = lines_beside_demo(&[(name, value)]);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].starts_with(expected), "{name}:\n  {}\nshould be\n  {expected}", found[0]);
    }
}

#[test]
fn each_contradiction_has_its_line() {
    let table: [(&[(&str, &str)], &str); 7] = [
        (
            &[("FINLINKD__SHUTDOWN_DEADLINE", "5s")],
            "shutdown_deadline (FINLINKD__SHUTDOWN_DEADLINE): 5s is over before anything stops: ingress.grace is 5s and part \
             of it; set a longer deadline or a shorter grace",
        ),
        (
            &[("FINLINKD__FEED__RELAY_LEASE", "999ms")],
            "feed.relay_lease (FINLINKD__FEED__RELAY_LEASE): 999ms is too short: at least 1s was expected, such as \"10s\"",
        ),
        (
            &[("FINLINKD__RETENTION__EVENTS", "6days")],
            "retention.events (FINLINKD__RETENTION__EVENTS): 6days does not fit: from 7 days to 10 years were expected, such as \
             \"90days\"; to keep them for ever, leave it out",
        ),
        (
            &[("FINLINKD__API_LISTEN", "127.0.0.1:8080")],
            "api_listen (FINLINKD__API_LISTEN): 127.0.0.1:8080 is the address of listen already; give each listener a port of \
             its own",
        ),
        (
            &[("FINLINKD__API_LISTEN", "0.0.0.0:8081")],
            "api.token (FINLINKD__API__TOKEN): missing: api_listen is 0.0.0.0:8081, which others can reach; set a token, or a \
             loopback address",
        ),
        (
            &[("FINLINKD__APPS__OTHER__CLIENT_ID", "x")],
            "apps.other.client_secret (FINLINKD__APPS__OTHER__CLIENT_SECRET): missing: a secret made for finlinkd alone, or \
             client_secret_file with the file that holds it",
        ),
        (
            &[("FINLINKD__APPS__DEMO__CLIENT_SECRET_FILE", "/nowhere")],
            "apps.demo.client_secret (FINLINKD__APPS__DEMO__CLIENT_SECRET): client_secret_file is set too; keep one of the two",
        ),
    ];
    for (variables, expected) in table {
        assert_eq!(lines_beside_demo(variables), [expected]);
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let found = lines(&[
        ("FINLINKD__LISTEN", "x"),
        ("FINLINKD__LOG__LEVELS", "info"),
        ("FINLINKD__APPS__NO-DASHES__CLIENT_ID", "x"),
        ("FINLINKD__HTTP__WORKERS", "-1"),
    ]);
    let keys: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(keys, ["apps.no-dashes", "http.workers", "listen", "log.levels"], "{found:#?}");
}

#[test]
fn a_file_is_checked_like_the_environment() {
    let found = lines_of_file("listen = 8080\n[apps.Demo]\nclient_id = \"x\"\n[rulez]\nx = 1\n");
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found.len(), 3, "{found:#?}");
    assert_eq!(
        found[0],
        "apps.Demo (FINLINKD__APPS__DEMO): app name \"Demo\": expected 1 to 64 of the characters a-z, 0-9 and _; rename the app"
    );
    assert!(found[1].starts_with("listen (FINLINKD__LISTEN): 8080 does not fit (from the file): "), "{}", found[1]);
    assert!(found[2].starts_with("rulez (FINLINKD__RULEZ): unknown key (from the file); known here: "), "{}", found[2]);
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_named() {
    let broken = file("listen = [");
    let sources = |path: &std::path::Path| Sources { file: Some(path.to_owned()), environment: Vec::new() };
    let told = load(&sources(broken.path())).unwrap_err().to_string();
    assert!(told.starts_with(&format!("{} is not TOML: ", broken.path().display())), "{told}");
    let told = load(&sources(std::path::Path::new("/nowhere.toml"))).unwrap_err().to_string();
    assert!(told.starts_with("cannot read /nowhere.toml: No such file"), "{told}");
}

#[test]
fn the_environment_wins_over_the_file_and_an_empty_variable_is_none() {
    let file = file("data_dir = \"/from/file\"\n[log]\nlevel = \"debug\"\n");
    let variables = [("FINLINKD__DATA_DIR", "/from/environment"), ("FINLINKD__LOG__LEVEL", "")];
    let sources = Sources { file: Some(file.path().to_owned()), environment: environment(&variables) };
    let settings = load(&sources).unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/from/environment"));
    assert_eq!(settings.log.level, "debug");
}

#[test]
fn lists_are_separated_by_commas_in_the_environment() {
    let variables = [("FINLINKD__VERIFICATION__HASH_CLAIMS", "body_hash, other")];
    let settings = load(&Sources { file: None, environment: environment(&variables) }).unwrap();
    assert_eq!(settings.verification.rules.hash_claims, ["body_hash", "other"]);
}

#[test]
fn a_secret_is_in_no_message_and_in_no_output() {
    let file = file("[api]\ntoken = 271828\n");
    let sources = Sources { file: Some(file.path().to_owned()), environment: Vec::new() };
    let told = load(&sources).unwrap_err().to_string();
    assert_eq!(
        told,
        "api.token (FINLINKD__API__TOKEN): its value does not fit (from the file): a text in quotes was expected"
    );

    let settings = load(&Sources { file: None, environment: environment(&DEMO) }).unwrap();
    let shown = [settings.to_masked_toml().unwrap(), settings.to_masked_json().to_string(), format!("{settings:?}")];
    for text in shown {
        assert!(text.contains(MASK) && !text.contains("007"), "{text}");
    }
}

#[test]
fn what_is_printed_can_be_used_as_a_file() {
    let printed = file(&Settings::default().to_masked_toml().unwrap());
    let sources = Sources { file: Some(printed.path().to_owned()), environment: Vec::new() };
    assert_eq!(load(&sources).unwrap(), Settings::default());
}

#[test]
fn a_secret_file_is_read_without_its_line_break_and_has_to_be_there() {
    use secrecy::ExposeSecret;

    let token = file("hunter2\n");
    let access = Access { token: None, token_file: Some(token.path().to_owned()) };
    assert_eq!(access.resolve().unwrap().unwrap().expose_secret(), "hunter2");
    let found = lines(&[
        ("FINLINKD__APPS__DEMO__CLIENT_ID", "an-id"),
        ("FINLINKD__APPS__DEMO__CLIENT_SECRET_FILE", "/nowhere"),
    ]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with(
            "apps.demo.client_secret_file (FINLINKD__APPS__DEMO__CLIENT_SECRET_FILE): cannot read the secret file /nowhere: "
        ),
        "{}",
        found[0]
    );
}

#[test]
fn each_role_names_what_it_misses() {
    let lines = |role: Role, variables: &[(&str, &str)]| {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let settings = load(&Sources { file: None, environment }).unwrap();
        settings.problems_for(role).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let keys = |role, variables: &[(&str, &str)]| -> Vec<String> {
        lines(role, variables).iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(keys(Role::Ingress, &[]), ["queue.url", "apps.<name>.client_id"]);
    assert_eq!(keys(Role::Consumer, &[]), ["queue.url", "store.url"]);
    assert_eq!(keys(Role::Reconciler, &[]), ["store.url", "apps.<name>.client_id"]);
    assert_eq!(keys(Role::Feed, &[]), ["store.url"]);

    let broker = ("FINLINKD__QUEUE__URL", "amqp://me:secret@broker");
    let database = ("FINLINKD__STORE__URL", "postgres://me:secret@database/finlinkd");
    let app = ("FINLINKD__APPS__DEMO__CLIENT_ID", "id");
    let secret = ("FINLINKD__APPS__DEMO__CLIENT_SECRET", "secret");
    // An ingress needs the app's name alone.
    assert_eq!(keys(Role::Ingress, &[broker, app]), Vec::<String>::new());
    assert_eq!(keys(Role::Consumer, &[broker, database]), Vec::<String>::new());
    // What the queue does not take would be refused one by one.
    let larger = ("FINLINKD__INGRESS__BODY_BYTES_MAX", "262145");
    assert_eq!(keys(Role::Ingress, &[broker, app, larger]), ["ingress.body_bytes_max"]);
    assert_eq!(keys(Role::Consumer, &[broker, database, larger]), Vec::<String>::new());
    assert_eq!(keys(Role::Run, &[app, secret, larger]), Vec::<String>::new());
    assert_eq!(keys(Role::Reconciler, &[database, app, secret]), Vec::<String>::new());
    assert_eq!(keys(Role::Feed, &[database]), Vec::<String>::new());
    assert_eq!(keys(Role::Run, &[broker, database, app, secret]), Vec::<String>::new());
    // Only the listeners that a role opens need a token.
    let open = ("FINLINKD__API_LISTEN", "0.0.0.0:8081");
    assert_eq!(keys(Role::Consumer, &[broker, database, open]), Vec::<String>::new());
    assert_eq!(keys(Role::Feed, &[database, open]), ["api.token"]);
}
