//! What a process can be: a file a part, each with a `start` that returns running parts; [`process`] knows which role
//! has which.

mod consumer;
mod feed;
mod health;
mod ingress;
mod keys;
mod listeners;
mod misfit;
pub(crate) mod part;
pub mod process;
mod reconciler;
mod stages;
