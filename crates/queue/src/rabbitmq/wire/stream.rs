//! The bytes' way: TCP, and TLS where the address says so, trusting what the platform trusts.

use std::sync::Arc;

use amq_protocol::uri::{AMQPScheme, AMQPUri};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Broken;

/// Something to read from and write to.
pub(in crate::rabbitmq) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

pub(in crate::rabbitmq) type Stream = Box<dyn Socket>;

/// Connects on the runtime of the caller. The caller bounds the time.
pub(in crate::rabbitmq) async fn connect(uri: &AMQPUri) -> Result<Stream, Broken> {
    let host = uri.authority.host.as_str();
    let stream = TcpStream::connect((host, uri.authority.port)).await?;
    // A write holds everything there is to send, so there is nothing to wait for.
    stream.set_nodelay(true)?;
    Ok(match uri.scheme {
        AMQPScheme::AMQP => Box::new(stream),
        AMQPScheme::AMQPS => {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|error| Broken::because(format!("the host's name cannot be checked: {error}")))?;
            let connector = TlsConnector::from(Arc::new(encryption()?));
            Box::new(connector.connect(name, stream).await?)
        }
    })
}

fn encryption() -> Result<ClientConfig, Broken> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| Broken::because(format!("no encryption: {error}")))?;
    Ok(config.with_no_client_auth())
}
