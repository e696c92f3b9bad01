//! The best plain lapin receiver there is to compare with: actix-web, a connection and a channel for each worker, the confirm
//! awaited in the handler. It verifies nothing, keeps no books and has no spool.

use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::{HttpResponse, web};
use anyhow::Result;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use listener::{Bound, Limits};
use queue::rabbitmq::WEBHOOKS;
use tokio_util::sync::CancellationToken;

thread_local! {
    /// This worker's channel, and the connection that it lives on.
    static CHANNEL: OnceCell<Rc<(Connection, Channel)>> = const { OnceCell::new() };
}

/// Serves until killed.
pub(crate) async fn serve(bound: Bound, url: String, stop: CancellationToken) -> Result<()> {
    // The topology is there: our own publisher declared it before.
    let workers = Limits { workers: 2, ..Limits::default() };
    let url = web::Data::new((url, tokio::runtime::Handle::current()));
    Ok(listener::serve(bound, &workers, stop, move |routes| {
        routes.app_data(url.clone()).route("/webhooks/{app}", web::post().to(receive));
    })
    .await?)
}

async fn receive(body: web::Bytes, url: web::Data<(String, tokio::runtime::Handle)>) -> HttpResponse {
    let Some(channel) = channel(&url).await else { return HttpResponse::ServiceUnavailable().finish() };
    let properties = BasicProperties::default().with_delivery_mode(2).with_type("finlinkd.bench".into());
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let sent = channel.1.basic_publish(WEBHOOKS.into(), "bench".into(), options, &body, properties).await;
    let confirmed = match sent {
        Ok(confirm) => confirm.await.is_ok_and(|confirmation| confirmation.is_ack()),
        Err(_) => false,
    };
    if confirmed { HttpResponse::Ok().finish() } else { HttpResponse::ServiceUnavailable().finish() }
}

async fn channel(url: &(String, tokio::runtime::Handle)) -> Option<Rc<(Connection, Channel)>> {
    if let Some(channel) = CHANNEL.with(|cell| cell.get().cloned()) {
        return Some(channel);
    }
    let address = url.0.clone();
    // The connection's own tasks live on the main runtime.
    let opened = url.1.spawn(async move {
        let connection = Connection::connect(&address, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok::<_, lapin::Error>((connection, channel))
    });
    let channel = Rc::new(opened.await.ok()?.ok()?);
    Some(CHANNEL.with(|cell| Rc::clone(cell.get_or_init(|| channel))))
}
