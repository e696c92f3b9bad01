//! The listeners of a role, bound before anything starts.

use listener::Bound;

use super::process::Addresses;
use crate::settings::{Role, Settings};

/// Bound listeners; `None` where the role does not listen.
pub(super) struct Listeners {
    pub(super) webhooks: Option<Bound>,
    pub(super) api: Option<Bound>,
    pub(super) admin: Bound,
    pub(super) internal: Option<Bound>,
}

impl Listeners {
    /// Binds what the role needs.
    pub(super) fn bind(role: Role, settings: &Settings) -> anyhow::Result<Self> {
        let bind = |name: &'static str, address| {
            role.opens(name).then(|| listener::bind(name, address)).transpose().map_err(anyhow::Error::from)
        };
        Ok(Self {
            webhooks: bind("listen", settings.listen)?,
            api: bind("api_listen", settings.api_listen)?,
            admin: listener::bind("admin_listen", settings.admin_listen)?,
            internal: bind("internal_listen", settings.internal_listen)?,
        })
    }

    /// The real ports.
    pub(super) fn addresses(&self) -> Addresses {
        let address = |bound: &Option<Bound>| bound.as_ref().map(Bound::address);
        Addresses {
            listen: address(&self.webhooks),
            api: address(&self.api),
            admin: self.admin.address(),
            internal: address(&self.internal),
        }
    }
}
