//! The rules of a connection's life, pure: what a read means (R2, R3, R6), and when to look again (R4).
//!
//! Start at [`observe`]; [`rebuild`] judges what is on record once more. Promises: no input or output, no clock, no
//! randomness; the same reads in any order and any multiplicity end in the same state. Not here: who asks Finlink and when a
//! row may be claimed (`reconciler`, `store`).

mod absence;
mod announce;
mod announced;
mod change;
mod due;
mod gap;
mod known;
mod observe;
mod presence;
mod read;
mod rebuild;
mod regression;
mod schedule;

pub use absence::{Absence, AbsentRead, Sign};
pub use announced::Announced;
pub use change::{DifferingField, differing_fields};
pub use due::Due;
pub use known::Known;
pub use observe::{Circumstances, Gap, Transition, Verdict, observe};
pub use read::{Answer, Cause, Read};
pub use rebuild::{Recorded, rebuild};
pub use regression::{Presence, Regression};
pub use schedule::Schedule;
