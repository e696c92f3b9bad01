//! The best plain lapin receiver there is to compare with: actix-web, a connection and a channel for each worker, the confirm
//! awaited in the handler. It verifies nothing, keeps no books and has no spool. Where it is told to, its messages carry
//! properties and headers like those of our envelope, each the same for all.

use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::{HttpResponse, web};
use anyhow::Result;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use listener::{Bound, Limits};
use queue::rabbitmq::WEBHOOKS;
use tokio_util::sync::CancellationToken;

thread_local! {
    /// This worker's channel, and the connection that it lives on.
    static CHANNEL: OnceCell<Rc<(Connection, Channel)>> = const { OnceCell::new() };
}

/// What all workers share.
struct Reference {
    url: String,
    /// The connections' own tasks live here.
    main: tokio::runtime::Handle,
    properties: BasicProperties,
}

/// Serves until killed. `is_labelled`: with properties like ours.
pub(crate) async fn serve(bound: Bound, url: String, is_labelled: bool, stop: CancellationToken) -> Result<()> {
    // The topology is there: our own publisher declared it before.
    let workers = Limits { workers: 2, ..Limits::default() };
    let plain = BasicProperties::default().with_delivery_mode(2).with_type("finlinkd.bench".into());
    let properties = if is_labelled { labelled(plain) } else { plain };
    let reference = web::Data::new(Reference { url, main: tokio::runtime::Handle::current(), properties });
    Ok(listener::serve(bound, &workers, stop, move |routes| {
        routes.app_data(reference.clone()).route("/webhooks/{app}", web::post().to(receive));
    })
    .await?)
}

/// As many properties and headers as ours, of the same kinds and lengths.
fn labelled(properties: BasicProperties) -> BasicProperties {
    const ID: &str = "0199c1de-0000-7000-8000-000000000000";
    let text = |value: &str| AMQPValue::LongString(LongString::from(value));
    let number = || AMQPValue::LongLongInt(1_800_000_000_000_000);
    let mut headers = FieldTable::default();
    for (name, value) in [
        ("app", text("bench")),
        ("received-at-us", number()),
        ("instance", text(ID)),
        ("sequence", number()),
        ("decided-through", number()),
        ("verification", text("unchecked")),
        ("binds-body", AMQPValue::Boolean(false)),
        ("body-sha256", text(&"0".repeat(64))),
        ("content-type", text("application/json")),
    ] {
        headers.insert(name.into(), value);
    }
    properties
        .with_message_id(ID.into())
        .with_correlation_id("123456".into())
        .with_content_type("application/json".into())
        .with_timestamp(1_800_000_000)
        .with_app_id("finlinkd".into())
        .with_headers(headers)
}

async fn receive(body: web::Bytes, reference: web::Data<Reference>) -> HttpResponse {
    let Some(channel) = channel(&reference).await else { return HttpResponse::ServiceUnavailable().finish() };
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = reference.properties.clone();
    let sent = channel.1.basic_publish(WEBHOOKS.into(), "bench".into(), options, &body, properties).await;
    let confirmed = match sent {
        Ok(confirm) => confirm.await.is_ok_and(|confirmation| confirmation.is_ack()),
        Err(_) => false,
    };
    if confirmed { HttpResponse::Ok().finish() } else { HttpResponse::ServiceUnavailable().finish() }
}

async fn channel(reference: &Reference) -> Option<Rc<(Connection, Channel)>> {
    if let Some(channel) = CHANNEL.with(|cell| cell.get().cloned()) {
        return Some(channel);
    }
    let address = reference.url.clone();
    let opened = reference.main.spawn(async move {
        let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok::<_, lapin::Error>((connection, channel))
    });
    let channel = Rc::new(opened.await.ok()?.ok()?);
    Some(CHANNEL.with(|cell| Rc::clone(cell.get_or_init(|| channel))))
}
