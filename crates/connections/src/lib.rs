//! The rules of a connection's life, pure: what a read means (R2, R3, R6), and when to look again (R4).
//!
//! Start at [`observe`]. Promises: no input or output, no clock, no randomness; the same reads in any order and any
//! multiplicity end in the same state. Not here: who asks Finlink and when a row may be claimed (`reconciler`, `store`).

mod known;
mod observe;
mod read;
mod schedule;

pub use known::{Absence, Known, Regression};
pub use observe::{Circumstances, Gap, Transition, Verdict, observe};
pub use read::{Answer, Cause, Read};
pub use schedule::{Due, Schedule};
