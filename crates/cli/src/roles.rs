//! What a process can be: a file a role, each with a `start` that returns running [`part::Part`]s; `run` is all of them.

mod consumer;
mod feed;
mod ingress;
mod part;
mod reconciler;
pub mod run;
mod stages;
