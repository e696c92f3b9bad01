//! A socket that listens: opened first, so that a taken port is an error at start and not a role that dies later.

use std::io;
use std::net::{SocketAddr, TcpListener};

/// An open socket. Clients can connect from now on; they are served once it goes into [`crate::serve`].
#[derive(Debug)]
pub struct Bound {
    pub(crate) setting: &'static str,
    pub(crate) listener: TcpListener,
    address: SocketAddr,
}

/// Why a socket could not be opened. The text names the setting to change.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program, or another finlinkd, has the port.
    #[error(
        "cannot listen on {address}: the port is taken; stop the program that uses it or set `{setting}` to another port"
    )]
    Taken {
        /// The setting that holds the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The system reserves the port.
    #[error("cannot listen on {address}: not permitted; set `{setting}` to a port of 1024 or above")]
    Forbidden {
        /// The setting that holds the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The address belongs to another machine.
    #[error("cannot listen on {address}: this machine has no such address; correct `{setting}`")]
    Elsewhere {
        /// The setting that holds the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address} (setting `{setting}`): {source}")]
    Other {
        /// The setting that holds the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Opens a socket at `address`, which was read from `setting` (`listen`, `api_listen`, ...). Port 0 takes a free one.
pub fn bind(setting: &'static str, address: SocketAddr) -> Result<Bound, BindError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken { setting, address },
        io::ErrorKind::PermissionDenied => BindError::Forbidden { setting, address },
        io::ErrorKind::AddrNotAvailable => BindError::Elsewhere { setting, address },
        _ => BindError::Other { setting, address, source },
    };
    let listener = TcpListener::bind(address).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Bound { setting, listener, address })
}

impl Bound {
    /// Where it listens; the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
