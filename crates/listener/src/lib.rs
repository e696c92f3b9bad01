//! The HTTP listeners of finlinkd: how a socket is opened, served, bounded and stopped, and what an error looks like on it.
//!
//! Every listener (webhooks, the user's API, metrics, keys) is opened by [`bind`] and run by [`serve`], so all of them have
//! the same limits, the same errors ([`Problem`]) and the same end: a request in flight is answered, an idle connection is
//! closed. Not here: any route.

mod age;
mod bearer;
mod bound;
mod closing;
mod limits;
mod problem;
mod serve;

pub use bearer::BearerToken;
pub use bound::{BindError, Bound, bind};
pub use limits::Limits;
pub use problem::Problem;
pub use serve::serve;
