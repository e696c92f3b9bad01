//! The committed definitions: the program finds in them what it would declare itself, and each user may do its work and
//! nothing else.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::OnceLock;

use events::AppName;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ErrorKind};
use queue::rabbitmq::{DEAD_LETTERS, EVENTS, Routed, WEBHOOKS};
use queue::{Message, QueueState, Subscription};
use tests::deployment;
use tests::servers::{RabbitMq, RabbitMqOptions};
use tokio::sync::watch;

use super::{LIMITS, PATIENCE, engine, next, receipts, shared, until_ready, webhook};

/// A broker that was started with the committed definitions.
fn broker() -> &'static RabbitMq {
    static BROKER: OnceLock<RabbitMq> = OnceLock::new();
    BROKER.get_or_init(|| {
        let definitions = Some(deployment::text("rabbitmq/definitions.json").unwrap());
        RabbitMq::launch(&RabbitMqOptions { definitions, ..RabbitMqOptions::default() }).unwrap()
    })
}

/// The committed address of a user, at a broker of these tests.
fn address_at(broker: &RabbitMq, address: &str) -> String {
    assert!(address.contains("@rabbitmq:5672/"), "{address}");
    address.trim().replace("@rabbitmq:5672/", &format!("@127.0.0.1:{}/", broker.port()))
}

fn address_of(user: &str) -> String {
    address_at(broker(), &deployment::text(&format!("secrets/demo/queue_url_{user}")).unwrap())
}

async fn gets_ready(mut state: watch::Receiver<QueueState>) {
    let ready = state.wait_for(|state| matches!(state, QueueState::Ready | QueueState::Down(_)));
    let state = tokio::time::timeout(PATIENCE, ready).await.expect("it connects").unwrap().clone();
    assert_eq!(state, QueueState::Ready);
}

