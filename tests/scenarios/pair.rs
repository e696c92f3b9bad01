//! What a pair of engines, one for the queue and one for the store, is to the scenarios: who runs on it, how either engine is
//! taken away, and what may differ from pair to pair.

use tests::binary::{Finlinkd, Setup};
use tests::customer::Customer;
use tests::person::Person;
use tests::processes::Processes;
use tests::roles::role_of;

/// A pair with a customer of Finlink's and all settings, but no processes.
pub(crate) trait Pair: Sized {
    /// The processes that are a pipeline together, in the order in which they start.
    const PROCESSES: &'static [&'static str];
    /// What differs most: who has a second place to keep a webhook in.
    const WITHOUT_A_QUEUE: WithoutAQueue;

    /// On engines that others use too: nothing happens to them.
    async fn sound() -> Self;
    /// On engines of its own, which may be taken away.
    async fn breakable() -> Self;

    /// The customer.
    fn customer(&self) -> &Customer;
    /// A person beside the pipeline.
    fn person(&self) -> Person;
    /// Every process is told this, too.
    fn set(&mut self, name: &'static str, value: &'static str);
    /// How a process starts.
    fn setup(&self, process: &str) -> Setup;
    /// The process that plays a role.
    fn player(role: &str) -> &'static str;

    /// Starts a process and waits until it is ready, degraded or not.
    async fn start(&self, process: &str) -> Finlinkd {
        self.setup(process).run_role(role_of(process)).await.unwrap()
    }

    /// The queue is not there any more, in the middle of whatever it does.
    async fn queue_leaves(&mut self);
    /// It is there again, with everything that it had made durable.
    async fn queue_returns(&mut self);
    /// The same for the store.
    async fn store_leaves(&mut self);
    /// The same for the store.
    async fn store_returns(&mut self);

    /// The store takes no body that begins like this.
    async fn store_refuses(&self, beginning: &str);
    /// It takes every body.
    async fn store_takes_all(&self);

    /// A person sends a dead letter on its way again. Answers how many receivers had to be stopped in order for it.
    async fn redrives(&self, letter: &str, running: &mut Processes) -> usize;
    /// Receivers end their books in order, and everything they left behind is taken in. Answers how many did.
    async fn closes_the_books(&self, running: &mut Processes) -> usize;

    /// Whoever talks to Finlink does so no more, without having given the lease back, and another is there to take it.
    async fn loses_its_voice(&self, running: &mut Processes);
    /// Whoever lost the lease comes back, where it can, and knows that it has lost it.
    async fn hears_the_old_voice(&self, running: &mut Processes);
    /// Whoever took over is gone in its turn, where the old one came back to take over from it.
    async fn loses_the_new_voice(&self, running: &mut Processes);
}

/// What holds for a receiver whose queue is away.
#[derive(Debug)]
pub(crate) struct WithoutAQueue {
    /// The answer to a webhook. With 503 the sender has to come again, and is told when.
    pub(crate) answer: u16,
    /// What it says of its queue when asked whether it is ready.
    pub(crate) said_to_be: &'static str,
}
