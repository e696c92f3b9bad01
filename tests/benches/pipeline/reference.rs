//! The best plain lapin receiver there is to compare with: actix-web, a connection and a channel for each worker, the confirm
//! awaited in the handler. It verifies nothing, keeps no books and has no spool. What its messages carry beside the body
//! is chosen by name.

use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::{HttpResponse, web};
use anyhow::Result;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use listener::{Bound, Limits};
use queue::rabbitmq::WEBHOOKS;
use tokio_util::sync::CancellationToken;

use crate::envelopes;

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

/// Serves until killed; `envelope` is the name of one.
pub(crate) async fn serve(bound: Bound, url: String, envelope: &str, stop: CancellationToken) -> Result<()> {
    // The topology is there: our own publisher declared it before.
    let workers = Limits { workers: 2, ..Limits::default() };
    let properties = envelopes::named(envelope)?;
    let reference = web::Data::new(Reference { url, main: tokio::runtime::Handle::current(), properties });
    Ok(listener::serve(bound, &workers, stop, move |routes| {
        routes.app_data(reference.clone()).route("/webhooks/{app}", web::post().to(receive));
    })
    .await?)
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
