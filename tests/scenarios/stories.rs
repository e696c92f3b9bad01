//! The scenarios, a file for each story. Nothing in them asks what they run on.

pub(crate) mod crash;
pub(crate) mod disorder;
pub(crate) mod duplicates;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod outages;
pub(crate) mod poison;
pub(crate) mod publish;
pub(crate) mod redelivery;
pub(crate) mod sessions;
