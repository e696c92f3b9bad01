//! The stack of `docker-compose.yml` under a test: a project of its own, on ports, volumes and an image tag of its own, so that
//! it disturbs none that a person runs here; nothing is left of it in the end, whatever happens to the test.
//!
//! It builds the images, or takes those that are there. It installs no engine, and never looks at another project's containers.

mod container;
mod engine;
mod images;
mod stack;

pub use container::Container;
pub use engine::Engine;
pub use stack::{Stack, StackOptions};
