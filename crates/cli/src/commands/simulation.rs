//! Options that `demo` and `simulate` share: the size of the simulated world and what goes wrong in it.

use clap::Args;

/// What is simulated.
#[derive(Debug, Clone, Args)]
pub(super) struct SimulationArgs {
    /// How many connections there are over the whole run, deleted ones included.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub connections: usize,
    /// This share of webhooks is sent again, unchanged or signed anew.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    pub duplicate_rate: f64,
    /// This share of webhooks is never sent.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub loss_rate: f64,
    /// This share of webhooks is overtaken by later ones.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    pub reorder: f64,
    /// So many forged webhooks for each genuine one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub forged_rate: f64,
    /// Everything random comes from it.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
}

impl SimulationArgs {
    /// As settings of a simulator whose Finlink app is `app`.
    pub(super) fn settings(&self, app: &str) -> simulator::Settings {
        simulator::Settings {
            seed: self.seed,
            app: app.to_owned(),
            connections: self.connections,
            duplicate_rate: self.duplicate_rate,
            loss_rate: self.loss_rate,
            reorder: self.reorder,
            forged_rate: self.forged_rate,
            ..simulator::Settings::default()
        }
    }
}