/// A subscription connects while someone waits for a batch.
async fn subscribes((mut subscription, state): (Subscription, watch::Receiver<QueueState>)) {
    tokio::select! {
        _ = subscription.next_batch(&LIMITS) => panic!("nothing was sent, and yet a batch came"),
        () = gets_ready(state) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_works_with_its_user() {
    // Subscribing declares everything actively: other arguments in the definitions would be refused.
    let (mut subscription, _state) = engine(&address_of("consumer")).subscribe();
    subscribes(engine(&address_of("consumer")).dead_letters()).await;

    let (publisher, _ended) = engine(&address_of("ingress")).publisher();
    until_ready(&publisher).await;
    let sent = webhook("demo", 1);
    publisher.publish(Message::Webhook(sent.clone())).await.unwrap();
    let batch = next(&mut subscription).await;
    assert_eq!(receipts(&batch), [sent.receipt]);
    batch.ack().await.unwrap();

    let (events, _ended) = engine(&address_of("feed")).events();
    gets_ready(events.state()).await;
    let app: AppName = "demo".parse().unwrap();
    let routed = events.publish(&app, "kind", "an-id", "{}".into()).await.unwrap();
    assert_eq!(routed, Routed::Nowhere, "nobody has bound a queue");
}

/// What a user may try.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Publish(&'static str),
    Read(&'static str),
    Configure(&'static str),
    Delete(&'static str),
}

const MAY_NOT: u16 = 403;
/// The answer to a declaration with other arguments, of someone who may declare.
const DIFFERENT: u16 = 406;

impl Act {
    /// The broker's reply code; `None`: done.
    async fn is_answered(self, channel: &Channel) -> Option<u16> {
        let error = match self {
            Self::Publish(exchange) => publish(channel, exchange).await.err(),
            Self::Read(queue) => channel.basic_get(queue.into(), BasicGetOptions::default()).await.err(),
            Self::Configure(queue) => {
                let options = QueueDeclareOptions { durable: true, ..Default::default() };
                channel.queue_declare(queue.into(), options, FieldTable::default()).await.err()
            }
            Self::Delete(queue) => channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.err(),
        };
        error.map(|error| match error.kind() {
            ErrorKind::ProtocolError(error) => error.get_id(),
            other => panic!("{self:?}: {other:?}"),
        })
    }
}

async fn publish(channel: &Channel, exchange: &str) -> lapin::Result<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let properties = BasicProperties::default();
    let options = BasicPublishOptions::default();
    channel.basic_publish(exchange.into(), "demo.any".into(), options, b"{}", properties).await?.await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_user_may_do_more_than_its_work() {
    let acts = [
        Act::Publish(WEBHOOKS),
        Act::Publish(DEAD_LETTERS),
        Act::Publish(EVENTS),
        // The exchange without a name reaches every queue by the queue's name.
        Act::Publish(""),
        Act::Read(WEBHOOKS),
        Act::Read(DEAD_LETTERS),
        Act::Configure(WEBHOOKS),
        Act::Configure(DEAD_LETTERS),
        Act::Configure("another"),
        Act::Configure("finlinkd.events.ours"),
        Act::Read("finlinkd.events.ours"),
    ];
    let allowed: [(&str, &[Act]); 5] = [
        ("ingress", &[Act::Publish(WEBHOOKS)]),
        (
            "consumer",
            &[Act::Read(WEBHOOKS), Act::Read(DEAD_LETTERS), Act::Configure(WEBHOOKS), Act::Configure(DEAD_LETTERS)],
        ),
        ("feed", &[Act::Publish(EVENTS)]),
        ("operator", &[Act::Publish(WEBHOOKS), Act::Read(DEAD_LETTERS)]),
        ("application", &[Act::Configure("finlinkd.events.ours"), Act::Read("finlinkd.events.ours")]),
    ];
    // Its own queue, so that the others are refused for what they are and not because it is missing.
    made_by("application", Act::Configure("finlinkd.events.ours")).await;
    for (user, work) in allowed {
        for act in acts {
            let answer = made_by(user, act).await;
            if work.contains(&act) {
                assert!(matches!(answer, None | Some(DIFFERENT)), "{user} could not {act:?}: {answer:?}");
            } else {
                assert_eq!(answer, Some(MAY_NOT), "{user} was not kept from {act:?}");
            }
        }
    }
    for user in ["ingress", "feed", "operator", "application"] {
        assert_eq!(made_by(user, Act::Delete(WEBHOOKS)).await, Some(MAY_NOT), "{user}");
    }
}

async fn made_by(user: &str, act: Act) -> Option<u16> {
    let connection = Connection::connect(&address_of(user), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    act.is_answered(&channel).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_set_of_secrets_fits_together() {
    let folder = tempfile::tempdir().unwrap();
    let generate = || {
        let output = Command::new(deployment::path("secrets/generate")).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    generate();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let address = read("queue_url_consumer");
    generate();
    assert_eq!(read("queue_url_consumer"), address, "what is there already stays");
    assert_eq!(folder.path().metadata().unwrap().permissions().mode() & 0o777, 0o700, "others may not look into it");

    // Beside the virtual hosts of the other tests; none of them uses the one that the definitions are for.
    let definitions = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(definitions.path(), read("definitions.json")).unwrap();
    std::fs::set_permissions(definitions.path(), PermissionsExt::from_mode(0o644)).unwrap();
    shared().control(&["import_definitions", definitions.path().to_str().unwrap()]).unwrap();
    subscribes(engine(&address_at(shared(), &address)).subscribe()).await;
    for user in ["ingress", "consumer", "feed", "operator", "application"] {
        let committed = deployment::text(&format!("secrets/demo/queue_url_{user}")).unwrap();
        let refused = Connection::connect(&address_at(shared(), &committed), ConnectionProperties::default()).await;
        assert!(refused.is_err(), "the demo's password of {user} opens a live broker");
    }
}

#[test]
fn the_committed_limit_of_sizes_is_that_of_the_program() {
    let configuration = deployment::text("rabbitmq/rabbitmq.conf").unwrap();
    let limit = configuration.lines().find_map(|line| line.strip_prefix("max_message_size = ")).unwrap();
    let ours = queue::rabbitmq::Settings::default().message_bytes_max;
    assert_eq!(limit, ours.to_string());
    assert_eq!(ingress::Settings::default().body_bytes_max, ours);
}
